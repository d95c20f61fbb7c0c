#include "relay/realms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static int setup(void **state)
{
	return relay_realms_new((struct relay_realms **)state, STR_LIT("own.test"));
}

static int teardown(void **state)
{
	relay_realms_free(*state);
	return 0;
}

static unsigned place(struct relay_realms *r, unsigned number)
{
	char name[16];

	snprintf(name, sizeof name, "r%u.test", number);
	return relay_realms_place(r, str_of(name));
}

static void test_a_place_is_kept(void **state)
{
	struct relay_realms *r = *state;
	struct str names[4];

	assert_int_equal(relay_realms_place(r, STR_LIT("own.test")), 0);
	assert_int_equal(place(r, 7), 1);
	assert_int_equal(relay_realms_place(r, STR_LIT("")), 2);
	assert_int_equal(place(r, 7), 1);
	assert_int_equal(relay_realms_place(r, STR_LIT("own.test")), 0);
	assert_int_equal(relay_realms_names(r, names, 4), 3);
	assert_true(str_eq(names[0], STR_LIT("own.test")));
	assert_true(str_eq(names[1], STR_LIT("r7.test")));
	assert_int_equal(names[2].len, 0);
}

static void test_those_beyond_share_one(void **state)
{
	struct relay_realms *r = *state;
	struct str names[COUNTER_REALMS];

	for (unsigned i = 1; i < RELAY_REALM_OTHERS; i++)
		assert_int_equal(place(r, i), i);
	assert_int_equal(place(r, 100), RELAY_REALM_OTHERS);
	assert_int_equal(place(r, 101), RELAY_REALM_OTHERS);
	assert_int_equal(place(r, 1), 1);
	assert_int_equal(relay_realms_names(r, names, COUNTER_REALMS), RELAY_REALM_OTHERS);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_place_is_kept),
		T(test_those_beyond_share_one),
	};

	return cmocka_run_group_tests_name("relay_realms", tests, NULL, NULL);
}

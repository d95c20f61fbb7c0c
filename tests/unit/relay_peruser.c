#include "relay/peruser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
	return relay_perusers_new((struct relay_perusers **)state, 2);
}

static int teardown(void **state)
{
	relay_perusers_free(*state);
	return 0;
}

struct found {
	const char *name;
	bool is_there;
	struct relay_peruser_row row;
};

static void on_row(void *arg, const struct relay_peruser_row *row)
{
	struct found *f = arg;

	if (str_eq(row->user, str_of(f->name))) {
		f->is_there = true;
		f->row = *row;
	}
}

static struct found find(struct relay_perusers *p, const char *name)
{
	struct found f = { .name = name };

	relay_perusers_walk(p, on_row, &f);
	return f;
}

static struct relay_peruser *enter(struct relay_perusers *p, const char *name)
{
	return relay_peruser_enter(p, STR_LIT("a.test"), str_of(name));
}

static void test_sums_outlive_sessions(void **state)
{
	struct relay_perusers *p = *state;
	struct relay_peruser *a = enter(p, "alice");
	struct turn_traffic up = { 2, 300 }, down = { 1, 50 }, none = { 0, 0 };

	assert_non_null(a);
	assert_ptr_equal(enter(p, "alice"), a);
	relay_peruser_add(a, &up, &down);
	relay_peruser_add(a, &up, &none);
	assert_int_equal(find(p, "alice").row.sessions, 2);
	relay_peruser_leave(p, a);
	relay_peruser_leave(p, a);
	assert_int_equal(find(p, "alice").row.sessions, 0);
	assert_int_equal(find(p, "alice").row.up.bytes, 600);
	assert_int_equal(find(p, "alice").row.up.packets, 4);
	assert_int_equal(find(p, "alice").row.down.bytes, 50);
	assert_ptr_equal(enter(p, "alice"), a); /* she goes on where she was */
	assert_int_equal(find(p, "alice").row.up.bytes, 600);
}

/* No more than there are places; who has sessions keeps his, of the others the one who left first goes. */
static void test_cap(void **state)
{
	struct relay_perusers *p = *state;
	struct relay_peruser *a = enter(p, "alice");
	struct relay_peruser *b = enter(p, "bob");
	struct turn_traffic some = { 1, 100 };

	assert_null(enter(p, "carol"));
	relay_peruser_add(b, &some, &some);
	relay_peruser_leave(p, b);
	relay_peruser_leave(p, a);
	assert_ptr_equal(enter(p, "carol"), b);
	assert_false(find(p, "bob").is_there);
	assert_int_equal(find(p, "carol").row.up.bytes, 0);
	assert_true(find(p, "alice").is_there);
	assert_ptr_equal(enter(p, "dave"), a);
	assert_null(enter(p, "alice"));
}

/* A name stands for somebody else in each realm. */
static void test_realms(void **state)
{
	struct relay_perusers *p = *state;
	struct relay_peruser *a = enter(p, "alice");
	struct relay_peruser *b = relay_peruser_enter(p, STR_LIT("a.tes"), STR_LIT("talice"));

	assert_non_null(b);
	assert_ptr_not_equal(a, b);
	assert_true(str_eq(find(p, "talice").row.realm, STR_LIT("a.tes")));
	assert_true(str_eq(find(p, "alice").row.realm, STR_LIT("a.test")));
	assert_null(relay_peruser_enter(p, STR_LIT("b.test"), STR_LIT("alice")));
}

static void test_nobody_has_no_place(void **state)
{
	assert_null(enter(*state, ""));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_sums_outlive_sessions),
		T(test_cap),
		T(test_realms),
		T(test_nobody_has_no_place),
	};

	return cmocka_run_group_tests_name("relay_peruser", tests, NULL, NULL);
}

#include "store/usage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bug.h"

static const uint64_t key[2] = { 1, 2 };

static struct store_usage row(const char *user, const char *period, uint64_t rx)
{
	struct store_usage u = { .realm = STR_LIT("r"), .user = str_of(user), .rx_bytes = rx, .sessions = 1 };

	strcpy(u.period, period);
	return u;
}

static struct store_usages *fresh(void)
{
	struct store_usages *u = NULL;

	assert_int_equal(store_usage_new(&u, key), OK);
	return u;
}

static void a_user_is_a_row_for_each_period(void **state)
{
	static const struct {
		const char *user, *period;
		size_t n; /* rows from then on */
	} add[] = {
		{ "a", "2026-11", 1 }, { "a", "2026-11", 1 }, { "a", "2026-12", 2 }, { "b", "2026-11", 3 },
		{ "a", "2026-12", 3 }, { "", "2026-11", 4 },  { "", "2026-11", 4 },
	};
	struct store_usages *u = fresh();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(add); i++) {
		struct store_usage r = row(add[i].user, add[i].period, 1);

		assert_int_equal(store_usage_add(u, &r), OK);
		assert_int_equal(store_usage_count(u), add[i].n);
	}
	store_usage_free(u);
}

static void numbers_add_up_and_leave_once(void **state)
{
	struct store_usage r = row("a", "2026-11", 5);
	struct store_usages *u = fresh();
	struct store_batch *b = NULL;

	(void)state;
	r.tx_bytes = 7;
	r.rx_packets = 1;
	r.tx_packets = 2;
	for (int i = 0; i < 3; i++)
		assert_int_equal(store_usage_add(u, &r), OK);
	assert_int_equal(store_usage_take(u, STR_LIT("n"), 9, &b), OK);
	assert_non_null(b);
	assert_int_equal(b->n_usage, 1);
	assert_int_equal(b->epoch, 9);
	assert_int_equal(b->usage[0].rx_bytes, 15);
	assert_int_equal(b->usage[0].tx_bytes, 21);
	assert_int_equal(b->usage[0].rx_packets, 3);
	assert_int_equal(b->usage[0].tx_packets, 6);
	assert_int_equal(b->usage[0].sessions, 3);
	store_batch_free(b);
	assert_int_equal(store_usage_take(u, STR_LIT("n"), 9, &b), OK);
	assert_null(b);
	store_usage_free(u);
}

static void a_batch_is_taken_at_a_time_oldest_first(void **state)
{
	struct store_usages *u = fresh();
	struct store_batch *b = NULL;
	char name[16];

	(void)state;
	for (int i = 0; i < STORE_BATCH_ROWS + 3; i++) {
		struct store_usage r;

		snprintf(name, sizeof name, "u%d", i);
		r = row(name, "2026-11", 1);
		assert_int_equal(store_usage_add(u, &r), OK);
	}
	assert_int_equal(store_usage_take(u, STR_LIT("n"), 1, &b), OK);
	assert_int_equal(b->n_usage, STORE_BATCH_ROWS);
	assert_true(str_eq(b->usage[0].user, STR_LIT("u0")));
	store_batch_free(b);
	assert_int_equal(store_usage_count(u), 3);
	store_usage_free(u);
}

static void it_is_bounded_and_who_is_in_it_goes_on(void **state)
{
	struct store_usages *u = fresh();
	struct store_usage r = row("u0", "2026-11", 1);
	char name[16];

	(void)state;
	for (int i = 0; i < STORE_USAGE_ROWS; i++) {
		snprintf(name, sizeof name, "u%d", i);
		r = row(name, "2026-11", 1);
		assert_int_equal(store_usage_add(u, &r), OK);
	}
	r = row("one more", "2026-11", 1);
	assert_int_equal(store_usage_add(u, &r), ERR_FULL);
	r = row("u17", "2026-11", 1);
	assert_int_equal(store_usage_add(u, &r), OK);
	assert_int_equal(store_usage_count(u), STORE_USAGE_ROWS);
	store_usage_free(u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_is_a_row_for_each_period),
		cmocka_unit_test(numbers_add_up_and_leave_once),
		cmocka_unit_test(a_batch_is_taken_at_a_time_oldest_first),
		cmocka_unit_test(it_is_bounded_and_who_is_in_it_goes_on),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

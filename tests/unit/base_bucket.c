#include "base/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bug.h"

/* Rows of one bucket are walked in order: rate 1000 per second, burst 500. */
static void the_example_of_the_header(void **state)
{
	static const struct {
		tick at;
		uint64_t n;
		bool passes;
	} row[] = {
		{ 0, 500, true },	{ 0, 1, false },       { 1, 1, true },
		{ 1, 1, false },	{ 2, 2, false },       { 3, 2, true },
		{ 503, 501, false },	{ 503, 500, true },    { 503, 1, false },
		{ SEC(99), 500, true }, { SEC(99), 1, false }, { SEC(99), 0, true },
	};
	struct bucket b;

	(void)state;
	bucket_init(&b, 500, 0);
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		if (bucket_take(&b, row[i].n, 1000, 500, row[i].at) != row[i].passes)
			fail_msg("row %zu", i);
	}
}

/* What it says there is can be taken, and no more. */
static void the_level_is_what_can_be_taken(void **state)
{
	static const tick at[] = { 0, 1, 2, 250, 251, SEC(99) };
	struct bucket b;

	(void)state;
	bucket_init(&b, 500, 0);
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		uint64_t n = bucket_level(&b, 1000, 500, at[i]);

		assert_int_equal(n, i == 0 ? 500 : at[i] - at[i - 1] < 500 ? at[i] - at[i - 1] : 500);
		assert_false(bucket_take(&b, n + 1, 1000, 500, at[i]));
		assert_true(bucket_take(&b, n, 1000, 500, at[i]));
	}
}

/* However often it is asked, a second yields the rate, to the token. */
static void nothing_is_lost_to_rounding(void **state)
{
	static const uint64_t rates[] = { 1, 3, 7, 100, 999, 1001, 1500, 1999, 12345 };
	static const tick steps[] = { 1, 2, 3, 7, 13, 50, 333, 999 };

	(void)state;
	for (size_t r = 0; r < ARRAY_LEN(rates); r++) {
		for (size_t s = 0; s < ARRAY_LEN(steps); s++) {
			uint64_t burst = 2 * rates[r], got = 0;
			struct bucket b;

			bucket_init(&b, burst, 0);
			assert_true(bucket_take(&b, burst, rates[r], burst, 0));
			for (tick at = steps[s]; at <= SEC(20); at += steps[s]) {
				while (bucket_take(&b, 1, rates[r], burst, at))
					got++;
			}
			assert_int_equal(got,
					 rates[r] * (SEC(20) / steps[s] * steps[s]) / 1000);
		}
	}
}

static void fills_to_the_burst_and_no_further(void **state)
{
	static const struct {
		uint64_t rate, burst;
		tick full_at; /* from empty */
	} row[] = {
		{ 1, 60, SEC(60) }, /* longer than a few seconds' worth */
		{ 1000, 500, 500 },
		{ 3, 1, 334 },
		{ (uint64_t)1 << 40, (uint64_t)1 << 40, SEC(1) },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct bucket b;

		bucket_init(&b, row[i].burst, 0);
		assert_true(bucket_take(&b, row[i].burst, row[i].rate, row[i].burst, 0));
		assert_false(bucket_take(&b, row[i].burst, row[i].rate, row[i].burst,
					 row[i].full_at - 1));
		assert_true(bucket_take(&b, row[i].burst, row[i].rate, row[i].burst,
					row[i].full_at));
		assert_false(bucket_take(&b, row[i].burst + 1, row[i].rate, row[i].burst,
					 UINT64_MAX));
		assert_true(
			bucket_take(&b, row[i].burst, row[i].rate, row[i].burst, UINT64_MAX));
	}
}

static void rate_zero_never_fills(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 2, 0);
	assert_true(bucket_take(&b, 2, 0, 2, SEC(1)));
	assert_false(bucket_take(&b, 1, 0, 2, SEC(1000000)));
}

static void clock_that_steps_back_gives_nothing(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 10, SEC(100));
	assert_true(bucket_take(&b, 10, 10, 10, SEC(100)));
	assert_false(bucket_take(&b, 1, 10, 10, SEC(50)));
	assert_false(bucket_take(&b, 1, 10, 10, SEC(100)));
	assert_true(bucket_take(&b, 1, 10, 10, SEC(100) + 100));
}

static void giving_back_stops_at_the_burst(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 10, 0);
	assert_true(bucket_take(&b, 4, 0, 10, 0));
	bucket_give(&b, 3, 10);
	assert_false(bucket_take(&b, 10, 0, 10, 0));
	assert_true(bucket_take(&b, 9, 0, 10, 0));
	bucket_give(&b, UINT64_MAX, 10);
	assert_false(bucket_take(&b, 11, 0, 10, 0));
	assert_true(bucket_take(&b, 10, 0, 10, 0));
}

static void smaller_burst_takes_effect_at_once(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 100, 0);
	assert_false(bucket_take(&b, 11, 1, 10, 0));
	assert_true(bucket_take(&b, 10, 1, 10, 0));
	assert_false(bucket_take(&b, 1, 1, 10, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_the_header),
		cmocka_unit_test(the_level_is_what_can_be_taken),
		cmocka_unit_test(nothing_is_lost_to_rounding),
		cmocka_unit_test(fills_to_the_burst_and_no_further),
		cmocka_unit_test(rate_zero_never_fills),
		cmocka_unit_test(clock_that_steps_back_gives_nothing),
		cmocka_unit_test(giving_back_stops_at_the_burst),
		cmocka_unit_test(smaller_burst_takes_effect_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A value lies in the first bucket whose bound it does not exceed. */
static void test_buckets(void **state)
{
	static const struct {
		uint64_t value;
		unsigned bucket;
	} rows[] = {
		{ 0, 0 }, { 1, 0 }, { 2, 1 }, { 5, 1 }, { 6, 2 }, { 10000, 10 }, { 10001, 11 }, { UINT32_MAX, 11 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct histogram all[N_HISTOGRAMS] = { 0 };

		histogram_add(all, HISTOGRAM_setup, rows[i].value);
		for (unsigned b = 0; b <= HISTOGRAM_BOUNDS; b++)
			assert_int_equal(all[HISTOGRAM_setup].bucket[b], b == rows[i].bucket);
		assert_int_equal(all[HISTOGRAM_setup].sum, rows[i].value);
		assert_int_equal(all[HISTOGRAM_delay_up].sum, 0);
	}
}

static void test_bounds_rise(void **state)
{
	(void)state;
	for (unsigned h = 0; h < N_HISTOGRAMS; h++) {
		const uint64_t *b = histogram_bounds((enum histogram_id)h);

		assert_true(histogram_unit((enum histogram_id)h) >= 1);
		for (unsigned i = 1; i < HISTOGRAM_BOUNDS; i++)
			assert_true(b[i] > b[i - 1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_bounds_rise),
	};

	return cmocka_run_group_tests_name("base_histogram", tests, NULL, NULL);
}

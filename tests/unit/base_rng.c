#include "base/rng.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bug.h"

static void same_seed_repeats_another_differs(void **state)
{
	uint8_t a[1000], b[1000], c[1000];
	struct rng r;

	(void)state;
	rng_init_seeded(&r, 7);
	rng_bytes(&r, a, sizeof a);
	rng_init_seeded(&r, 7);
	rng_bytes(&r, b, sizeof b);
	rng_init_seeded(&r, 8);
	rng_bytes(&r, c, sizeof c);
	assert_memory_equal(a, b, sizeof a);
	assert_memory_not_equal(a, c, sizeof a);
}

static void pieces_give_the_same_stream_as_one_draw(void **state)
{
	static const size_t piece[] = { 1, 3, 4, 8, 255, 256, 257, 0, 216 };
	uint8_t whole[1000], parts[1000];
	size_t off = 0;
	struct rng r;

	(void)state;
	rng_init_seeded(&r, 7);
	rng_bytes(&r, whole, sizeof whole);
	rng_init_seeded(&r, 7);
	for (size_t i = 0; i < ARRAY_LEN(piece); i++) {
		rng_bytes(&r, parts + off, piece[i]);
		off += piece[i];
	}
	assert_int_equal(off, sizeof parts);
	assert_memory_equal(whole, parts, sizeof whole);
}

static void system_generator_does_not_repeat(void **state)
{
	uint8_t a[600], b[600];
	struct rng r, s;

	(void)state;
	rng_init(&r);
	rng_init(&s);
	rng_bytes(&r, a, sizeof a);
	rng_bytes(&s, b, sizeof b);
	assert_memory_not_equal(a, b, 256);
	assert_memory_not_equal(a, a + 256, 256); /* the pool is filled anew */
	assert_memory_not_equal(a + 88, b + 88, 512);
	assert_true(rng_u64(&r) != rng_u64(&r));
}

static void bytes_handed_out_are_wiped_from_the_pool(void **state)
{
	static const uint8_t zero[256];
	uint8_t out[256];
	struct rng r;

	(void)state;
	rng_init(&r);
	assert_memory_not_equal(r.pool, zero, 100);
	rng_bytes(&r, out, 100);
	assert_int_equal(r.left, 156);
	assert_memory_equal(r.pool, zero, 100);
	rng_bytes(&r, out, 156);
	assert_memory_equal(r.pool, zero, 256);
	assert_memory_not_equal(out, zero, 156);
}

static void below_stays_below_and_reaches_all(void **state)
{
	static const uint32_t n[] = { 1, 2, 3, 7, 100, 64512 };
	struct rng r;

	(void)state;
	rng_init_seeded(&r, 3);
	for (size_t i = 0; i < ARRAY_LEN(n); i++) {
		uint32_t lowest = UINT32_MAX, highest = 0;

		for (int k = 0; k < 20000; k++) {
			uint32_t v = rng_below(&r, n[i]);

			assert_true(v < n[i]);
			lowest = v < lowest ? v : lowest;
			highest = v > highest ? v : highest;
		}
		assert_true(lowest <= n[i] / 1000);
		assert_true(highest >= n[i] - 1 - n[i] / 1000);
	}
	for (int k = 0; k < 1000; k++)
		assert_true(rng_below(&r, UINT32_MAX) < UINT32_MAX);
}

/* 2^32 holds 3 * 2^30 once and a third: without redrawing, a third of the results (the lowest,
 * or every third one, by the way of scaling) would come twice as often. Each third of the range
 * and each remainder mod 3 must have its share, within 5 deviations (the seed is fixed). */
static void below_is_uniform_where_a_plain_remainder_is_not(void **state)
{
	enum { DRAWS = 90000, SHARE = DRAWS / 3, SLACK = 710 };
	const uint32_t n = 3u << 30;
	int third[3] = { 0 }, rest[3] = { 0 };
	struct rng r;

	(void)state;
	rng_init_seeded(&r, 11);
	for (int k = 0; k < DRAWS; k++) {
		uint32_t v = rng_below(&r, n);

		third[v >> 30]++;
		rest[v % 3]++;
	}
	for (int i = 0; i < 3; i++) {
		assert_in_range(third[i], SHARE - SLACK, SHARE + SLACK);
		assert_in_range(rest[i], SHARE - SLACK, SHARE + SLACK);
	}
}

static void every_bit_is_set_half_of_the_time(void **state)
{
	enum { DRAWS = 10000, SLACK = 300 }; /* 6 standard deviations */
	int set[64] = { 0 };
	struct rng r;

	(void)state;
	rng_init_seeded(&r, 5);
	for (int k = 0; k < DRAWS; k++) {
		uint64_t v = (uint64_t)rng_u32(&r) << 32 | (uint32_t)rng_u64(&r);

		for (int i = 0; i < 64; i++)
			set[i] += v >> i & 1;
	}
	for (int i = 0; i < 64; i++)
		assert_in_range(set[i], DRAWS / 2 - SLACK, DRAWS / 2 + SLACK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_seed_repeats_another_differs),
		cmocka_unit_test(pieces_give_the_same_stream_as_one_draw),
		cmocka_unit_test(system_generator_does_not_repeat),
		cmocka_unit_test(bytes_handed_out_are_wiped_from_the_pool),
		cmocka_unit_test(below_stays_below_and_reaches_all),
		cmocka_unit_test(below_is_uniform_where_a_plain_remainder_is_not),
		cmocka_unit_test(every_bit_is_set_half_of_the_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

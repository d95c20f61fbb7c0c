#include "base/rd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void reads_in_network_order(void **state)
{
	static const uint8_t b[] = { 0x01, 0x02, 0x03, 0x84, 0x05, 0x06, 0x07, 'a', 'b' };
	struct rd r = rd_init(b, sizeof b);
	struct str s;

	(void)state;
	assert_int_equal(rd_u8(&r), 0x01);
	assert_int_equal(rd_u16(&r), 0x0203);
	assert_int_equal(rd_u32(&r), 0x84050607);
	assert_int_equal(rd_left(&r), 2);
	assert_false(rd_exact(&r));
	s = rd_str(&r, 2);
	assert_true(str_eq(s, STR_LIT("ab")));
	assert_true(rd_exact(&r));
}

/* For each width: all lengths below it fail, its own length does not. */
static void fails_one_byte_short_and_not_at_the_edge(void **state)
{
	static const uint8_t ff[4] = { 0xff, 0xff, 0xff, 0xff };

	(void)state;
	for (size_t len = 0; len <= 4; len++) {
		struct rd r8 = rd_init(ff, len), r16 = r8, r32 = r8, take = r8;

		assert_int_equal(rd_u8(&r8), len >= 1 ? 0xff : 0);
		assert_int_equal(rd_ok(&r8), len >= 1);
		assert_int_equal(rd_u16(&r16), len >= 2 ? 0xffff : 0);
		assert_int_equal(rd_ok(&r16), len >= 2);
		assert_int_equal(rd_u32(&r32), len >= 4 ? 0xffffffff : 0);
		assert_int_equal(rd_ok(&r32), len >= 4);
		assert_int_equal(rd_take(&take, 3) != NULL, len >= 3);
		assert_int_equal(rd_ok(&take), len >= 3);
	}
}

static void first_error_sticks_and_later_reads_give_zero(void **state)
{
	static const uint8_t b[] = { 1, 2, 3 };
	struct rd r = rd_init(b, sizeof b);

	(void)state;
	assert_int_equal(rd_u32(&r), 0);
	assert_int_equal(rd_u8(&r), 0); /* a byte would have been there */
	assert_int_equal(rd_left(&r), 0);
	assert_null(rd_take(&r, 0));
	assert_null(rd_str(&r, 1).p);
	assert_false(rd_ok(&r));
	assert_false(rd_exact(&r));
}

static void length_near_the_top_of_size_t_is_refused(void **state)
{
	static const uint8_t b[8];
	struct rd r = rd_init(b, sizeof b);

	(void)state;
	rd_u8(&r);
	assert_null(rd_take(&r, SIZE_MAX));
	assert_false(rd_ok(&r));
}

static void sub_cursor_cannot_see_past_its_value(void **state)
{
	static const uint8_t b[] = { 1, 2, 3, 4, 5 };
	struct rd r = rd_init(b, sizeof b);
	struct rd sub = rd_sub(&r, 2);

	(void)state;
	assert_int_equal(rd_u8(&sub), 1);
	assert_int_equal(rd_u16(&sub), 0);
	assert_false(rd_ok(&sub));
	assert_true(rd_ok(&r)); /* its fault stays its own */
	assert_int_equal(rd_u8(&r), 3);
}

static void sub_cursor_longer_than_the_rest_is_bad_in_both(void **state)
{
	static const uint8_t b[] = { 1, 2 };
	struct rd r = rd_init(b, sizeof b);
	struct rd sub = rd_sub(&r, 3);

	(void)state;
	assert_false(rd_ok(&sub));
	assert_int_equal(rd_left(&sub), 0);
	assert_false(rd_ok(&r));
}

static void empty_sub_cursor_is_exact(void **state)
{
	static const uint8_t b[] = { 1 };
	struct rd r = rd_init(b, sizeof b);
	struct rd sub = rd_sub(&r, 0);

	(void)state;
	assert_true(rd_exact(&sub));
	assert_int_equal(rd_left(&r), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_in_network_order),
		cmocka_unit_test(fails_one_byte_short_and_not_at_the_edge),
		cmocka_unit_test(first_error_sticks_and_later_reads_give_zero),
		cmocka_unit_test(length_near_the_top_of_size_t_is_refused),
		cmocka_unit_test(sub_cursor_cannot_see_past_its_value),
		cmocka_unit_test(sub_cursor_longer_than_the_rest_is_bad_in_both),
		cmocka_unit_test(empty_sub_cursor_is_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

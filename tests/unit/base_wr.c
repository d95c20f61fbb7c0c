#include "base/wr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void writes_in_network_order(void **state)
{
	static const uint8_t want[] = { 1, 2, 3, 0x84, 5, 6, 7, 'a', 'b', 0, 0 };
	uint8_t b[sizeof want];
	struct wr w = wr_init(b, sizeof b);

	(void)state;
	memset(b, 0xee, sizeof b);
	wr_u8(&w, 1);
	wr_u16(&w, 0x0203);
	wr_u32(&w, 0x84050607);
	wr_bytes(&w, "ab", 2);
	wr_zero(&w, 2);
	assert_false(w.bad);
	assert_int_equal(wr_len(&w), sizeof want);
	assert_memory_equal(b, want, sizeof want);
}

/* Every kind of write into every room: whole or not at all, and never past the end. */
static void what_does_not_fit_writes_nothing(void **state)
{
	(void)state;
	for (size_t room = 0; room <= 5; room++) {
		for (int kind = 0; kind < 5; kind++) {
			static const size_t need[] = { 1, 2, 4, 3, 5 };
			uint8_t b[8];
			struct wr w = wr_init(b, room);
			bool fits = need[kind] <= room;

			memset(b, 0xee, sizeof b);
			switch (kind) {
			case 0:
				wr_u8(&w, 0);
				break;
			case 1:
				wr_u16(&w, 0);
				break;
			case 2:
				wr_u32(&w, 0);
				break;
			case 3:
				wr_bytes(&w, "\0\0\0", 3);
				break;
			case 4:
				wr_zero(&w, 5);
				break;
			}
			assert_int_equal(w.bad, !fits);
			assert_int_equal(wr_len(&w), fits ? need[kind] : 0);
			for (size_t i = 0; i < sizeof b; i++)
				assert_int_equal(b[i], fits && i < need[kind] ? 0 : 0xee);
		}
	}
}

static void after_an_error_nothing_more_is_written(void **state)
{
	uint8_t b[3] = { 0xee, 0xee, 0xee };
	struct wr w = wr_init(b, sizeof b);

	(void)state;
	wr_u32(&w, 0);
	wr_u8(&w, 0); /* would fit */
	wr_zero(&w, 0);
	assert_null(wr_room(&w, 0));
	assert_true(w.bad);
	assert_int_equal(wr_len(&w), 0);
	assert_int_equal(b[0], 0xee);
}

static void length_near_the_top_of_size_t_is_refused(void **state)
{
	uint8_t b[8];
	struct wr w = wr_init(b, sizeof b);

	(void)state;
	wr_u8(&w, 1);
	assert_null(wr_room(&w, SIZE_MAX));
	assert_true(w.bad);
}

static void patches_only_what_was_written(void **state)
{
	uint8_t b[6] = { 0 };
	struct wr w = wr_init(b, sizeof b);

	(void)state;
	wr_zero(&w, 4);
	wr_patch16(&w, 2, 0x0102);
	assert_int_equal(b[2], 1);
	assert_int_equal(b[3], 2);
	wr_patch16(&w, 3, 0xffff); /* one byte of it lies beyond */
	assert_int_equal(b[3], 2);
	assert_int_equal(b[4], 0);
	w.bad = true;
	wr_patch16(&w, 0, 0xffff);
	assert_int_equal(b[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_in_network_order),
		cmocka_unit_test(what_does_not_fit_writes_nothing),
		cmocka_unit_test(after_an_error_nothing_more_is_written),
		cmocka_unit_test(length_near_the_top_of_size_t_is_refused),
		cmocka_unit_test(patches_only_what_was_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

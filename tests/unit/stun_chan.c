/* src/stun/chan.h and src/stun/demux.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bug.h"
#include "stun/chan.h"
#include "stun/demux.h"

static void test_channel_data(void **state)
{
	static const struct {
		const char *why;
		uint8_t p[8];
		size_t len;
		bool ok;
		size_t n;
	} row[] = {
		{ "exact", { 0x40, 0x01, 0, 4, 1, 2, 3, 4 }, 8, true, 4 },
		{ "padded", { 0x40, 0x01, 0, 1, 1, 0, 0, 0 }, 8, true, 1 },
		{ "empty", { 0x40, 0x01, 0, 0 }, 4, true, 0 },
		{ "empty with padding", { 0x40, 0x01, 0, 0, 9 }, 8, true, 0 },
		{ "shorter than it claims", { 0x40, 0x01, 0, 4, 1, 2, 3 }, 7, false, 0 },
		{ "nothing of what it claims", { 0x40, 0x01, 0xFF, 0xFF }, 4, false, 0 },
		{ "cut header", { 0x40, 0x01, 0 }, 3, false, 0 },
		{ "one byte", { 0x40 }, 1, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		/* so that a sanitizer sees a read behind it */
		uint8_t *exact = malloc(row[i].len);
		struct stun_chan c;

		assert_non_null(exact);
		memcpy(exact, row[i].p, row[i].len);
		if (stun_chan_decode(exact, row[i].len, &c) != row[i].ok)
			fail_msg("%s", row[i].why);
		if (row[i].ok) {
			assert_int_equal(c.number, 0x4001);
			assert_int_equal(c.data.len, row[i].n);
			assert_ptr_equal(c.data.p, exact + STUN_CHAN_HEADER_LEN);
		}
		free(exact);
	}
}

static void test_header(void **state)
{
	uint8_t out[STUN_CHAN_HEADER_LEN];

	(void)state;
	stun_chan_header(out, 0x4FFE, 0x1234);
	assert_memory_equal(out, "\x4F\xFE\x12\x34", sizeof out);
}

/* RFC 7983 s.7, with RFC 8656's channels, and RFC 5766's when asked */
static void test_demux(void **state)
{
	(void)state;
	for (unsigned b = 0; b < 256; b++) {
		enum stun_kind want = STUN_KIND_JUNK, wide;

		if (b <= 3)
			want = STUN_KIND_MSG;
		else if (b >= 20 && b <= 63)
			want = STUN_KIND_DTLS;
		else if (b >= 64 && b <= 79)
			want = STUN_KIND_CHANNEL;
		wide = b >= 80 && b <= 127 ? STUN_KIND_CHANNEL : want;
		assert_int_equal(stun_demux((uint8_t)b, false), want);
		assert_int_equal(stun_demux((uint8_t)b, true), wide);
	}
	assert_int_equal(stun_demux(STUN_CHAN_MAX >> 8, false), STUN_KIND_CHANNEL);
	assert_int_equal(stun_demux(STUN_CHAN_MAX_5766 >> 8, true), STUN_KIND_CHANNEL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_channel_data),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_demux),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

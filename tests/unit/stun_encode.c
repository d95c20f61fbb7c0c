/* src/stun/encode.c: the bytes of each kind of attribute, and what does not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bug.h"
#include "stun/msg.h"

static const uint8_t txid[STUN_TXID_LEN] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
static uint8_t big[STUN_HEADER_LEN + 65536];

static void test_type(void **state)
{
	static const struct {
		uint16_t method;
		enum stun_class class;
		uint16_t want;
	} row[] = {
		{ STUN_BINDING, STUN_REQUEST, 0x0001 },
		{ STUN_BINDING, STUN_INDICATION, 0x0011 },
		{ STUN_BINDING, STUN_SUCCESS, 0x0101 },
		{ STUN_BINDING, STUN_ERROR, 0x0111 },
		{ STUN_ALLOCATE, STUN_ERROR, 0x0113 },
		{ STUN_SEND, STUN_INDICATION, 0x0016 },
		{ STUN_DATA, STUN_INDICATION, 0x0017 },
		{ STUN_CHANNEL_BIND, STUN_SUCCESS, 0x0109 },
		{ 0x010, STUN_REQUEST, 0x0020 },
		{ 0x080, STUN_REQUEST, 0x0200 },
		{ 0xFFF, STUN_REQUEST, 0x3EEF },
		{ 0xFFF, STUN_ERROR, 0x3FFF },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		assert_int_equal(stun_type(row[i].method, row[i].class), row[i].want);
}

/* One attribute written by `add` must be exactly these bytes behind a header with their length. */
static void expect(const struct wr *w, const void *want, size_t n)
{
	assert_false(w->bad);
	assert_int_equal(wr_len(w), STUN_HEADER_LEN + n);
	assert_int_equal(w->start[2] << 8 | w->start[3], n);
	if (n)
		assert_memory_equal(w->start + STUN_HEADER_LEN, want, n);
}

static void begin(struct wr *w)
{
	memset(big, 0xEE, 256); /* what padding must overwrite */
	*w = wr_init(big, sizeof big);
	stun_begin(w, STUN_ERROR, STUN_ALLOCATE, txid);
}

static void test_header(void **state)
{
	static const uint8_t want[] = { 0x01, 0x13, 0, 0, 0x21, 0x12, 0xA4, 0x42 };
	struct wr w;

	(void)state;
	begin(&w);
	expect(&w, "", 0);
	assert_memory_equal(big, want, sizeof want);
	assert_memory_equal(big + 8, txid, sizeof txid);
}

static void test_padding_is_zero(void **state)
{
	static const struct {
		const char *value, *want;
		size_t n;
	} row[] = {
		{ "", "\0\6\0\0", 4 },	       { "a", "\0\6\0\1a\0\0", 8 },
		{ "ab", "\0\6\0\2ab\0", 8 },   { "abc", "\0\6\0\3abc", 8 },
		{ "abcd", "\0\6\0\4abcd", 8 }, { "abcde", "\0\6\0\5abcde\0\0", 12 },
	};
	struct wr w;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		begin(&w);
		stun_add_str(&w, STUN_T_USERNAME, str_of(row[i].value));
		expect(&w, row[i].want, row[i].n);
	}
	begin(&w);
	stun_add(&w, STUN_T_DONT_FRAGMENT, NULL, 0);
	expect(&w, "\x00\x1A\0\0", 4);
}

static void test_each_kind(void **state)
{
	static const uint16_t unknown[] = { 0x0024, 0x7FFF, 0x0001 };
	struct wr w;

	(void)state;
	begin(&w);
	stun_add_u32(&w, STUN_T_LIFETIME, 0x12345678);
	expect(&w, "\x00\x0D\x00\x04\x12\x34\x56\x78", 8);
	begin(&w);
	stun_add_error(&w, 438, STR_LIT("Stale"));
	expect(&w, "\x00\x09\x00\x09\x00\x00\x04\x26Stale\0\0", 16);
	begin(&w);
	stun_add_error(&w, 300, STR_LIT(""));
	expect(&w, "\x00\x09\x00\x04\x00\x00\x03\x00", 8);
	begin(&w);
	stun_add_error(&w, 699, (struct str){ NULL, 0 });
	expect(&w, "\x00\x09\x00\x04\x00\x00\x06\x63", 8);
	begin(&w);
	stun_add_address_error(&w, ADDR_V6, 440, STR_LIT("no"));
	expect(&w, "\x80\x01\x00\x06\x02\x00\x04\x28no\0", 12);
	begin(&w);
	stun_add_address_error(&w, ADDR_V4, 508, STR_LIT(""));
	expect(&w, "\x80\x01\x00\x04\x01\x00\x05\x08", 8);
	begin(&w);
	stun_add_unknown(&w, unknown, ARRAY_LEN(unknown));
	expect(&w, "\x00\x0A\x00\x06\x00\x24\x7F\xFF\x00\x01\0", 12);
	begin(&w);
	stun_add_unknown(&w, NULL, 0);
	expect(&w, "\x00\x0A\x00\x00", 4);
	begin(&w);
	stun_add_icmp(&w, 3, 4, 1500);
	expect(&w, "\x80\x04\x00\x08\x00\x00\x03\x04\x00\x00\x05\xDC", 12);
}

/* What does not fit is left out whole; the writer says so, and stays bad. */
static void test_no_room(void **state)
{
	uint8_t buf[STUN_HEADER_LEN + 12];

	(void)state;
	for (size_t cap = 0; cap <= sizeof buf; cap++) {
		struct wr w = wr_init(buf, cap);

		stun_begin(&w, STUN_REQUEST, STUN_BINDING, txid);
		assert_int_equal(w.bad, cap < STUN_HEADER_LEN);
		stun_add_str(&w, STUN_T_NONCE,
			     STR_LIT("12345")); /* 12 with header and padding */
		assert_int_equal(w.bad, cap < sizeof buf);
		stun_add(&w, STUN_T_DONT_FRAGMENT, NULL, 0);
		assert_true(w.bad);
		stun_add_u32(&w, STUN_T_LIFETIME, 1);
		stun_add_error(&w, 400, STR_LIT(""));
		stun_add_unknown(&w, NULL, 0);
		stun_add_icmp(&w, 0, 0, 0);
		stun_add_fingerprint(&w);
		assert_true(w.bad);
		assert_in_range(wr_len(&w), 0, cap);
	}
}

/* The length field has 16 bits: memory that could hold more does not make it wrap. */
static void test_longest_message(void **state)
{
	static uint8_t value[65536];
	struct stun_msg m;
	struct wr w;

	(void)state;
	begin(&w);
	stun_add(&w, STUN_T_DATA, value, 65528);
	assert_false(w.bad);
	assert_int_equal(stun_decode(big, wr_len(&w), &m), OK);
	assert_int_equal(m.data.len, 65528);
	stun_add(&w, STUN_T_DONT_FRAGMENT, NULL, 0);
	assert_true(w.bad);
	for (size_t n = 65529; n <= sizeof value; n++) {
		begin(&w);
		stun_add(&w, STUN_T_DATA, value, n);
		assert_true(w.bad);
		assert_int_equal(big[2] << 8 | big[3], 0);
	}
	begin(&w);
	stun_add(&w, STUN_T_DATA, value, SIZE_MAX - 2); /* would wrap when padded */
	assert_true(w.bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_type),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_padding_is_zero),
		cmocka_unit_test(test_each_kind),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_longest_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Messages out of a byte stream: however it was cut, the same ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bug.h"
#include "base/wr.h"
#include "stun/chan.h"
#include "stun/frame.h"
#include "stun/msg.h"

enum { N_SCRIPT = 20, SCRIPT_ROOM = 8192 };

/* What a client says in a while: requests of any size, data of every padding, empty ones. A type below
 * 0x4000 is a message's, else a channel's number. */
static const struct {
	uint16_t type, len;
} script[N_SCRIPT] = {
	{ 0x0001, 0 },	   { 0x0003, 8 },    { 0x0003, 120 }, { 0x0008, 96 },	{ 0x0009, 100 },
	{ 0x4000, 160 },   { 0x4000, 161 },  { 0x4001, 162 }, { 0x4FFF, 163 },	{ 0x4000, 0 },
	{ 0x0016, 1208 },  { 0x4000, 1 },    { 0x4000, 2 },   { 0x4000, 3 },	{ 0x0004, 12 },
	{ 0x4ABC, 1199 },  { 0x4ABC, 1200 }, { 0x0011, 0 },   { 0x4ABC, 65 },	{ 0x0004, 8 },
};

struct stream {
	uint8_t bytes[SCRIPT_ROOM];
	size_t len;
	size_t begin[N_SCRIPT + 1]; /* of each message, and the end */
	size_t len_msg[N_SCRIPT];
};

static size_t put(struct wr *w, uint16_t type, uint16_t len)
{
	size_t n;

	wr_u16(w, type);
	wr_u16(w, len);
	if (type < STUN_CHAN_MIN)
		wr_u32(w, STUN_COOKIE);
	n = type < STUN_CHAN_MIN ? STUN_TXID_LEN + (size_t)len : len;
	for (size_t i = 0; i < n; i++)
		wr_u8(w, (uint8_t)(type + i));
	n = wr_len(w);
	while (wr_len(w) % 4)
		wr_u8(w, 0xEE); /* padding may be anything */
	return n;
}

static void stream_init(struct stream *s)
{
	struct wr w = wr_init(s->bytes, sizeof s->bytes);

	for (size_t i = 0; i < N_SCRIPT; i++) {
		s->begin[i] = wr_len(&w);
		s->len_msg[i] = put(&w, script[i].type, script[i].len) - s->begin[i];
	}
	assert_false(w.bad);
	s->len = s->begin[N_SCRIPT] = wr_len(&w);
}

/* From memory of exactly that size, so that a sanitizer sees a look behind it. */
static enum stun_frame next(const uint8_t *p, size_t len, size_t *len_msg, size_t *len_all)
{
	uint8_t *exact = malloc(len ? len : 1);
	enum stun_frame f;

	assert_non_null(exact);
	if (len)
		memcpy(exact, p, len);
	f = stun_frame_next(exact, len, len_msg, len_all);
	free(exact);
	return f;
}

/* Takes what is whole of s->bytes[from .. to), the next message being number *i; returns how far it came. */
static size_t take(const struct stream *s, size_t from, size_t to, size_t *i)
{
	size_t len_msg, len_all;

	for (;;) {
		enum stun_frame f = next(s->bytes + from, to - from, &len_msg, &len_all);

		assert_int_not_equal(f, STUN_FRAME_BAD);
		if (f == STUN_FRAME_MORE)
			return from;
		assert_true(*i < N_SCRIPT);
		assert_int_equal(from, s->begin[*i]);
		assert_int_equal(len_msg, s->len_msg[*i]);
		assert_int_equal(len_all, s->begin[*i + 1] - s->begin[*i]);
		from += len_all;
		++*i;
	}
}

static void all_at_once(void **state)
{
	struct stream s;
	size_t i = 0;

	(void)state;
	stream_init(&s);
	assert_int_equal(take(&s, 0, s.len, &i), s.len);
	assert_int_equal(i, N_SCRIPT);
}

static void in_two_parts_cut_anywhere(void **state)
{
	struct stream s;

	(void)state;
	stream_init(&s);
	for (size_t cut = 0; cut <= s.len; cut++) {
		size_t i = 0, at = take(&s, 0, cut, &i);

		/* each message that is there, and none that is not */
		assert_true(s.begin[i] <= cut);
		assert_true(i == N_SCRIPT || s.begin[i + 1] > cut);
		assert_int_equal(take(&s, at, s.len, &i), s.len);
		assert_int_equal(i, N_SCRIPT);
	}
}

static void one_byte_at_a_time(void **state)
{
	struct stream s;
	size_t i = 0, at = 0;

	(void)state;
	stream_init(&s);
	for (size_t n = 1; n <= s.len; n++) {
		at = take(&s, at, n, &i);
		assert_int_equal(at, s.begin[i]);
		assert_true(i == N_SCRIPT || n < s.begin[i + 1]);
	}
	assert_int_equal(i, N_SCRIPT);
}

/* RFC 8656 s.12.5: over a stream padding is not optional, and does not count in the length. */
static void channel_data_is_whole_with_its_padding(void **state)
{
	uint8_t bytes[16] = { 0x40, 0x01, 0, 0 };
	size_t len_msg, len_all;

	(void)state;
	for (uint8_t n = 0; n <= 8; n++) {
		size_t padded = 4 + (n + 3u) / 4 * 4;

		bytes[3] = n;
		for (size_t have = 0; have < padded; have++)
			assert_int_equal(next(bytes, have, &len_msg, &len_all), STUN_FRAME_MORE);
		for (size_t have = padded; have <= sizeof bytes; have++) {
			assert_int_equal(next(bytes, have, &len_msg, &len_all), STUN_FRAME_WHOLE);
			assert_int_equal(len_msg, 4 + n);
			assert_int_equal(len_all, padded);
		}
	}
}

static void the_largest_fit_the_bound(void **state)
{
	static const struct {
		uint16_t type, len;
		size_t len_msg, len_all;
	} row[] = {
		{ 0x0016, 65532, 65552, 65552 }, /* the longest that is a multiple of four */
		{ 0x4000, 65535, 65539, 65540 },
		{ 0x4000, 65533, 65537, 65540 },
		{ 0x4000, 65532, 65536, 65536 },
	};
	uint8_t *bytes = malloc(STUN_FRAME_MAX + 4);
	size_t len_msg, len_all;

	(void)state;
	assert_non_null(bytes);
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct wr w = wr_init(bytes, STUN_FRAME_MAX + 4);

		put(&w, row[i].type, row[i].len);
		assert_int_equal(wr_len(&w), row[i].len_all);
		assert_true(wr_len(&w) <= STUN_FRAME_MAX);
		assert_int_equal(next(bytes, wr_len(&w) - 1, &len_msg, &len_all), STUN_FRAME_MORE);
		assert_int_equal(next(bytes, wr_len(&w), &len_msg, &len_all), STUN_FRAME_WHOLE);
		assert_int_equal(len_msg, row[i].len_msg);
		assert_int_equal(len_all, row[i].len_all);
	}
	free(bytes);
}

/* A lie ends the connection as soon as it can be seen, not when all that it promised has come. */
static void lies_are_seen_early(void **state)
{
	static const struct {
		const char *why;
		uint8_t p[8];
		size_t more; /* bytes with which it may still become one */
	} row[] = {
		{ "length 1", { 0, 1, 0, 1, 0x21, 0x12, 0xA4, 0x42 }, 3 },
		{ "length 2", { 0, 1, 0, 2, 0x21, 0x12, 0xA4, 0x42 }, 3 },
		{ "length 65535", { 0, 1, 0xFF, 0xFF, 0x21, 0x12, 0xA4, 0x42 }, 3 },
		{ "no cookie (RFC 3489)", { 0, 1, 0, 0, 1, 2, 3, 4 }, 7 },
		{ "cookie's last byte", { 0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x43 }, 7 },
		{ "cookie's first byte", { 3, 0xFF, 0xFF, 0xFC, 0x20, 0x12, 0xA4, 0x42 }, 7 },
		{ "zeros", { 0 }, 7 },
	};
	size_t len_msg, len_all;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		for (size_t n = 1; n <= sizeof row[i].p; n++) {
			enum stun_frame want = n <= row[i].more ? STUN_FRAME_MORE : STUN_FRAME_BAD;

			if (next(row[i].p, n, &len_msg, &len_all) != want)
				fail_msg("%s, the first %zu bytes", row[i].why, n);
		}
}

/* Below 0x40 a message, from there on data, whoever may want it. */
static void the_first_byte_decides(void **state)
{
	uint8_t p[20] = { 0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42 };
	size_t len_msg, len_all;

	(void)state;
	for (unsigned first = 0; first < 256; first++) {
		p[0] = (uint8_t)first;
		assert_int_equal(next(p, 1, &len_msg, &len_all), STUN_FRAME_MORE);
		assert_int_equal(next(p, sizeof p, &len_msg, &len_all), STUN_FRAME_WHOLE);
		assert_int_equal(len_all, first < 0x40 ? sizeof p : 4);
	}
	assert_int_equal(next(NULL, 0, &len_msg, &len_all), STUN_FRAME_MORE);
}

/* RFC 8656 s.12.6: data with such a number is to be dropped, and what follows it is not. */
static void reserved_channel_numbers_are_cut_out(void **state)
{
	static const uint8_t lead[] = { 0x50, 0x7F, 0x80, 0xFF };
	size_t len_msg, len_all;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lead); i++) {
		const uint8_t p[8] = { lead[i], 0xFE, 0, 2, 'h', 'i' };

		assert_int_equal(next(p, sizeof p, &len_msg, &len_all), STUN_FRAME_WHOLE);
		assert_int_equal(len_msg, 6);
		assert_int_equal(len_all, 8);
	}
}

/* Other protocols. What begins with a letter looks like the long data of a channel: it is for whoever knows
 * that no channel can be bound yet to say no. */
static void others_that_come_by(void **state)
{
	static const struct {
		struct str said;
		enum stun_frame f;
	} row[] = {
		{ STR_LIT("SSH-2.0-OpenSSH_9.6\r\n"), STUN_FRAME_MORE },
		{ STR_LIT("\x16\x03\x01\x02\0\1\0\1\xFC\x03\x03"), STUN_FRAME_BAD }, /* TLS */
		{ STR_LIT("\x15\x03\x01\0\2\2\x46"), STUN_FRAME_MORE },
		{ STR_LIT("\x80\x2E\1\3\1"), STUN_FRAME_MORE }, /* SSL 2 */
		{ STR_LIT("PROXY TCP4 192.0.2.7"), STUN_FRAME_MORE },
		{ STR_LIT("\r\n\r\n\0\r\nQUIT\n"), STUN_FRAME_BAD },
		{ STR_LIT("PRI * HTTP/2.0\r\n"), STUN_FRAME_MORE },
		{ STR_LIT("POST / HTTP/1.1\r\n"), STUN_FRAME_MORE },
		{ STR_LIT("\n\n\n\n\n\n\n\n"), STUN_FRAME_BAD },
		{ STR_LIT("\xFF\xFF\xFF\xFF"), STUN_FRAME_MORE },
		{ STR_LIT("\x05\1\0"), STUN_FRAME_MORE }, /* SOCKS */
		{ STR_LIT("\3\0\0\x13\x0E\xE0\0\0"), STUN_FRAME_BAD }, /* RDP */
		{ STR_LIT("GET / HTTP/1.1\r\n"), STUN_FRAME_MORE },
		{ STR_LIT("HEAD / HTTP/1.1\r\n"), STUN_FRAME_MORE },
	};
	size_t len_msg, len_all;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		const uint8_t *p = (const uint8_t *)row[i].said.p;

		if (next(p, row[i].said.len, &len_msg, &len_all) != row[i].f)
			fail_msg("row %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_at_once),
		cmocka_unit_test(in_two_parts_cut_anywhere),
		cmocka_unit_test(one_byte_at_a_time),
		cmocka_unit_test(channel_data_is_whole_with_its_padding),
		cmocka_unit_test(the_largest_fit_the_bound),
		cmocka_unit_test(lies_are_seen_early),
		cmocka_unit_test(the_first_byte_decides),
		cmocka_unit_test(reserved_channel_numbers_are_cut_out),
		cmocka_unit_test(others_that_come_by),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

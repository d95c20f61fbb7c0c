/* src/stun/decode.c: what is a message, what its attributes mean, and what is ignored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../data/stun_vectors.h"
#include "base/bug.h"
#include "stun/msg.h"

static const uint8_t txid[STUN_TXID_LEN] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
static uint8_t big[STUN_HEADER_LEN + 65536];

static void begin(struct wr *w)
{
	*w = wr_init(big, sizeof big);
	stun_begin(w, STUN_REQUEST, STUN_ALLOCATE, txid);
}

/* Decodes what `w` holds; it must be a message. */
static void decode(const struct wr *w, struct stun_msg *m)
{
	assert_false(w->bad);
	assert_int_equal(stun_decode(w->start, wr_len(w), m), OK);
}

/* A message with one attribute of `len` bytes 'a'. */
static void decode_one(uint16_t type, size_t len, struct stun_msg *m)
{
	static uint8_t fill[65536];
	struct wr w;

	memset(fill, 'a', sizeof fill);
	begin(&w);
	stun_add(&w, type, fill, len);
	decode(&w, m);
}

static void test_header_rules(void **state)
{
	static const struct {
		const char *why;
		uint8_t head[8];
		size_t len;
		enum err want;
	} row[] = {
		{ "a bare header", { 0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42 }, 20, OK },
		{ "first bit set",
		  { 0x80, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42 },
		  20,
		  ERR_MALFORMED },
		{ "second bit set",
		  { 0x40, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42 },
		  20,
		  ERR_MALFORMED },
		{ "wrong cookie", { 0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x43 }, 20, ERR_MALFORMED },
		{ "no cookie, as in RFC 3489", { 0, 1, 0, 0, 0, 0, 0, 0 }, 20, ERR_MALFORMED },
		{ "length too large",
		  { 0, 1, 0, 4, 0x21, 0x12, 0xA4, 0x42 },
		  20,
		  ERR_MALFORMED },
		{ "length too small",
		  { 0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42 },
		  24,
		  ERR_MALFORMED },
		{ "length no multiple of 4",
		  { 0, 1, 0, 2, 0x21, 0x12, 0xA4, 0x42 },
		  22,
		  ERR_MALFORMED },
		{ "an attribute of type 0", { 0, 1, 0, 4, 0x21, 0x12, 0xA4, 0x42 }, 24, OK },
		{ "half an attribute header",
		  { 0, 1, 0, 3, 0x21, 0x12, 0xA4, 0x42 },
		  23,
		  ERR_MALFORMED },
		{ "cut header", { 0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42 }, 19, ERR_MALFORMED },
	};
	struct stun_msg m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		uint8_t buf[24] = { 0 };

		memcpy(buf, row[i].head, 8);
		if (stun_decode(buf, row[i].len, &m) != row[i].want)
			fail_msg("%s", row[i].why);
	}
	assert_int_equal(stun_decode(NULL, 0, &m), ERR_MALFORMED);
}

static void test_class_and_method(void **state)
{
	uint8_t buf[STUN_HEADER_LEN];
	struct stun_msg m;

	(void)state;
	for (unsigned method = 0; method < 0x1000; method++)
		for (int cls = STUN_REQUEST; cls <= STUN_ERROR; cls++) {
			struct wr w = wr_init(buf, sizeof buf);

			stun_begin(&w, (enum stun_class)cls, (uint16_t)method, txid);
			decode(&w, &m);
			assert_int_equal(m.method, method);
			assert_int_equal(m.class, cls);
		}
	assert_memory_equal(m.txid, txid, sizeof txid);
	assert_ptr_equal(m.raw, buf);
	assert_int_equal(m.raw_len, sizeof buf);
}

static void test_rfc5769_fields(void **state)
{
	struct addr v4 = { .ip = { 192, 0, 2, 1 }, .port = 32853, .family = ADDR_V4 };
	uint16_t types[4];
	struct stun_msg m;

	(void)state;
	assert_int_equal(stun_decode(vec_request, sizeof vec_request, &m), OK);
	assert_true(str_eq(m.software, STR_LIT("STUN test client")));
	assert_true(str_eq(m.username, STR_LIT(VEC_USERNAME)));
	/* PRIORITY is ICE's; ICE-CONTROLLED need not be understood */
	assert_int_equal(m.n_unknown, 1);
	assert_int_equal(stun_unknown(&m, types, ARRAY_LEN(types)), 1);
	assert_int_equal(types[0], 0x0024);
	assert_int_equal(stun_decode(vec_ipv4, sizeof vec_ipv4, &m), OK);
	assert_int_equal(m.class, STUN_SUCCESS);
	assert_true(addr_eq(&m.xor_mapped, &v4));
	assert_int_equal(stun_decode(vec_longterm, sizeof vec_longterm, &m), OK);
	assert_true(str_eq(m.username, STR_LIT(VEC_MATRIX)));
	assert_true(str_eq(m.nonce, STR_LIT(VEC_NONCE)));
	assert_true(str_eq(m.realm, STR_LIT(VEC_REALM)));
}

/* Every attribute of the table: lengths inside its bounds are taken, outside only mark it bad. */
static void test_length_bounds(void **state)
{
	static const struct {
		uint16_t type;
		enum stun_attr a;
		size_t min, max;
	} row[] = {
#define ATTR(id, number, min, max, kind, text) { number, STUN_A_##id, min, max },
#include "stun/attr.def"
#undef ATTR
	};
	struct stun_msg m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		uint64_t bit = UINT64_C(1) << row[i].a;

		if (row[i].min > 0) {
			decode_one(row[i].type, row[i].min - 1, &m);
			assert_true(m.present == bit && m.bad == bit);
		}
		if (row[i].max < 65000) {
			decode_one(row[i].type, row[i].max + 1, &m);
			assert_true(m.present == bit && m.bad == bit);
		}
		decode_one(row[i].type, row[i].max < 65000 ? row[i].max : 65000, &m);
		assert_true(m.present == bit);
		assert_int_equal(m.n_unknown, 0);
	}
}

static void test_text_of_763_bytes(void **state)
{
	struct stun_msg m;

	(void)state;
	decode_one(STUN_T_USERNAME, 763, &m);
	assert_int_equal(m.bad, 0);
	assert_int_equal(m.username.len, 763);
	decode_one(STUN_T_USERNAME, 764, &m);
	assert_true(m.bad & STUN_BIT(USERNAME));
	assert_int_equal(m.username.len, 0);
	decode_one(STUN_T_NONCE, 763, &m);
	assert_int_equal(m.nonce.len, 763);
	assert_int_equal(m.bad, 0);
	decode_one(STUN_T_NONCE, 764, &m);
	assert_true(m.bad & STUN_BIT(NONCE));
}

static void test_names_are_utf8(void **state)
{
	static const struct {
		struct str s;
		bool ok;
	} row[] = {
		{ STR_LIT(""), true },
		{ STR_LIT("1700000000:alice"), true },
		{ STR_LIT("\x7f"), true },
		{ STR_LIT("\xc2\x80"), true },	       /* U+0080 */
		{ STR_LIT("\xdf\xbf"), true },	       /* U+07FF */
		{ STR_LIT("\xe0\xa0\x80"), true },     /* U+0800 */
		{ STR_LIT("\xed\x9f\xbf"), true },     /* U+D7FF */
		{ STR_LIT("\xee\x80\x80"), true },     /* U+E000 */
		{ STR_LIT("\xef\xbf\xbf"), true },     /* U+FFFF */
		{ STR_LIT("\xf0\x90\x80\x80"), true }, /* U+10000 */
		{ STR_LIT("\xf4\x8f\xbf\xbf"), true }, /* U+10FFFF */
		{ STR_LIT("a\0b"), false },
		{ STR_LIT("\x80"), false },	/* a tail without a lead */
		{ STR_LIT("\xc0\x80"), false }, /* U+0000 made long */
		{ STR_LIT("\xc1\xbf"), false },
		{ STR_LIT("\xe0\x9f\xbf"), false },	/* U+07FF made long */
		{ STR_LIT("\xed\xa0\x80"), false },	/* a surrogate, U+D800 */
		{ STR_LIT("\xed\xbf\xbf"), false },	/* U+DFFF */
		{ STR_LIT("\xf0\x8f\xbf\xbf"), false }, /* U+FFFF made long */
		{ STR_LIT("\xf4\x90\x80\x80"), false }, /* U+110000 */
		{ STR_LIT("\xf5\x80\x80\x80"), false },
		{ STR_LIT("\xff"), false },
		{ STR_LIT("\xc3"), false }, /* cut sequences */
		{ STR_LIT("\xe2\x82"), false },
		{ STR_LIT("\xf0\x9f\x98"), false },
		{ STR_LIT("\xc3("), false },
		{ STR_LIT("\xe2(\xa1"), false },
		{ STR_LIT("\xf0\x9f(\x80"), false },
	};
	struct stun_msg m;
	struct wr w;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		uint64_t want = STUN_BIT(USERNAME) | STUN_BIT(REALM);

		begin(&w);
		stun_add_str(&w, STUN_T_USERNAME, row[i].s);
		stun_add_str(&w, STUN_T_REALM, row[i].s);
		stun_add_str(&w, STUN_T_SOFTWARE, row[i].s); /* is never judged */
		decode(&w, &m);
		if (m.bad != (row[i].ok ? 0 : want))
			fail_msg("row %zu", i);
		assert_true(str_eq(m.username, row[i].ok ? row[i].s : STR_LIT("")));
		assert_true(str_eq(m.software, row[i].s));
	}
}

/* RFC 8489 s.9.2.2: quotes and trailing NULs are no part of a name. */
static void test_names_are_bare(void **state)
{
	static const struct {
		struct str sent, name;
	} row[] = {
		{ STR_LIT("alice\0"), STR_LIT("alice") },   { STR_LIT("alice\0\0\0"), STR_LIT("alice") },
		{ STR_LIT("\"alice\""), STR_LIT("alice") }, { STR_LIT("\"alice\"\0"), STR_LIT("alice") },
		{ STR_LIT("\"al\"ice"), STR_LIT("\"al\"ice") }, { STR_LIT("\""), STR_LIT("\"") },
		{ STR_LIT("\"\""), STR_LIT("") },	    { STR_LIT("\0"), STR_LIT("") },
	};
	struct stun_msg m;
	struct wr w;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		begin(&w);
		stun_add_str(&w, STUN_T_USERNAME, row[i].sent);
		stun_add_str(&w, STUN_T_REALM, row[i].sent);
		decode(&w, &m);
		assert_int_equal(m.bad, 0);
		assert_true(str_eq(m.username, row[i].name));
		assert_true(str_eq(m.realm, row[i].name));
	}
}

static void test_reserved_bits_are_ignored(void **state)
{
	struct stun_msg m;
	struct wr w;

	(void)state;
	begin(&w);
	stun_add_u32(&w, STUN_T_REQUESTED_TRANSPORT, 0x11ABCDEF);
	stun_add_u32(&w, STUN_T_REQUESTED_ADDRESS_FAMILY, 0x02ABCDEF);
	stun_add_u32(&w, STUN_T_ADDITIONAL_ADDRESS_FAMILY, 0x01ABCDEF);
	stun_add_u32(&w, STUN_T_CHANNEL_NUMBER, 0x4001FFFF);
	stun_add_u32(&w, STUN_T_RESPONSE_PORT, 0x1F90FFFF);
	stun_add(&w, STUN_T_EVEN_PORT, "\x7F", 1);
	/* 21 bits reserved, class 4 */
	stun_add(&w, STUN_T_ERROR_CODE, "\xFF\xFF\xFC\x26Stale", 9);
	stun_add(&w, STUN_T_ICMP, "\xFF\xFF\x03\x04\x00\x00\x05\xDC", 8);
	decode(&w, &m);
	assert_int_equal(m.bad, 0);
	assert_int_equal(m.transport, 17);
	assert_int_equal(m.family, 2);
	assert_int_equal(m.additional_family, 1);
	assert_int_equal(m.channel, 0x4001);
	assert_int_equal(m.response_port, 8080);
	assert_false(m.even_port_reserve);
	assert_int_equal(m.error_code, 438);
	assert_true(str_eq(m.error_reason, STR_LIT("Stale")));
	assert_int_equal(m.icmp, 0x0304);
	assert_int_equal(m.icmp_data, 1500);
	begin(&w);
	stun_add(&w, STUN_T_EVEN_PORT, "\x80", 1);
	decode(&w, &m);
	assert_true(m.even_port_reserve);
}

static void test_additional_family_by_its_draft_number(void **state)
{
	struct stun_msg m;
	struct wr w;

	(void)state;
	begin(&w);
	stun_add_u32(&w, 0x8032, 0x02000000);
	decode(&w, &m);
	assert_true(stun_has(&m, STUN_A_ADDITIONAL_ADDRESS_FAMILY));
	assert_int_equal(m.additional_family, 2);
	assert_int_equal(m.bad, 0);
	/* what has another length is somebody else's, and optional */
	begin(&w);
	stun_add(&w, 0x8032, "a host name", 11);
	decode(&w, &m);
	assert_int_equal(m.present, 0);
	assert_int_equal(m.n_unknown, 0);
}

static void test_numbers_and_bytes(void **state)
{
	struct stun_msg m;
	struct wr w;

	(void)state;
	begin(&w);
	stun_add_u32(&w, STUN_T_LIFETIME, 0xFFFFFFFF);
	stun_add_u32(&w, STUN_T_CONNECTION_ID, 0x01020304);
	stun_add_u32(&w, STUN_T_CHANGE_REQUEST, 6);
	stun_add(&w, STUN_T_DONT_FRAGMENT, NULL, 0);
	stun_add_str(&w, STUN_T_DATA, STR_LIT("payload"));
	stun_add_str(&w, STUN_T_RESERVATION_TOKEN, STR_LIT("8 bytes."));
	stun_add_str(&w, STUN_T_MOBILITY_TICKET, STR_LIT(""));
	stun_add_str(&w, STUN_T_ACCESS_TOKEN, STR_LIT("tok\0en"));
	stun_add_str(&w, STUN_T_PASSWORD_ALGORITHM, STR_LIT("\0\2\0\0"));
	stun_add_str(&w, STUN_T_PASSWORD_ALGORITHMS, STR_LIT("\0\2\0\0\0\1\0\0"));
	stun_add_str(&w, STUN_T_ORIGIN, STR_LIT("https://example.org"));
	decode(&w, &m);
	assert_int_equal(m.bad, 0);
	assert_int_equal(m.n_unknown, 0);
	assert_int_equal(m.lifetime_s, 0xFFFFFFFF);
	assert_int_equal(m.connection_id, 0x01020304);
	assert_int_equal(m.change_request, 6);
	assert_true(stun_has(&m, STUN_A_DONT_FRAGMENT));
	assert_true(str_eq(m.data, STR_LIT("payload")));
	assert_true(str_eq(m.reservation_token, STR_LIT("8 bytes.")));
	assert_true(stun_has(&m, STUN_A_MOBILITY_TICKET)); /* empty: the client asks for one */
	assert_int_equal(m.mobility_ticket.len, 0);
	assert_true(str_eq(m.access_token, STR_LIT("tok\0en")));
	assert_int_equal(m.password_algorithm.len, 4);
	assert_int_equal(m.password_algorithms.len, 8);
	assert_true(str_eq(m.origin, STR_LIT("https://example.org")));
}

/* RFC 8489 s.14.8 */
static void test_error_code_range(void **state)
{
	struct stun_msg m;
	struct wr w;

	(void)state;
	for (unsigned cls = 0; cls < 8; cls++)
		for (unsigned number = 0; number < 256; number++) {
			uint8_t v[4] = { 0, 0, (uint8_t)cls, (uint8_t)number };
			bool ok = cls >= 3 && cls <= 6 && number <= 99;

			begin(&w);
			stun_add(&w, STUN_T_ERROR_CODE, v, sizeof v);
			decode(&w, &m);
			assert_int_equal(m.bad, ok ? 0 : STUN_BIT(ERROR_CODE));
			assert_int_equal(m.error_code, ok ? cls * 100 + number : 0);
		}
}

static void test_unknown_attributes(void **state)
{
	uint16_t types[400], more[ARRAY_LEN(types) + 9];
	struct stun_msg m;
	struct wr w;

	(void)state;
	begin(&w);
	stun_add(&w, 0x0000, NULL, 0);
	stun_add(&w, 0x7FFF, "abc", 3);
	stun_add(&w, 0x0000, "x", 1); /* listed already */
	stun_add(&w, 0x8000 | 0x3F, "x", 1);
	stun_add(&w, 0xFFFF, "x", 1);
	/* shares a slot's bits with a known one */
	stun_add(&w, 0x0040 | STUN_T_LIFETIME, "1234", 4);
	decode(&w, &m);
	assert_int_equal(m.present, 0);
	assert_int_equal(m.n_unknown, 4);
	assert_int_equal(stun_unknown(&m, types, ARRAY_LEN(types)), 3);
	assert_int_equal(types[0], 0x0000);
	assert_int_equal(types[1], 0x7FFF);
	assert_int_equal(types[2], 0x004D);

	/* no more than there is room for */
	assert_int_equal(stun_unknown(&m, types, 2), 2);
	begin(&w);
	for (uint16_t t = 0; t < ARRAY_LEN(types); t++)
		stun_add(&w, 0x4000 + t, NULL, 0);
	/* nobody vouches for what is behind the integrity attribute */
	stun_add(&w, STUN_T_MESSAGE_INTEGRITY, "01234567890123456789", 20);
	stun_add(&w, 0x4800, NULL, 0);
	decode(&w, &m);
	assert_int_equal(m.n_unknown, ARRAY_LEN(types));
	assert_int_equal(stun_unknown(&m, types, ARRAY_LEN(types)), ARRAY_LEN(types));
	assert_int_equal(types[ARRAY_LEN(types) - 1], 0x4000 + ARRAY_LEN(types) - 1);
	assert_int_equal(stun_unknown(&m, more, ARRAY_LEN(more)), ARRAY_LEN(types));
}

/* No type outside the table is taken for one that is in it. */
static void test_every_type(void **state)
{
	static const uint16_t known[] = {
#define ATTR(id, number, min, max, kind, text) number,
#include "stun/attr.def"
#undef ATTR
	};
	uint8_t buf[STUN_HEADER_LEN + 4];
	struct stun_msg m;

	(void)state;
	for (unsigned t = 0; t <= 0xFFFF; t++) {
		struct wr w = wr_init(buf, sizeof buf);
		uint64_t want = 0;

		stun_begin(&w, STUN_REQUEST, STUN_BINDING, txid);
		stun_add(&w, (uint16_t)t, NULL, 0);
		decode(&w, &m);
		for (size_t i = 0; i < ARRAY_LEN(known); i++)
			if (known[i] == t)
				want = UINT64_C(1) << i;
		assert_true(m.present == want);
		assert_int_equal(m.n_unknown, !want && t < 0x8000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_rules),
		cmocka_unit_test(test_class_and_method),
		cmocka_unit_test(test_rfc5769_fields),
		cmocka_unit_test(test_length_bounds),
		cmocka_unit_test(test_text_of_763_bytes),
		cmocka_unit_test(test_names_are_utf8),
		cmocka_unit_test(test_names_are_bare),
		cmocka_unit_test(test_reserved_bits_are_ignored),
		cmocka_unit_test(test_additional_family_by_its_draft_number),
		cmocka_unit_test(test_numbers_and_bytes),
		cmocka_unit_test(test_error_code_range),
		cmocka_unit_test(test_unknown_attributes),
		cmocka_unit_test(test_every_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

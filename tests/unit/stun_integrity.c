/* src/stun/integrity.c against RFC 5769 and RFC 8489 appendix B.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../data/stun_vectors.h"
#include "base/bug.h"
#include "stun/msg.h"

enum { LENGTH_OFF = 2 };

static int setup(void **state)
{
	return crypto_new((struct crypto **)state);
}

static int teardown(void **state)
{
	crypto_free(*state);
	return 0;
}

static void decode(const void *p, size_t n, struct stun_msg *m)
{
	assert_int_equal(stun_decode(p, n, m), OK);
	assert_int_equal(m->bad, 0);
}

/* RFC 8489 s.9.2.2, s.18.5.1 */
static struct str long_key(struct crypto *c, enum crypto_hash h, uint8_t *out)
{
	const struct str text = STR_LIT(VEC_MATRIX ":" VEC_REALM ":" VEC_LONG_PASSWORD);

	assert_int_equal(crypto_digest(c, h, &text, 1, out), OK);
	return (struct str){ (char *)out,
			     h == CRYPTO_MD5 ? CRYPTO_MD5_LEN : CRYPTO_SHA256_LEN };
}

static void test_rfc5769_short_term(void **state)
{
	static const struct {
		const uint8_t *p;
		size_t n;
	} row[] = {
		{ vec_request, sizeof vec_request },
		{ vec_ipv4, sizeof vec_ipv4 },
		{ vec_ipv6, sizeof vec_ipv6 },
	};
	struct stun_msg m;

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		decode(row[i].p, row[i].n, &m);
		assert_true(stun_has(&m, STUN_A_FINGERPRINT));
		assert_true(stun_fingerprint_ok(&m));
		assert_true(stun_integrity_ok(*state, &m, STR_LIT(VEC_PASSWORD)));
		assert_false(stun_integrity_ok(*state, &m, STR_LIT(VEC_PASSWORD "x")));
		assert_false(stun_integrity_ok(*state, &m, STR_LIT("")));
		assert_false(stun_integrity256_ok(*state, &m, STR_LIT(VEC_PASSWORD)));
	}
}

static void test_rfc5769_long_term(void **state)
{
	uint8_t key[CRYPTO_SHA256_LEN];
	struct stun_msg m;

	decode(vec_longterm, sizeof vec_longterm, &m);
	assert_false(stun_has(&m, STUN_A_FINGERPRINT));
	assert_true(stun_fingerprint_ok(&m)); /* absent is fine */
	assert_true(stun_integrity_ok(*state, &m, long_key(*state, CRYPTO_MD5, key)));
	assert_false(stun_integrity_ok(*state, &m, long_key(*state, CRYPTO_SHA256, key)));
}

static void test_b1_userhash_and_printed_hmac(void **state)
{
	const struct str name = STR_LIT(VEC_MATRIX ":" VEC_REALM);
	const struct str body = { (const char *)vec_b1_printed, sizeof vec_b1_printed - 36 };
	uint8_t hash[CRYPTO_SHA256_LEN], key[CRYPTO_SHA256_LEN];
	struct stun_msg m;

	assert_int_equal(crypto_digest(*state, CRYPTO_SHA256, &name, 1, hash), OK);
	assert_memory_equal(vec_b1_printed + 24, hash, sizeof hash);
	assert_int_equal(crypto_hmac(*state, CRYPTO_SHA256,
				     long_key(*state, CRYPTO_SHA256, key), &body, 1, hash),
			 OK);
	assert_memory_equal(vec_b1_printed + sizeof vec_b1_printed - 32, hash, sizeof hash);
	/* its length field is wrong, see the vector: nothing that a server may take for STUN */
	assert_int_equal(stun_decode(vec_b1_printed, sizeof vec_b1_printed, &m), ERR_MALFORMED);
}

/* B.1 with the length field as s.5 wants it: 0x88, and the HMAC that belongs to that. */
static void b1_corrected(uint8_t *out)
{
	memcpy(out, vec_b1_printed, sizeof vec_b1_printed);
	wr_put16(out + LENGTH_OFF, sizeof vec_b1_printed - STUN_HEADER_LEN);
	memcpy(out + sizeof vec_b1_printed - 32, vec_b1_mac, 32);
}

static void test_b1_corrected(void **state)
{
	uint8_t msg[sizeof vec_b1_printed], key[CRYPTO_SHA256_LEN];
	struct stun_msg m;

	b1_corrected(msg);
	decode(msg, sizeof msg, &m);
	assert_true(str_eq(m.nonce, STR_LIT(VEC_NONCE_B1)));
	assert_true(str_eq(m.realm, STR_LIT(VEC_REALM)));
	assert_int_equal(m.userhash.len, 32);
	assert_true(stun_integrity256_ok(*state, &m, long_key(*state, CRYPTO_SHA256, key)));
	assert_false(stun_integrity256_ok(*state, &m, long_key(*state, CRYPTO_MD5, key)));
	assert_false(stun_integrity_ok(*state, &m, long_key(*state, CRYPTO_SHA256, key)));
}

static void test_b1_built(void **state)
{
	uint8_t want[sizeof vec_b1_printed], got[sizeof vec_b1_printed], key[CRYPTO_SHA256_LEN];
	struct wr w = wr_init(got, sizeof got);

	b1_corrected(want);
	stun_begin(&w, STUN_REQUEST, STUN_BINDING, vec_b1_printed + 8);
	stun_add(&w, STUN_T_USERHASH, vec_b1_printed + 24, 32);
	stun_add_str(&w, STUN_T_NONCE, STR_LIT(VEC_NONCE_B1));
	stun_add_str(&w, STUN_T_REALM, STR_LIT(VEC_REALM));
	assert_int_equal(
		stun_add_integrity256(&w, *state, long_key(*state, CRYPTO_SHA256, key)), OK);
	assert_false(w.bad);
	assert_int_equal(wr_len(&w), sizeof want);
	assert_memory_equal(got, want, sizeof want);
}

/* The vectors' padding is spaces, ours zero: put theirs where ours is, before the HMAC. */
static void pad_with_spaces(struct wr *w, size_t n)
{
	memset(w->p - n, ' ', n);
}

static void finish(struct wr *w, struct crypto *c, const uint8_t *want, size_t n)
{
	assert_int_equal(stun_add_integrity(w, c, STR_LIT(VEC_PASSWORD)), OK);
	stun_add_fingerprint(w);
	assert_false(w->bad);
	assert_int_equal(wr_len(w), n);
	assert_memory_equal(w->start, want, n);
}

static void test_rfc5769_built(void **state)
{
	struct addr v4 = { .ip = { 192, 0, 2, 1 }, .port = 32853, .family = ADDR_V4 };
	struct addr v6 = { .ip = { 0x20, 0x01, 0x0d, 0xb8, 0x12, 0x34, 0x56, 0x78, 0x00, 0x11,
				   0x22, 0x33, 0x44, 0x55, 0x66, 0x77 },
			   .port = 32853,
			   .family = ADDR_V6 };
	uint8_t buf[256];
	struct wr w = wr_init(buf, sizeof buf);

	stun_begin(&w, STUN_REQUEST, STUN_BINDING, vec_request + 8);
	stun_add_str(&w, STUN_T_SOFTWARE, STR_LIT("STUN test client"));
	stun_add_u32(&w, 0x0024, 0x6e0001ff);	   /* PRIORITY */
	stun_add(&w, 0x8029, vec_request + 52, 8); /* ICE-CONTROLLED */
	stun_add_str(&w, STUN_T_USERNAME, STR_LIT(VEC_USERNAME));
	pad_with_spaces(&w, 3);
	finish(&w, *state, vec_request, sizeof vec_request);

	w = wr_init(buf, sizeof buf);
	stun_begin(&w, STUN_SUCCESS, STUN_BINDING, vec_ipv4 + 8);
	stun_add_str(&w, STUN_T_SOFTWARE, STR_LIT("test vector"));
	pad_with_spaces(&w, 1);
	stun_add_xor_addr(&w, STUN_T_XOR_MAPPED_ADDRESS, &v4);
	finish(&w, *state, vec_ipv4, sizeof vec_ipv4);

	w = wr_init(buf, sizeof buf);
	stun_begin(&w, STUN_SUCCESS, STUN_BINDING, vec_ipv6 + 8);
	stun_add_str(&w, STUN_T_SOFTWARE, STR_LIT("test vector"));
	pad_with_spaces(&w, 1);
	stun_add_xor_addr(&w, STUN_T_XOR_MAPPED_ADDRESS, &v6);
	finish(&w, *state, vec_ipv6, sizeof vec_ipv6);
}

static void test_rfc5769_long_term_built(void **state)
{
	uint8_t buf[sizeof vec_longterm], key[CRYPTO_SHA256_LEN];
	struct wr w = wr_init(buf, sizeof buf);

	stun_begin(&w, STUN_REQUEST, STUN_BINDING, vec_longterm + 8);
	stun_add_str(&w, STUN_T_USERNAME, STR_LIT(VEC_MATRIX));
	stun_add_str(&w, STUN_T_NONCE, STR_LIT(VEC_NONCE));
	stun_add_str(&w, STUN_T_REALM, STR_LIT(VEC_REALM));
	assert_int_equal(stun_add_integrity(&w, *state, long_key(*state, CRYPTO_MD5, key)), OK);
	assert_false(w.bad);
	assert_int_equal(wr_len(&w), sizeof vec_longterm);
	assert_memory_equal(buf, vec_longterm, sizeof vec_longterm);
}

static void test_both_integrities(void **state)
{
	const struct str key = STR_LIT("k");
	uint8_t buf[256];
	struct wr w = wr_init(buf, sizeof buf);
	struct stun_msg m;

	stun_begin(&w, STUN_REQUEST, STUN_REFRESH, vec_request + 8);
	stun_add_u32(&w, STUN_T_LIFETIME, 600);
	assert_int_equal(stun_add_integrity(&w, *state, key), OK);
	assert_int_equal(stun_add_integrity256(&w, *state, key), OK);
	stun_add_fingerprint(&w);
	decode(buf, wr_len(&w), &m);
	assert_true(stun_integrity_ok(*state, &m, key));
	assert_true(stun_integrity256_ok(*state, &m, key));
	assert_true(stun_fingerprint_ok(&m));

	/* the first HMAC does not cover the second, the second covers the first */
	buf[m.integrity256_off + 10] ^= 1;
	assert_true(stun_integrity_ok(*state, &m, key));
	assert_false(stun_integrity256_ok(*state, &m, key));
	buf[m.integrity256_off + 10] ^= 1;
	buf[m.integrity_off + 10] ^= 1;
	assert_false(stun_integrity_ok(*state, &m, key));
	assert_false(stun_integrity256_ok(*state, &m, key));
}

/* The attribute holds the right first bytes of the HMAC; or of the HMAC that a full attribute would
 * have, with the rest of it behind the message's end, where nobody may look. */
static void test_truncated_sha256_is_refused(void **state)
{
	const struct str key = STR_LIT("k");
	uint8_t buf[STUN_HEADER_LEN + STUN_INTEGRITY256_ATTR_LEN];
	const struct str body = { (const char *)buf, STUN_HEADER_LEN };
	struct stun_msg m;

	for (size_t keep = 16; keep <= 32; keep += 4) {
		const size_t claims[] = { 4 + keep, STUN_INTEGRITY256_ATTR_LEN };

		for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
			struct wr w = wr_init(buf, sizeof buf);
			uint8_t *value = buf + STUN_HEADER_LEN + 4;

			stun_begin(&w, STUN_REQUEST, STUN_BINDING, vec_request + 8);
			stun_add(&w, STUN_T_MESSAGE_INTEGRITY_SHA256, vec_b1_mac, keep);
			wr_put16(buf + LENGTH_OFF, (uint16_t)claims[i]);
			assert_int_equal(
				crypto_hmac(*state, CRYPTO_SHA256, key, &body, 1, value), OK);
			wr_put16(buf + LENGTH_OFF, (uint16_t)(4 + keep));
			decode(buf, wr_len(&w), &m);
			assert_int_equal(m.integrity256_len, keep);
			assert_int_equal(stun_integrity256_ok(*state, &m, key), keep == 32);
		}
	}
}

/* Flipping any single bit of a protected message is noticed, by the HMAC up to its own end, and by
 * the fingerprint wherever the flip leaves one. */
static void test_every_bit_counts(void **state)
{
	const size_t protected = sizeof vec_request - STUN_FINGERPRINT_ATTR_LEN;
	uint8_t buf[sizeof vec_request];
	struct stun_msg m;

	for (size_t bit = 0; bit < 8 * sizeof buf; bit++) {
		memcpy(buf, vec_request, sizeof buf);
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (stun_decode(buf, sizeof buf, &m))
			continue;
		if (bit / 8 < protected)
			assert_false(stun_integrity_ok(*state, &m, STR_LIT(VEC_PASSWORD)));
		if (stun_has(&m, STUN_A_FINGERPRINT))
			assert_false(stun_fingerprint_ok(&m));
	}
}

static void test_fingerprint_of_wrong_length(void **state)
{
	uint8_t buf[64];
	struct wr w = wr_init(buf, sizeof buf);
	struct stun_msg m;

	(void)state;
	stun_begin(&w, STUN_REQUEST, STUN_BINDING, vec_request + 8);
	stun_add(&w, STUN_T_FINGERPRINT, buf, 8);
	assert_int_equal(stun_decode(buf, wr_len(&w), &m), OK);
	assert_true(m.bad & STUN_BIT(FINGERPRINT));
	assert_false(stun_fingerprint_ok(&m));
}

static void test_no_room(void **state)
{
	uint8_t buf[STUN_HEADER_LEN + STUN_INTEGRITY256_ATTR_LEN];
	const struct str key = STR_LIT("k");

	for (size_t cap = STUN_HEADER_LEN; cap <= sizeof buf; cap++) {
		struct wr w = wr_init(buf, cap), w256 = wr_init(buf, cap),
			  wf = wr_init(buf, cap);
		bool fits = cap >= STUN_HEADER_LEN + STUN_INTEGRITY_ATTR_LEN;
		bool fits256 = cap >= STUN_HEADER_LEN + STUN_INTEGRITY256_ATTR_LEN;

		stun_begin(&w, STUN_REQUEST, STUN_BINDING, vec_request + 8);
		assert_int_equal(stun_add_integrity(&w, *state, key), fits ? OK : ERR_FULL);
		assert_int_equal(w.bad, !fits);
		stun_begin(&w256, STUN_REQUEST, STUN_BINDING, vec_request + 8);
		assert_int_equal(stun_add_integrity256(&w256, *state, key),
				 fits256 ? OK : ERR_FULL);
		assert_int_equal(w256.bad, !fits256);
		stun_begin(&wf, STUN_REQUEST, STUN_BINDING, vec_request + 8);
		stun_add_fingerprint(&wf);
		assert_int_equal(wf.bad, cap < STUN_HEADER_LEN + STUN_FINGERPRINT_ATTR_LEN);
	}
}

/* The longest message has its last attributes near and behind offset 65535. */
static void test_longest_message(void **state)
{
	const struct str key = STR_LIT("k");
	static uint8_t buf[STUN_HEADER_LEN + 65532], data[65532];
	size_t tail = STUN_INTEGRITY_ATTR_LEN + STUN_INTEGRITY256_ATTR_LEN +
		      STUN_FINGERPRINT_ATTR_LEN;
	struct wr w = wr_init(buf, sizeof buf);
	struct stun_msg m;

	stun_begin(&w, STUN_REQUEST, STUN_BINDING, vec_request + 8);
	stun_add(&w, STUN_T_DATA, data, 65532 - 4 - tail);
	assert_int_equal(stun_add_integrity(&w, *state, key), OK);
	assert_int_equal(stun_add_integrity256(&w, *state, key), OK);
	stun_add_fingerprint(&w);
	assert_false(w.bad);
	assert_int_equal(wr_len(&w), sizeof buf);
	decode(buf, sizeof buf, &m);
	assert_int_equal(m.fingerprint_off, sizeof buf - STUN_FINGERPRINT_ATTR_LEN);
	assert_true(stun_integrity_ok(*state, &m, key));
	assert_true(stun_integrity256_ok(*state, &m, key));
	assert_true(stun_fingerprint_ok(&m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc5769_short_term),
		cmocka_unit_test(test_rfc5769_long_term),
		cmocka_unit_test(test_b1_userhash_and_printed_hmac),
		cmocka_unit_test(test_b1_corrected),
		cmocka_unit_test(test_b1_built),
		cmocka_unit_test(test_rfc5769_built),
		cmocka_unit_test(test_rfc5769_long_term_built),
		cmocka_unit_test(test_both_integrities),
		cmocka_unit_test(test_truncated_sha256_is_refused),
		cmocka_unit_test(test_every_bit_counts),
		cmocka_unit_test(test_fingerprint_of_wrong_length),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_longest_message),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

/* src/stun/decode.c: which of several attributes counts, and what integrity attributes and
 * FINGERPRINT do to those behind them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bug.h"
#include "stun/msg.h"

static const uint8_t txid[STUN_TXID_LEN] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
static uint8_t buf[512];

static void begin(struct wr *w)
{
	*w = wr_init(buf, sizeof buf);
	stun_begin(w, STUN_REQUEST, STUN_ALLOCATE, txid);
}

/* Decodes what `w` holds; it must be a message. */
static void decode(const struct wr *w, struct stun_msg *m)
{
	assert_false(w->bad);
	assert_int_equal(stun_decode(w->start, wr_len(w), m), OK);
}

static void test_first_of_several_counts(void **state)
{
	struct stun_msg m;
	struct wr w;

	(void)state;
	begin(&w);
	stun_add_u32(&w, STUN_T_LIFETIME, 1);
	stun_add_u32(&w, STUN_T_LIFETIME, 2);
	/* a bad one behind a good one is not looked at, nor a good one behind a bad one */
	stun_add(&w, STUN_T_LIFETIME, "x", 1);
	stun_add(&w, STUN_T_CHANNEL_NUMBER, "x", 1);
	stun_add_u32(&w, STUN_T_CHANNEL_NUMBER, 0x40000000);
	decode(&w, &m);
	assert_int_equal(m.lifetime_s, 1);
	assert_int_equal(m.channel, 0);
	assert_int_equal(m.bad, STUN_BIT(CHANNEL_NUMBER));
}

static void test_what_is_behind_integrity(void **state)
{
	static const uint8_t mac[32];
	struct stun_msg m;
	struct wr w;

	(void)state;
	begin(&w);
	stun_add_u32(&w, STUN_T_LIFETIME, 1);
	stun_add(&w, STUN_T_MESSAGE_INTEGRITY, mac, 20);
	stun_add_u32(&w, STUN_T_CHANNEL_NUMBER, 0x40000000);
	stun_add(&w, 0x7FFF, NULL, 0);
	stun_add(&w, STUN_T_MESSAGE_INTEGRITY, mac, 20);
	stun_add(&w, STUN_T_MESSAGE_INTEGRITY_SHA256, mac, 32);
	stun_add_str(&w, STUN_T_USERNAME, STR_LIT("mallory"));
	stun_add(&w, STUN_T_MESSAGE_INTEGRITY_SHA256, mac, 16);
	stun_add_fingerprint(&w);
	decode(&w, &m);
	assert_true(m.present == (STUN_BIT(LIFETIME) | STUN_BIT(MESSAGE_INTEGRITY) |
				  STUN_BIT(MESSAGE_INTEGRITY_SHA256) | STUN_BIT(FINGERPRINT)));
	assert_int_equal(m.n_unknown, 0);
	assert_int_equal(m.integrity_off, 28);
	assert_int_equal(m.integrity256_off, 28 + 24 + 8 + 4 + 24);
	assert_int_equal(m.integrity256_len, 32);
	assert_int_equal(m.fingerprint_off, wr_len(&w) - 8);
	assert_int_equal(m.username.len, 0);

	begin(&w);
	stun_add(&w, STUN_T_MESSAGE_INTEGRITY_SHA256, mac, 32);
	stun_add(&w, STUN_T_MESSAGE_INTEGRITY, mac, 20);
	decode(&w, &m);
	assert_true(m.present == STUN_BIT(MESSAGE_INTEGRITY_SHA256));
	assert_int_equal(m.integrity_off, 0);
	assert_int_equal(m.integrity256_off, 20);
}

static void test_bad_integrity_closes_the_message(void **state)
{
	static const uint8_t mac[32];
	struct stun_msg m;
	struct wr w;

	(void)state;
	begin(&w);
	stun_add(&w, STUN_T_MESSAGE_INTEGRITY, mac, 19);
	stun_add_u32(&w, STUN_T_LIFETIME, 1);
	stun_add(&w, STUN_T_MESSAGE_INTEGRITY, mac, 20);
	decode(&w, &m);
	assert_true(m.present == STUN_BIT(MESSAGE_INTEGRITY));
	assert_true(m.bad == STUN_BIT(MESSAGE_INTEGRITY));
	assert_int_equal(m.integrity_off, 0);
}

static void test_sha256_lengths(void **state)
{
	static const uint8_t mac[48];
	struct stun_msg m;
	struct wr w;

	(void)state;
	for (size_t n = 0; n <= sizeof mac; n++) {
		bool ok = n >= 16 && n <= 32 && n % 4 == 0; /* RFC 8489 s.14.6 */

		begin(&w);
		stun_add(&w, STUN_T_MESSAGE_INTEGRITY_SHA256, mac, n);
		decode(&w, &m);
		assert_int_equal(m.bad, ok ? 0 : STUN_BIT(MESSAGE_INTEGRITY_SHA256));
		assert_int_equal(m.integrity256_off, ok ? 20 : 0);
		assert_int_equal(m.integrity256_len, ok ? n : 0);
	}
}

static void test_fingerprint_must_be_last(void **state)
{
	struct stun_msg m;
	struct wr w;

	(void)state;
	begin(&w);
	stun_add_fingerprint(&w);
	decode(&w, &m);
	stun_add_u32(&w, STUN_T_LIFETIME, 1);
	assert_int_equal(stun_decode(buf, wr_len(&w), &m), ERR_MALFORMED);
	begin(&w);
	stun_add_fingerprint(&w);
	stun_add_fingerprint(&w);
	assert_int_equal(stun_decode(buf, wr_len(&w), &m), ERR_MALFORMED);
	begin(&w);
	stun_add_fingerprint(&w);
	stun_add(&w, 0xFFFF, NULL, 0);
	assert_int_equal(stun_decode(buf, wr_len(&w), &m), ERR_MALFORMED);
}

static void test_peer_walk(void **state)
{
	struct addr a = { .ip = { 198, 51, 100, 7 }, .port = 9, .family = ADDR_V4 };
	struct addr b = { .ip = { 0x20, 1, 0x0d, 0xb8, [15] = 1 },
			  .port = 7000,
			  .family = ADDR_V6 };
	static const uint8_t mac[20];
	struct stun_msg m;
	struct addr got;
	size_t off = 0;
	struct wr w;

	(void)state;
	begin(&w);
	stun_add_xor_addr(&w, STUN_T_XOR_PEER_ADDRESS, &a);
	stun_add_u32(&w, STUN_T_LIFETIME, 1);
	stun_add(&w, STUN_T_XOR_PEER_ADDRESS, "\0\3\0\0\0\0\0\0", 8); /* no such family */
	stun_add_xor_addr(&w, STUN_T_XOR_PEER_ADDRESS, &b);
	stun_add(&w, STUN_T_MESSAGE_INTEGRITY, mac, sizeof mac);
	stun_add_xor_addr(&w, STUN_T_XOR_PEER_ADDRESS, &a);
	decode(&w, &m);
	assert_true(addr_eq(&m.peer, &a));
	assert_int_equal(m.bad, 0); /* the first one is fine, and it alone is judged here */
	assert_true(stun_peer_next(&m, &off, &got));
	assert_true(addr_eq(&got, &a));
	assert_true(stun_peer_next(&m, &off, &got));
	assert_int_equal(got.family, ADDR_NONE);
	assert_true(stun_peer_next(&m, &off, &got));
	assert_true(addr_eq(&got, &b));
	assert_false(stun_peer_next(&m, &off, &got));
	assert_false(stun_peer_next(&m, &off, &got));
	off = SIZE_MAX; /* beyond the message: nothing, not a crash */
	assert_false(stun_peer_next(&m, &off, &got));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_of_several_counts),
		cmocka_unit_test(test_what_is_behind_integrity),
		cmocka_unit_test(test_bad_integrity_closes_the_message),
		cmocka_unit_test(test_sha256_lengths),
		cmocka_unit_test(test_fingerprint_must_be_last),
		cmocka_unit_test(test_peer_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

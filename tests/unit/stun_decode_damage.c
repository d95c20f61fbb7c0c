/* src/stun/decode.c on damaged messages: cut anywhere, any bit flipped, at any alignment. The
 * sanitizers see what is read where nothing is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../data/stun_vectors.h"
#include "base/bug.h"
#include "stun/msg.h"

enum { RICH_MAX = 512 };

/* Decodes a copy that ends where its memory ends, at every alignment, so that a sanitizer sees a
 * read behind it; the last copy stays for *m to borrow from, and the caller frees it. */
static enum err decode_exact(const void *p, size_t n, struct stun_msg *m, uint8_t **copy)
{
	enum err e = OK;

	for (size_t shift = 0; shift < 4; shift++) {
		enum err was = e;

		if (shift)
			free(*copy);
		*copy = malloc(n + shift + 1); /* never of size 0 */
		assert_non_null(*copy);
		*copy = realloc(*copy, n + shift ? n + shift : 1);
		memcpy(*copy + shift, p, n);
		e = stun_decode(*copy + shift, n, m);
		assert_true(shift == 0 || e == was);
	}
	return e;
}

static void test_failure_leaves_result_untouched(void **state)
{
	struct stun_msg m, was;

	(void)state;
	memset(&m, 0x5A, sizeof m);
	was = m;
	assert_int_equal(stun_decode(vec_request, sizeof vec_request - 4, &m), ERR_MALFORMED);
	assert_memory_equal(&m, &was, sizeof m);
}

/* A request with about everything, padding of each length, several peers. */
static size_t build_rich(uint8_t *buf)
{
	struct addr v4 = { .ip = { 198, 51, 100, 7 }, .port = 9, .family = ADDR_V4 };
	struct addr v6 = { .ip = { 0x20, 1, 0x0d, 0xb8, [15] = 1 },
			   .port = 65535,
			   .family = ADDR_V6 };
	static const uint8_t mac[32];
	struct wr writer = wr_init(buf, RICH_MAX), *w = &writer;

	stun_begin(w, STUN_REQUEST, STUN_ALLOCATE, vec_request + 8);
	stun_add_xor_addr(w, STUN_T_XOR_PEER_ADDRESS, &v4);
	stun_add_str(w, STUN_T_DATA, STR_LIT("12345"));
	stun_add_xor_addr(w, STUN_T_XOR_PEER_ADDRESS, &v6);
	stun_add_addr(w, STUN_T_OTHER_ADDRESS, &v6);
	stun_add(w, STUN_T_EVEN_PORT, "\x80", 1);
	stun_add_str(w, STUN_T_USERNAME, STR_LIT("1700000000:al"));
	stun_add_str(w, STUN_T_REALM, STR_LIT(VEC_REALM));
	stun_add_str(w, STUN_T_NONCE, STR_LIT("ab"));
	stun_add(w, 0x0024, "1234", 4);
	stun_add_error(w, 437, STR_LIT("no"));
	stun_add(w, STUN_T_MESSAGE_INTEGRITY, mac, 20);
	stun_add(w, STUN_T_MESSAGE_INTEGRITY_SHA256, mac, 32);
	stun_add_fingerprint(w);
	assert_false(w->bad);
	return wr_len(w);
}

/* Does an attribute begin or the message end at `at`? */
static bool border(const uint8_t *msg, size_t at)
{
	size_t off = STUN_HEADER_LEN;

	while (off < at)
		off += 4 + ((size_t)(msg[off + 2] << 8 | msg[off + 3]) + 3) / 4 * 4;
	return off == at;
}

/* No prefix of a message is one, whatever its length field says; and none is read beyond. */
static void test_every_truncation(void **state)
{
	uint8_t msg[RICH_MAX], *copy;
	size_t n = build_rich(msg);
	struct stun_msg m;

	(void)state;
	assert_int_equal(decode_exact(msg, n, &m, &copy), OK);
	free(copy);
	for (size_t cut = 0; cut < n; cut++) {
		assert_int_equal(decode_exact(msg, cut, &m, &copy), ERR_MALFORMED);
		free(copy);
	}
	/* with a length field to match, what is left decodes at attribute borders only */
	for (size_t cut = STUN_HEADER_LEN; cut < n; cut++) {
		bool whole = border(msg, cut);

		wr_put16(msg + 2, (uint16_t)(cut - STUN_HEADER_LEN));
		assert_int_equal(decode_exact(msg, cut, &m, &copy), whole ? OK : ERR_MALFORMED);
		free(copy);
	}
}

/* Whatever a flipped bit makes of a message: no read beyond it, and all borrowed text inside it. */
static void test_every_bit_flip(void **state)
{
	static const size_t text[] = {
		offsetof(struct stun_msg, username), offsetof(struct stun_msg, realm),
		offsetof(struct stun_msg, nonce),    offsetof(struct stun_msg, data),
		offsetof(struct stun_msg, software), offsetof(struct stun_msg, error_reason),
	};
	uint8_t msg[RICH_MAX];
	size_t n = build_rich(msg);
	struct stun_msg m;
	struct addr peer;

	(void)state;
	for (size_t bit = 0; bit < 8 * n; bit++) {
		uint8_t *copy;
		size_t off = 0;

		msg[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (decode_exact(msg, n, &m, &copy) == OK) {
			for (size_t i = 0; i < ARRAY_LEN(text); i++) {
				const struct str *s =
					(const struct str *)((char *)&m + text[i]);

				if (s->len)
					assert_true((const uint8_t *)s->p >= m.raw &&
						    (const uint8_t *)s->p + s->len <=
							    m.raw + n);
			}
			assert_int_equal(m.bad & ~m.present, 0);
			while (stun_peer_next(&m, &off, &peer))
				assert_in_range(off, STUN_HEADER_LEN, n);
		}
		free(copy);
		msg[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failure_leaves_result_untouched),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_every_bit_flip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

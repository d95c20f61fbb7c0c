/* src/auth/token.c: tokens of RFC 7635; Debian's turnutils_oauth 4.6.1 made the first ones. */
#include "auth/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "token_seal.h"

#define SERVER STR_LIT("turn.example.org")

/* turnutils_oauth -e -i turn.example.org -n ALG -o MTIzNDU2Nzg5MDEy -p MTIzNDU2Nzg5MDEyMzQ1Njc4OTA= -r 3600 … */
#define A256 "AAwxMjM0NTY3ODkwMTKA5szcMXX019IqBrTgJ1toK4ghzEbCvXRssLmd4e6ksXKj5Avq5Q65GEJE28rlDINFkg=="
#define A128 "AAwxMjM0NTY3ODkwMTKxZV+a66VhPpDJIoVnA2lww0hPPEbzrIgM+WTNOD6P3RgkkGZTLlSRsXEH83XZ6CRC8g=="

static struct conf_live_oauth key_of(const char *text, const char *alg)
{
	struct conf_live_oauth k = { .kid = STR_LIT("north"), .alg = str_of(alg), .key_len = strlen(text) };

	memcpy(k.key, text, k.key_len);
	return k;
}

static void tokens_of_coturn(void **state)
{
	static const struct {
		const char *key, *alg, *token;
	} rows[] = {
		{ "12345678901234567890123456789012", "A256GCM", A256 },
		{ "12345678901234567890123456789012", "", A256 },
		{ "12345678901234567890123456789012\n", "A256GCM", A256 }, /* of a longer key the first bytes */
		{ "1234567890123456", "A128GCM", A128 },
		{ "12345678901234567890123456789012\n", "A128GCM", A128 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct conf_live_oauth k = key_of(rows[i].key, rows[i].alg);
		struct auth_token t;
		uint8_t raw[200];
		size_t n;

		assert_int_equal(crypto_b64_decode(str_of(rows[i].token), raw, sizeof raw, &n), OK);
		assert_int_equal(n, AUTH_TOKEN_LEN);
		assert_int_equal(auth_token_open(&k, SERVER, (struct str){ (char *)raw, n }, &t), OK);
		assert_memory_equal(t.mac_key, "12345678901234567890", AUTH_TOKEN_KEY_LEN);
		assert_int_equal(t.made_s, 1700000000);
		assert_int_equal(t.lifetime_s, 3600);
		/* another server's; no name at all */
		assert_int_equal(auth_token_open(&k, STR_LIT("turn.example.com"), (struct str){ (char *)raw, n }, &t),
				 ERR_MALFORMED);
		assert_int_equal(auth_token_open(&k, STR_LIT(""), (struct str){ (char *)raw, n }, &t), ERR_MALFORMED);
	}
}

static void a_changed_bit_is_seen(void **state)
{
	const struct conf_live_oauth k = key_of("12345678901234567890123456789012", "A256GCM");
	uint8_t raw[200];
	struct auth_token t;
	size_t n;

	(void)state;
	assert_int_equal(crypto_b64_decode(STR_LIT(A256), raw, sizeof raw, &n), OK);
	for (size_t bit = 0; bit < 8 * n; bit++) {
		raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(auth_token_open(&k, SERVER, (struct str){ (char *)raw, n }, &t), ERR_MALFORMED);
		raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(auth_token_open(&k, SERVER, (struct str){ (char *)raw, n }, &t), OK);
}

/* CVE-2026-43994: lengths in a token, which nobody has authenticated yet, led a copy out of its buffer. Memory of
 * exactly the token's size, so that a sanitizer sees a byte too many. */
static void lengths_lead_nowhere(void **state)
{
	static const uint16_t nonce_lens[] = { 0, 1, 11, 13, 62, 63, 64, 255, 256, 512, 1024, 0x7fff, 0xffff };
	const struct conf_live_oauth k = key_of("12345678901234567890123456789012", "A256GCM");
	struct auth_token t;

	(void)state;
	for (size_t len = 0; len <= 65535; len = len < 300 ? len + 1 : len * 2 + 1) {
		for (size_t i = 0; i < sizeof nonce_lens / sizeof *nonce_lens; i++) {
			uint8_t *raw = malloc(len ? len : 1);

			memset(raw, 0x41, len);
			if (len > 0)
				raw[0] = (uint8_t)(nonce_lens[i] >> 8);
			if (len > 1)
				raw[1] = (uint8_t)nonce_lens[i];
			assert_int_equal(auth_token_open(&k, SERVER, (struct str){ (char *)raw, len }, &t),
					 ERR_MALFORMED);
			free(raw);
		}
	}
	assert_int_equal(auth_token_open(&k, SERVER, (struct str){ NULL, 0 }, &t), ERR_MALFORMED);
}

/* Sealed by the right server, and still not what it has to be. */
static void what_is_sealed_is_looked_at(void **state)
{
	static const uint16_t key_lens[] = { 0, 1, 16, 19, 20, 21, 32, 64, 200 };
	const struct conf_live_oauth k = key_of("12345678901234567890123456789012", "A256GCM");
	const struct str key = { (const char *)k.key, 32 };
	uint8_t block[300], token[400];
	struct auth_token t;

	(void)state;
	for (size_t i = 0; i < sizeof key_lens / sizeof *key_lens; i++) {
		size_t n = seal_block(key_lens[i], 'k', 1700000000, 60, block);

		n = seal(key, SERVER, (struct str){ (char *)block, n }, token);
		assert_int_equal(auth_token_open(&k, SERVER, (struct str){ (char *)token, n }, &t),
				 key_lens[i] == 20 ? OK : ERR_MALFORMED);
	}
	/* the right length, the wrong one said */
	for (int said = 0; said < 65536; said += 5) {
		size_t n = seal_block(20, 'k', 1700000000, 60, block);

		block[0] = (uint8_t)(said >> 8);
		block[1] = (uint8_t)said;
		n = seal(key, SERVER, (struct str){ (char *)block, n }, token);
		assert_int_equal(auth_token_open(&k, SERVER, (struct str){ (char *)token, n }, &t),
				 said == 20 ? OK : ERR_MALFORMED);
	}
}

static void a_token_lives_as_long_as_it_says(void **state)
{
	static const struct {
		int64_t made_s;
		uint32_t lifetime_s;
		int64_t now_s, left_s;
	} rows[] = {
		{ 1000, 60, 1000, 65 },	     { 1000, 60, 1060, 5 },    { 1000, 60, 1064, 1 },
		{ 1000, 60, 1065, 0 },	     { 1000, 60, 936, 1 }, /* our clock is behind */
		{ 1000, 60, 935, 0 },	     { 1000, 0, 1000, 5 },
		{ (1LL << 48) - 1, UINT32_MAX, 1000, (int64_t)UINT32_MAX + 5 - (1LL << 48) + 1 + 1000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct auth_token t = { .made_s = rows[i].made_s, .lifetime_s = rows[i].lifetime_s };

		assert_int_equal(auth_token_left_s(&t, rows[i].now_s), rows[i].left_s);
	}
}

static void a_key_holds_in_its_time(void **state)
{
	static const struct {
		int64_t from_s, lifetime_s, now_s;
		bool holds;
	} rows[] = {
		{ 0, 0, 1, true },	  { 0, 60, 1000, true }, /* from never on is for ever, as in coturn */
		{ 1000, 0, 1000, true },  { 1000, 0, 994, false }, { 1000, 0, 995, true },
		{ 1000, 60, 1065, true }, { 1000, 60, 1066, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct conf_live_oauth k = { .timestamp_s = rows[i].from_s, .lifetime_s = rows[i].lifetime_s };

		assert_int_equal(auth_token_key_holds(&k, rows[i].now_s), rows[i].holds);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_of_coturn),
		cmocka_unit_test(a_changed_bit_is_seen),
		cmocka_unit_test(lengths_lead_nowhere),
		cmocka_unit_test(what_is_sealed_is_looked_at),
		cmocka_unit_test(a_token_lives_as_long_as_it_says),
		cmocka_unit_test(a_key_holds_in_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

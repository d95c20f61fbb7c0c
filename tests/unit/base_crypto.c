#include "base/crypto.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bug.h"
#include "base/rng.h"

static const size_t hash_len[] = {
	[CRYPTO_MD5] = CRYPTO_MD5_LEN,
	[CRYPTO_SHA1] = CRYPTO_SHA1_LEN,
	[CRYPTO_SHA256] = CRYPTO_SHA256_LEN,
};

static int open_crypto(void **state)
{
	struct crypto *c;

	if (crypto_new(&c))
		return -1;
	*state = c;
	return 0;
}

static int close_crypto(void **state)
{
	crypto_free(*state);
	return 0;
}

static void assert_hex(const uint8_t *got, const char *want, size_t n)
{
	char hex[2 * CRYPTO_SHA256_LEN + 1];

	for (size_t i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", got[i]);
	assert_string_equal(hex, want);
}

/* RFC 1321 A.5, FIPS 180 */
static void digests_match_the_standards(void **state)
{
	static const struct {
		enum crypto_hash h;
		const char *text, *want;
	} row[] = {
		{ CRYPTO_MD5, "", "d41d8cd98f00b204e9800998ecf8427e" },
		{ CRYPTO_MD5, "message digest", "f96b697d7cb7938d525a2f31aaf161d0" },
		{ CRYPTO_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d" },
		{ CRYPTO_SHA1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
		{ CRYPTO_SHA256, "abc",
		  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ CRYPTO_SHA1, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "84983e441c3bd26ebaae4aa1f95129e5e54670f1" },
	};
	uint8_t out[CRYPTO_SHA256_LEN];

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct str text = str_of(row[i].text);

		assert_int_equal(crypto_digest(*state, row[i].h, &text, 1, out), OK);
		assert_hex(out, row[i].want, hash_len[row[i].h]);
	}
}

/* RFC 2202 s.3 (SHA-1), RFC 4231 s.4 (SHA-256); the keys of 80 and 131 bytes are longer than a
 * block. */
static void hmacs_match_the_standards(void **state)
{
	static const struct {
		enum crypto_hash h;
		uint8_t key_byte; /* 0: the key is "Jefe" */
		size_t key_len;
		const char *text, *want;
	} row[] = {
		{ CRYPTO_SHA1, 0x0b, 20, "Hi There",
		  "b617318655057264e28bc0b6fb378c8ef146be00" },
		{ CRYPTO_SHA1, 0, 4, "what do ya want for nothing?",
		  "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79" },
		{ CRYPTO_SHA1, 0xaa, 80,
		  "Test Using Larger Than Block-Size Key - Hash Key First",
		  "aa4ae5e15272d00e95705637ce8a3b55ed402112" },
		{ CRYPTO_SHA256, 0x0b, 20, "Hi There",
		  "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
		{ CRYPTO_SHA256, 0, 4, "what do ya want for nothing?",
		  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
		{ CRYPTO_SHA256, 0xaa, 131,
		  "Test Using Larger Than Block-Size Key - Hash Key First",
		  "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
	};
	uint8_t out[CRYPTO_SHA256_LEN];
	char key[131];

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct str text = str_of(row[i].text), k = { key, row[i].key_len };

		memset(key, row[i].key_byte, sizeof key);
		if (!row[i].key_byte)
			memcpy(key, "Jefe", 4);
		assert_int_equal(crypto_hmac(*state, row[i].h, k, &text, 1, out), OK);
		assert_hex(out, row[i].want, hash_len[row[i].h]);
	}
}

/* Of the empty key and the empty text; made with Python's hmac. */
static void hmac_of_nothing(void **state)
{
	uint8_t out[CRYPTO_SHA1_LEN];
	struct str nothing = { NULL, 0 };

	assert_int_equal(crypto_hmac(*state, CRYPTO_SHA1, nothing, NULL, 0, out), OK);
	assert_hex(out, "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d", sizeof out);
	assert_int_equal(crypto_hmac(*state, CRYPTO_SHA1, nothing, &nothing, 1, out), OK);
	assert_hex(out, "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d", sizeof out);
}

/* A key of exactly a block is taken as it is, one byte more is hashed. */
static void key_of_a_block_is_the_border(void **state)
{
	struct str text = STR_LIT("x"), long_key, hashed_key;
	uint8_t a[CRYPTO_SHA1_LEN], b[CRYPTO_SHA1_LEN], digest[CRYPTO_SHA1_LEN];
	char key[65];

	memset(key, 'k', sizeof key);
	for (size_t len = 64; len <= 65; len++) {
		long_key = (struct str){ key, len };
		assert_int_equal(crypto_digest(*state, CRYPTO_SHA1, &long_key, 1, digest), OK);
		hashed_key = (struct str){ (const char *)digest, sizeof digest };
		assert_int_equal(crypto_hmac(*state, CRYPTO_SHA1, long_key, &text, 1, a), OK);
		assert_int_equal(crypto_hmac(*state, CRYPTO_SHA1, hashed_key, &text, 1, b), OK);
		assert_int_equal(crypto_equal(a, b, sizeof a), len == 65);
	}
}

/* However a text is cut, and whatever was computed before with the same context. */
static void parts_are_one_text(void **state)
{
	static const char text[] =
		"user:example.org:password and some more to cross a block's end";
	struct str whole = { text, sizeof text - 1 }, key = STR_LIT("secret");
	uint8_t want[CRYPTO_SHA256_LEN], got[CRYPTO_SHA256_LEN];

	for (int h = CRYPTO_MD5; h <= CRYPTO_SHA256; h++) {
		enum crypto_hash hash = (enum crypto_hash)h;

		assert_int_equal(crypto_digest(*state, hash, &whole, 1, want), OK);
		for (size_t cut = 0; cut <= whole.len; cut++) {
			struct str part[3] = {
				[0] = { text, cut }, [2] = { text + cut, whole.len - cut }
			};

			assert_int_equal(crypto_digest(*state, hash, part, 3, got), OK);
			assert_memory_equal(got, want, hash_len[h]);
		}
		if (hash == CRYPTO_MD5)
			continue;
		assert_int_equal(crypto_hmac(*state, hash, key, &whole, 1, want), OK);
		for (size_t cut = 0; cut <= whole.len; cut++) {
			struct str part[2] = { { text, cut }, { text + cut, whole.len - cut } };

			assert_int_equal(crypto_hmac(*state, hash, key, part, 2, got), OK);
			assert_memory_equal(got, want, hash_len[h]);
		}
	}
}

static void output_may_lie_where_the_input_was(void **state)
{
	uint8_t b[CRYPTO_SHA1_LEN] = "abc";
	struct str text = { (const char *)b, 3 };

	assert_int_equal(crypto_digest(*state, CRYPTO_SHA1, &text, 1, b), OK);
	assert_hex(b, "a9993e364706816aba3e25717850c26c9cd0d89d", sizeof b);
}

/* Bit by bit, as the polynomial's definition has it. */
static uint32_t slow_crc32(const uint8_t *p, size_t n)
{
	uint32_t crc = UINT32_MAX;

	for (; n > 0; p++, n--) {
		crc ^= *p;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static void crc_is_that_of_v42(void **state)
{
	uint8_t b[300];
	struct rng r;

	(void)state;
	/* the check value that catalogues of CRCs give */
	assert_int_equal(crypto_crc32(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(crypto_crc32(0, "", 0), 0);
	rng_init_seeded(&r, 1);
	rng_bytes(&r, b, sizeof b);
	for (size_t n = 0; n <= sizeof b; n++)
		assert_int_equal(crypto_crc32(0, b, n), slow_crc32(b, n));
	for (size_t off = 0; off < 8; off++)
		assert_int_equal(crypto_crc32(0, b + off, 100), slow_crc32(b + off, 100));
	for (size_t cut = 0; cut <= 100; cut++)
		assert_int_equal(crypto_crc32(crypto_crc32(0, b, cut), b + cut, 100 - cut),
				 slow_crc32(b, 100));
}

static void crc_knows_every_byte_in_every_place(void **state)
{
	uint8_t b[8] = { 0 };

	(void)state;
	for (size_t at = 0; at < sizeof b; at++) {
		for (int v = 0; v < 256; v++) {
			b[at] = (uint8_t)v;
			assert_int_equal(crypto_crc32(0, b, sizeof b), slow_crc32(b, sizeof b));
		}
	}
}

static void equal_sees_a_difference_anywhere(void **state)
{
	uint8_t a[32] = { 1, 2, 3 }, b[32] = { 1, 2, 3 };

	(void)state;
	assert_true(crypto_equal(a, b, sizeof a));
	assert_true(crypto_equal(a, "x", 0));
	for (size_t i = 0; i < sizeof b; i++) {
		b[i] ^= 0x80;
		assert_false(crypto_equal(a, b, sizeof a));
		assert_true(crypto_equal(a, b, i));
		b[i] ^= 0x80;
	}
}

static void wipe_zeroes_just_its_bytes(void **state)
{
	uint8_t b[4] = { 1, 2, 3, 4 };

	(void)state;
	crypto_wipe(b + 1, 2);
	assert_memory_equal(b, "\1\0\0\4", 4);
	crypto_wipe(b, 0);
	assert_int_equal(b[0], 1);
}

/* RFC 4648 s.10, and the two last digits */
static void base64_there_and_back(void **state)
{
	static const struct {
		const char *plain;
		size_t n;
		const char *text;
	} row[] = {
		{ "", 0, "" },
		{ "f", 1, "Zg==" },
		{ "fo", 2, "Zm8=" },
		{ "foo", 3, "Zm9v" },
		{ "foob", 4, "Zm9vYg==" },
		{ "fooba", 5, "Zm9vYmE=" },
		{ "foobar", 6, "Zm9vYmFy" },
		{ "\xff\xef\xbe", 3, "/+++" },
		{ "\0\0", 2, "AAA=" },
		{ "\xff\xff\xff\xff", 4, "/////w==" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct str text = str_of(row[i].text), bare = text;
		char enc[16] = "~~~~~~~~~~~~~~~";
		uint8_t dec[16];
		size_t n = 99;

		assert_int_equal(crypto_b64_len(row[i].n), text.len);
		crypto_b64_encode(row[i].plain, row[i].n, enc);
		assert_string_equal(enc, row[i].text);
		while (bare.len > 0 && bare.p[bare.len - 1] == '=')
			bare.len--;
		for (int k = 0; k < 2; k++) {
			assert_int_equal(crypto_b64_decode(k ? bare : text, dec, row[i].n, &n),
					 OK);
			assert_int_equal(n, row[i].n);
			assert_memory_equal(dec, row[i].plain, n);
		}
	}
}

static void base64_of_anything(void **state)
{
	uint8_t b[200], back[200];
	char text[300];
	struct rng r;
	size_t n;

	(void)state;
	rng_init_seeded(&r, 9);
	rng_bytes(&r, b, sizeof b);
	for (size_t len = 0; len <= sizeof b; len++) {
		crypto_b64_encode(b, len, text);
		assert_int_equal(crypto_b64_decode(str_of(text), back, len, &n), OK);
		assert_int_equal(n, len);
		assert_memory_equal(back, b, len);
	}
}

static void base64_that_is_none_is_refused_untouched(void **state)
{
	static const struct {
		const char *text;
		size_t cap;
	} row[] = {
		{ "=", 16 },	    { "==", 16 },
		{ "===", 16 },	    { "====", 16 },
		{ "Z", 16 },	    { "Zg=", 16 },
		{ "Zg===", 16 },    { "Z===", 16 },
		{ "Zm9=v", 16 },    { "Zm9v=", 16 },
		{ "Zm9v==", 16 },   { "Zm9v====", 16 },
		{ "Zg==Zg==", 16 }, { "Zm9v ", 16 },
		{ " Zm9v", 16 },    { "Zm\n9v", 16 },
		{ "Zm-v", 16 },	    { "Zm_v", 16 },
		{ "Zm9v!", 16 },    { "Zm9\xc3", 16 },
		{ "Zh==", 16 },	    { "Zm9=", 16 },
		{ "Zo==", 16 },	    { "Zm+=", 16 }, /* bits set behind the last byte */
		{ "Zg", 0 },	    { "Zm8=", 1 },
		{ "Zm9vYg==", 3 },  { "Zm9vZm9v", 5 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		uint8_t out[16] = { 0xee };
		size_t n = 99;

		if (crypto_b64_decode(str_of(row[i].text), out, row[i].cap, &n) !=
		    ERR_MALFORMED)
			fail_msg("\"%s\" was taken", row[i].text);
		assert_int_equal(n, 99);
		assert_int_equal(out[0], 0xee);
	}
}

static void base64_with_a_zero_byte_is_refused(void **state)
{
	uint8_t out[8];
	size_t n;

	(void)state;
	assert_int_equal(crypto_b64_decode(STR_LIT("Zm\0v"), out, 8, &n), ERR_MALFORMED);
}

static void free_of_null_is_fine(void **state)
{
	(void)state;
	crypto_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_match_the_standards),
		cmocka_unit_test(hmacs_match_the_standards),
		cmocka_unit_test(hmac_of_nothing),
		cmocka_unit_test(key_of_a_block_is_the_border),
		cmocka_unit_test(parts_are_one_text),
		cmocka_unit_test(output_may_lie_where_the_input_was),
		cmocka_unit_test(crc_is_that_of_v42),
		cmocka_unit_test(crc_knows_every_byte_in_every_place),
		cmocka_unit_test(equal_sees_a_difference_anywhere),
		cmocka_unit_test(wipe_zeroes_just_its_bytes),
		cmocka_unit_test(base64_there_and_back),
		cmocka_unit_test(base64_of_anything),
		cmocka_unit_test(base64_that_is_none_is_refused_untouched),
		cmocka_unit_test(base64_with_a_zero_byte_is_refused),
		cmocka_unit_test(free_of_null_is_fine),
	};

	return cmocka_run_group_tests(tests, open_crypto, close_crypto);
}

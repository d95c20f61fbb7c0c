#include "base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/bug.h"

enum {
	N_HASH = CRYPTO_SHA256 + 1,
	HMAC_BLOCK = 64, /* of SHA-1 and of SHA-256 */
	HMAC_INNER = 0x36,
	HMAC_OUTER = 0x5c,
};

/* A context per hash, for one that changes its hash builds itself anew. */
struct crypto {
	EVP_MD *md[N_HASH];
	EVP_MD_CTX *ctx[N_HASH];
};

static const struct {
	const char *name;
	size_t len;
} hashes[N_HASH] = {
	[CRYPTO_MD5] = { "MD5", CRYPTO_MD5_LEN },
	[CRYPTO_SHA1] = { "SHA1", CRYPTO_SHA1_LEN },
	[CRYPTO_SHA256] = { "SHA256", CRYPTO_SHA256_LEN },
};

static enum err hash_open(struct crypto *c, enum crypto_hash h)
{
	c->ctx[h] = EVP_MD_CTX_new();
	if (!c->ctx[h])
		return ERR_NOMEM;
	c->md[h] = EVP_MD_fetch(NULL, hashes[h].name, NULL);
	if (!c->md[h] || !EVP_DigestInit_ex2(c->ctx[h], c->md[h], NULL))
		return ERR_CRYPTO;
	return OK;
}

enum err crypto_new(struct crypto **out)
{
	struct crypto *c = calloc(1, sizeof *c);

	if (!c)
		return ERR_NOMEM;
	for (int h = 0; h < N_HASH; h++) {
		enum err e = hash_open(c, (enum crypto_hash)h);

		if (e) {
			crypto_free(c);
			return e;
		}
	}
	*out = c;
	return OK;
}

void crypto_free(struct crypto *c)
{
	if (!c)
		return;
	for (int h = 0; h < N_HASH; h++) {
		EVP_MD_CTX_free(c->ctx[h]);
		EVP_MD_free(c->md[h]);
	}
	free(c);
}

/* Hash of `head`, then of the parts. */
static bool hash_parts(struct crypto *c, enum crypto_hash h, struct str head,
		       const struct str *parts, size_t n_parts, uint8_t *out)
{
	EVP_MD_CTX *ctx = c->ctx[h];

	if (!EVP_DigestInit_ex2(ctx, c->md[h], NULL))
		return false;
	if (!EVP_DigestUpdate(ctx, head.p, head.len))
		return false;
	for (size_t i = 0; i < n_parts; i++) {
		if (!EVP_DigestUpdate(ctx, parts[i].p, parts[i].len))
			return false;
	}
	return EVP_DigestFinal_ex(ctx, out, NULL) == 1;
}

enum err crypto_digest(struct crypto *c, enum crypto_hash h, const struct str *parts,
		       size_t n_parts, uint8_t *out)
{
	return hash_parts(c, h, (struct str){ "", 0 }, parts, n_parts, out) ? OK : ERR_CRYPTO;
}

/* RFC 2104 s.2: a key longer than a block is hashed, a shorter one filled up with zeros. */
static bool hmac_pad(struct crypto *c, enum crypto_hash h, struct str key, uint8_t *pad)
{
	memset(pad, 0, HMAC_BLOCK);
	if (key.len > HMAC_BLOCK)
		return hash_parts(c, h, key, NULL, 0, pad);
	if (key.len > 0)
		memcpy(pad, key.p, key.len);
	return true;
}

static void xor_pad(uint8_t *pad, uint8_t with)
{
	for (size_t i = 0; i < HMAC_BLOCK; i++)
		pad[i] ^= with;
}

/* HMAC is made here of plain hashes because EVP_MAC, given a new key each time, costs half as
 * much again. */
enum err crypto_hmac(struct crypto *c, enum crypto_hash h, struct str key,
		     const struct str *parts, size_t n_parts, uint8_t *out)
{
	uint8_t pad[HMAC_BLOCK], inner[CRYPTO_SHA256_LEN];
	struct str head = { (const char *)pad, sizeof pad };
	struct str body = { (const char *)inner, hashes[h].len };
	bool good;

	BUG_ON(h != CRYPTO_SHA1 && h != CRYPTO_SHA256);
	good = hmac_pad(c, h, key, pad);
	xor_pad(pad, HMAC_INNER);
	good = good && hash_parts(c, h, head, parts, n_parts, inner);
	xor_pad(pad, HMAC_INNER ^ HMAC_OUTER);
	good = good && hash_parts(c, h, head, &body, 1, out);
	crypto_wipe(pad, sizeof pad);
	crypto_wipe(inner, sizeof inner);
	return good ? OK : ERR_CRYPTO;
}

/* Nothing of `out` may be used before the tag was found right. */
static bool gcm_open(EVP_CIPHER_CTX *ctx, struct str key, struct str nonce, struct str aad, struct str sealed,
		     uint8_t *out)
{
	const EVP_CIPHER *cipher = key.len == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
	int len = (int)(sealed.len - CRYPTO_GCM_TAG_LEN), got = 0, last = 0;
	uint8_t tag[CRYPTO_GCM_TAG_LEN];

	memcpy(tag, sealed.p + len, sizeof tag);
	if (!EVP_DecryptInit_ex(ctx, cipher, NULL, (const uint8_t *)key.p, (const uint8_t *)nonce.p))
		return false;
	if (aad.len && !EVP_DecryptUpdate(ctx, NULL, &got, (const uint8_t *)aad.p, (int)aad.len))
		return false;
	if (!EVP_DecryptUpdate(ctx, out, &got, (const uint8_t *)sealed.p, len) || got != len)
		return false;
	return EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, sizeof tag, tag) > 0 &&
	       EVP_DecryptFinal_ex(ctx, out + got, &last) > 0;
}

enum err crypto_gcm_open(struct str key, struct str nonce, struct str aad, struct str sealed, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx;
	bool good;

	BUG_ON((key.len != 16 && key.len != 32) || nonce.len != CRYPTO_GCM_NONCE_LEN);
	if (sealed.len < CRYPTO_GCM_TAG_LEN || sealed.len > INT32_MAX || aad.len > INT32_MAX)
		return ERR_MALFORMED;
	ctx = EVP_CIPHER_CTX_new();
	if (!ctx)
		return ERR_NOMEM;
	good = gcm_open(ctx, key, nonce, aad, sealed, out);
	EVP_CIPHER_CTX_free(ctx);
	if (!good)
		crypto_wipe(out, sealed.len - CRYPTO_GCM_TAG_LEN);
	return good ? OK : ERR_MALFORMED;
}

bool crypto_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

void crypto_wipe(void *p, size_t n)
{
	OPENSSL_cleanse(p, n);
}

/*
 * CRC-32, four bytes a step. Row k of the table says what byte i does to the CRC when k more
 * bytes follow it. The CRC is linear: an entry is the sum (xor) of what the bits of i do, and
 * bit b is the polynomial moved on by 7 - b + 8k steps. So 32 constants, each the step after
 * the one before, make all 1024 entries, at compile time.
 */
#define CRC_POLY    0xedb88320u /* of ITU V.42, lowest bit first */
#define CRC_STEP(v) (int)((uint32_t)(v) >> 1 ^ ((v)&1 ? CRC_POLY : 0))
enum {
	P0 = (int)CRC_POLY,
	P1 = CRC_STEP(P0),
	P2 = CRC_STEP(P1),
	P3 = CRC_STEP(P2),
	P4 = CRC_STEP(P3),
	P5 = CRC_STEP(P4),
	P6 = CRC_STEP(P5),
	P7 = CRC_STEP(P6),
	P8 = CRC_STEP(P7),
	P9 = CRC_STEP(P8),
	P10 = CRC_STEP(P9),
	P11 = CRC_STEP(P10),
	P12 = CRC_STEP(P11),
	P13 = CRC_STEP(P12),
	P14 = CRC_STEP(P13),
	P15 = CRC_STEP(P14),
	P16 = CRC_STEP(P15),
	P17 = CRC_STEP(P16),
	P18 = CRC_STEP(P17),
	P19 = CRC_STEP(P18),
	P20 = CRC_STEP(P19),
	P21 = CRC_STEP(P20),
	P22 = CRC_STEP(P21),
	P23 = CRC_STEP(P22),
	P24 = CRC_STEP(P23),
	P25 = CRC_STEP(P24),
	P26 = CRC_STEP(P25),
	P27 = CRC_STEP(P26),
	P28 = CRC_STEP(P27),
	P29 = CRC_STEP(P28),
	P30 = CRC_STEP(P29),
	P31 = CRC_STEP(P30),
};
#define BIT(i, b, p)		((i) >> (b)&1 ? (uint32_t)(p) : 0)
#define LOW(i, p0, p1, p2, p3)	(BIT(i, 0, p0) ^ BIT(i, 1, p1) ^ BIT(i, 2, p2) ^ BIT(i, 3, p3))
#define HIGH(i, p4, p5, p6, p7) (BIT(i, 4, p4) ^ BIT(i, 5, p5) ^ BIT(i, 6, p6) ^ BIT(i, 7, p7))
#define ROW0(i)			LOW(i, P7, P6, P5, P4) ^ HIGH(i, P3, P2, P1, P0)
#define ROW1(i)			LOW(i, P15, P14, P13, P12) ^ HIGH(i, P11, P10, P9, P8)
#define ROW2(i)			LOW(i, P23, P22, P21, P20) ^ HIGH(i, P19, P18, P17, P16)
#define ROW3(i)			LOW(i, P31, P30, P29, P28) ^ HIGH(i, P27, P26, P25, P24)
#define N4(row, i)		row(i), row((i) + 1), row((i) + 2), row((i) + 3)
#define N16(row, i)		N4(row, i), N4(row, (i) + 4), N4(row, (i) + 8), N4(row, (i) + 12)
#define N64(row, i)		N16(row, i), N16(row, (i) + 16), N16(row, (i) + 32), N16(row, (i) + 48)
#define N256(row)                                                       \
	{                                                               \
		N64(row, 0), N64(row, 64), N64(row, 128), N64(row, 192) \
	}

static const uint32_t crc_table[4][256] = { N256(ROW0), N256(ROW1), N256(ROW2), N256(ROW3) };

uint32_t crypto_crc32(uint32_t crc, const void *p, size_t n)
{
	const uint8_t *b = p;

	crc = ~crc;
	for (; n >= 4; b += 4, n -= 4)
		crc = crc_table[3][(crc ^ b[0]) & 0xff] ^
		      crc_table[2][(crc >> 8 ^ b[1]) & 0xff] ^
		      crc_table[1][(crc >> 16 ^ b[2]) & 0xff] ^ crc_table[0][crc >> 24 ^ b[3]];
	for (; n > 0; b++, n--)
		crc = crc >> 8 ^ crc_table[0][(crc ^ b[0]) & 0xff];
	return ~crc;
}

static const char b64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void crypto_b64_encode(const void *p, size_t n, char *out)
{
	const uint8_t *b = p;

	for (; n > 0; b += 3) {
		size_t part = n < 3 ? n : 3;
		uint32_t v = (uint32_t)b[0] << 16;

		if (part > 1)
			v |= (uint32_t)b[1] << 8;
		if (part > 2)
			v |= b[2];
		*out++ = b64_digits[v >> 18];
		*out++ = b64_digits[v >> 12 & 63];
		*out++ = part > 1 ? b64_digits[v >> 6 & 63] : '=';
		*out++ = part > 2 ? b64_digits[v & 63] : '=';
		n -= part;
	}
	*out = 0;
}

/* The value of a digit, or -1. */
static int b64_value(char ch)
{
	enum { FIRST = '+', LAST = 'z' };
	static const int8_t value[LAST - FIRST + 1] = {
		62, -1, -1, -1, 63, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, -1, -1, -1, -1, -1,
		-1, -1, 0,  1,	2,  3,	4,  5,	6,  7,	8,  9,	10, 11, 12, 13, 14, 15, 16, 17,
		18, 19, 20, 21, 22, 23, 24, 25, -1, -1, -1, -1, -1, -1, 26, 27, 28, 29, 30, 31,
		32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51,
	};

	return ch >= FIRST && ch <= LAST ? value[ch - FIRST] : -1;
}

/* Takes padding off; what is padded has a length that is a multiple of four. */
static bool b64_strip(struct str *text)
{
	size_t pad = 0;

	while (pad < 2 && pad < text->len && text->p[text->len - 1 - pad] == '=')
		pad++;
	if (pad > 0 && text->len % 4 != 0)
		return false;
	text->len -= pad;
	return text->len % 4 != 1; /* six bits are no byte */
}

/* Digits only, and zeros in the bits behind the last byte: one text for one value. */
static bool b64_valid(struct str text)
{
	int v = 0;

	for (size_t i = 0; i < text.len; i++) {
		v = b64_value(text.p[i]);
		if (v < 0)
			return false;
	}
	if (text.len % 4 == 2)
		return (v & 15) == 0;
	return text.len % 4 != 3 || (v & 3) == 0;
}

enum err crypto_b64_decode(struct str text, uint8_t *out, size_t cap, size_t *n)
{
	uint32_t bits = 0;
	size_t len;

	if (!b64_strip(&text) || !b64_valid(text))
		return ERR_MALFORMED;
	len = text.len / 4 * 3 + (text.len % 4 ? text.len % 4 - 1 : 0);
	if (len > cap)
		return ERR_MALFORMED;
	for (size_t i = 0; i < text.len; i++) {
		bits = bits << 6 | (uint32_t)b64_value(text.p[i]);
		if (i % 4 > 0)
			*out++ = (uint8_t)(bits >> (6 - 2 * (i % 4)));
	}
	*n = len;
	return OK;
}

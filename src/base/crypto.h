/*
 * The only file that names OpenSSL's libcrypto. A `struct crypto` holds the fetched algorithms
 * and reusable contexts of one thread: fetching one per call costs more than the hash.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum {
	CRYPTO_MD5_LEN = 16,
	CRYPTO_SHA1_LEN = 20,
	CRYPTO_SHA256_LEN = 32,
	CRYPTO_GCM_TAG_LEN = 16,
	CRYPTO_GCM_NONCE_LEN = 12,
};

enum crypto_hash { CRYPTO_MD5, CRYPTO_SHA1, CRYPTO_SHA256 };

struct crypto; /* one per thread */

must_check enum err crypto_new(struct crypto **out);
void crypto_free(struct crypto *c);

/* HMAC over the concatenation of `parts`, into out (CRYPTO_SHA1_LEN or CRYPTO_SHA256_LEN bytes;
 * no other hash). Nothing is allocated, except that OpenSSL 3.0 takes and gives back 96 bytes
 * per hash within the call. */
must_check enum err crypto_hmac(struct crypto *c, enum crypto_hash h, struct str key,
				const struct str *parts, size_t n_parts, uint8_t *out);

/* Hash of the concatenation of `parts`, into out (as many bytes as the hash has). */
must_check enum err crypto_digest(struct crypto *c, enum crypto_hash h, const struct str *parts,
				  size_t n_parts, uint8_t *out);

/*
 * Opens what AES-GCM (NIST SP 800-38D) sealed: `sealed` is the ciphertext and its tag, `key` 16 or 32 bytes, `nonce`
 * CRYPTO_GCM_NONCE_LEN; out has room for the ciphertext. ERR_MALFORMED: it was not sealed under this key, nonce and
 * associated data, and out was wiped. Allocates.
 */
must_check enum err crypto_gcm_open(struct str key, struct str nonce, struct str aad, struct str sealed,
				    uint8_t *out);

/* CRC-32 of ITU V.42 (as in zip), for FINGERPRINT; start with crc = 0, chain for more. */
uint32_t crypto_crc32(uint32_t crc, const void *p, size_t n);

/* Same bytes? Takes the same time wherever they differ. */
bool crypto_equal(const void *a, const void *b, size_t n);

/* Overwrites secrets in a way that no compiler removes. */
void crypto_wipe(void *p, size_t n);

enum { CRYPTO_B64_LEN_MAX = 2048 };
/* Length of the base64 form of n bytes, padding included, without terminator. */
static inline size_t crypto_b64_len(size_t n)
{
	return (n + 2) / 3 * 4;
}
/* Standard base64 (RFC 4648 s.4) with padding; out has room for crypto_b64_len(n) + 1 bytes
 * and is terminated. */
void crypto_b64_encode(const void *p, size_t n, char *out);
/* Decodes with or without padding; at most cap bytes. ERR_MALFORMED on anything else. */
must_check enum err crypto_b64_decode(struct str text, uint8_t *out, size_t cap, size_t *n);

/* An authorization server for tests: seals what RFC 7635 s.6.2 has in an access token, or whatever else. */
#pragma once

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

enum { SEAL_NONCE = 12, SEAL_TAG = 16, SEAL_OVERHEAD = 2 + SEAL_NONCE + SEAL_TAG };

/* `out` has room for plain.len + SEAL_OVERHEAD; returns the token's length. key: 16 or 32 bytes. */
static inline size_t seal(struct str key, struct str server_name, struct str plain, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t *sealed = out + 2 + SEAL_NONCE;
	int n = 0;

	out[0] = 0;
	out[1] = SEAL_NONCE;
	memcpy(out + 2, "123456789012", SEAL_NONCE);
	EVP_EncryptInit_ex(ctx, key.len == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm(), NULL,
			   (const uint8_t *)key.p, out + 2);
	if (server_name.len)
		EVP_EncryptUpdate(ctx, NULL, &n, (const uint8_t *)server_name.p, (int)server_name.len);
	if (plain.len)
		EVP_EncryptUpdate(ctx, sealed, &n, (const uint8_t *)plain.p, (int)plain.len);
	EVP_EncryptFinal_ex(ctx, sealed + plain.len, &n);
	EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, SEAL_TAG, sealed + plain.len);
	EVP_CIPHER_CTX_free(ctx);
	return SEAL_OVERHEAD + plain.len;
}

/* The block of a token: a session key of key_len bytes, all `fill`; returns its length. */
static inline size_t seal_block(uint16_t key_len, uint8_t fill, uint64_t made_s, uint32_t lifetime_s, uint8_t *out)
{
	uint8_t *p = out;

	*p++ = (uint8_t)(key_len >> 8);
	*p++ = (uint8_t)key_len;
	memset(p, fill, key_len);
	p += key_len;
	for (int shift = 40; shift >= 0; shift -= 8)
		*p++ = (uint8_t)(made_s >> shift);
	*p++ = 0x7d; /* half a second */
	*p++ = 0;
	for (int shift = 24; shift >= 0; shift -= 8)
		*p++ = (uint8_t)(lifetime_s >> shift);
	return (size_t)(p - out);
}

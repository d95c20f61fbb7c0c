/*
 * Access tokens of third-party authorization (RFC 7635 s.6.2): sealed by an authorization server under a key
 * that it shares with us, opaque to the client. What is inside is the key that the client signs with.
 */
#pragma once

#include "base/crypto.h"
#include "conf/live.h"

enum {
	AUTH_TOKEN_KEY_LEN = 20,  /* s.6.2: a session key of 160 bits, for HMAC-SHA-1; no other is taken */
	AUTH_TOKEN_NONCE_LEN = 12, /* RFC 5116 s.5.1: of AES-GCM */
	/* nonce_length, nonce, key_length, mac_key, timestamp, lifetime, tag: every good token has this length */
	AUTH_TOKEN_LEN = 2 + AUTH_TOKEN_NONCE_LEN + 2 + AUTH_TOKEN_KEY_LEN + 8 + 4 + CRYPTO_GCM_TAG_LEN,
	AUTH_TOKEN_DELTA_S = 5,	   /* s.7: between the clocks */
};

struct auth_token {
	uint8_t mac_key[AUTH_TOKEN_KEY_LEN]; /* wiped by whoever holds it */
	int64_t made_s;			     /* seconds since 1970 */
	uint32_t lifetime_s;
};

/* Opens a token that was made for `server_name`. ERR_MALFORMED: it is none, not for us, or not under this key;
 * *out is untouched. */
must_check enum err auth_token_open(const struct conf_live_oauth *key, struct str server_name, struct str token,
				    struct auth_token *out);

/* Seconds that are left of it, s.9; 0 or less: it is not valid now. */
int64_t auth_token_left_s(const struct auth_token *t, int64_t wall_s);

/* Is the key that tokens are sealed with in force? */
bool auth_token_key_holds(const struct conf_live_oauth *key, int64_t wall_s);

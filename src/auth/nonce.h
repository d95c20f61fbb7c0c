/*
 * Stateless nonces (RFC 8489 s.9.2): the nonce cookie with no security features, then base64 of
 * the time, 32 bits that make each one different, and a MAC over both, the client's IP address
 * (not its port: NATs change that) and the realm. The MAC's key changes every day and is derived
 * from one secret, which the nodes of a cluster may share.
 *
 * The MAC is SipHash-2-4, 64 bits: who wants to forge one has to try it here, within the minutes
 * that a nonce lives, and gains only what somebody else's nonce is good for. HMAC-SHA256 in its
 * place cost 5 of the 60 microseconds that a session's set-up takes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/crypto.h"
#include "base/str.h"
#include "base/tick.h"

enum {
	AUTH_NONCE_COOKIE_LEN = 13,
	AUTH_NONCE_LEN = AUTH_NONCE_COOKIE_LEN + 22, /* 16 bytes in base64, unpadded */
	AUTH_NONCE_SECRET_LEN = 32,
};

struct auth_nonce {
	uint8_t secret[AUTH_NONCE_SECRET_LEN];
	struct {
		uint32_t day; /* 0: empty */
		uint64_t key[2];
	} cache[2]; /* by day & 1: today's and yesterday's */
};

enum auth_nonce_state {
	AUTH_NONCE_FRESH,
	AUTH_NONCE_STALE,   /* was ours, for this client; too old */
	AUTH_NONCE_FOREIGN, /* not ours, or another client's */
};

/* Copies the secret. One struct per thread. */
void auth_nonce_init(struct auth_nonce *n, const uint8_t secret[AUTH_NONCE_SECRET_LEN]);

/* Wipes the keys. */
void auth_nonce_fini(struct auth_nonce *n);

/* Writes AUTH_NONCE_LEN characters, without terminator. `salt` should be random. */
must_check enum err auth_nonce_make(struct auth_nonce *n, struct crypto *c, struct str realm,
				    const struct addr *client, int64_t wall_s, uint32_t salt,
				    char out[AUTH_NONCE_LEN]);

/* A salt that also tells the time in milliseconds, as far as its lower half does. */
uint32_t auth_nonce_salt(uint32_t chance, tick now);

/* How long ago a nonce of ours was made with such a salt, in milliseconds; it is not judged. -1: not within
 * half a minute, or by another server of the cluster, whose milliseconds are its own. */
int64_t auth_nonce_age_ms(struct str nonce, int64_t wall_s, tick now);

/* Does its cookie say that PASSWORD-ALGORITHMS came with it (RFC 8489 s.18.1, bit 0)? None of ours does. */
bool auth_nonce_offers_algorithms(struct str nonce);

/* Judges a nonce from outside. ttl_s 0: nonces do not age. */
enum auth_nonce_state auth_nonce_check(struct auth_nonce *n, struct crypto *c, struct str realm,
				       const struct addr *client, int64_t wall_s, int64_t ttl_s,
				       struct str nonce);

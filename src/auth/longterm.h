/* Keys of long-term credentials (RFC 8489 s.9.2.2). */
#pragma once

#include "base/crypto.h"
#include "base/str.h"

enum {
	AUTH_KEY_LEN = CRYPTO_MD5_LEN,
	AUTH_KEY_MAX = 20, /* of any credential: session keys of RFC 7635 are longer */
};

/* key = MD5(username ":" realm ":" password). The caller wipes the key. */
must_check enum err auth_longterm_key(struct crypto *c, struct str username, struct str realm,
				      struct str password, uint8_t key[AUTH_KEY_LEN]);

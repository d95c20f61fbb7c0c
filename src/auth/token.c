#include "auth/token.h"

#include <string.h>

#include "base/rd.h"

enum { SEALED_LEN = AUTH_TOKEN_LEN - 2 - AUTH_TOKEN_NONCE_LEN, PLAIN_LEN = SEALED_LEN - CRYPTO_GCM_TAG_LEN };

/* conf_live_add_oauth() took no other algorithms, and no shorter keys; of longer ones the first bytes count, as
 * in coturn. */
static struct str seal_key(const struct conf_live_oauth *key)
{
	size_t len = str_eq(key->alg, STR_LIT("A128GCM")) ? 16 : 32;

	return (struct str){ (const char *)key->key, len };
}

/* What was sealed, by somebody who has the key. */
static enum err read_plain(const uint8_t *plain, struct auth_token *out)
{
	struct rd r = rd_init(plain, PLAIN_LEN);
	struct auth_token t;
	uint16_t key_len = rd_u16(&r);
	struct str mac_key = rd_str(&r, AUTH_TOKEN_KEY_LEN);

	t.made_s = (int64_t)rd_u32(&r) << 16; /* s.6.2: 48 bits of seconds, then 16 of parts of one */
	t.made_s |= rd_u16(&r);
	(void)rd_u16(&r);
	t.lifetime_s = rd_u32(&r);
	if (!rd_exact(&r) || key_len != AUTH_TOKEN_KEY_LEN)
		return ERR_MALFORMED;
	memcpy(t.mac_key, mac_key.p, sizeof t.mac_key);
	*out = t;
	crypto_wipe(&t, sizeof t);
	return OK;
}

enum err auth_token_open(const struct conf_live_oauth *key, struct str server_name, struct str token,
			 struct auth_token *out)
{
	struct rd r = rd_init(token.p, token.len);
	uint8_t plain[PLAIN_LEN];
	uint16_t nonce_len = rd_u16(&r);
	struct str nonce = rd_str(&r, AUTH_TOKEN_NONCE_LEN), sealed = rd_str(&r, SEALED_LEN);
	enum err e;

	/* the length comes from outside: nothing is done by it but to compare it */
	if (!rd_exact(&r) || nonce_len != AUTH_TOKEN_NONCE_LEN)
		return ERR_MALFORMED;
	/* s.6.2: the server's name MUST be the associated data */
	e = crypto_gcm_open(seal_key(key), nonce, server_name, sealed, plain);
	if (!e)
		e = read_plain(plain, out);
	crypto_wipe(plain, sizeof plain);
	return e;
}

int64_t auth_token_left_s(const struct auth_token *t, int64_t wall_s)
{
	int64_t age = wall_s > t->made_s ? wall_s - t->made_s : t->made_s - wall_s;

	return (int64_t)t->lifetime_s + AUTH_TOKEN_DELTA_S - age; /* 48 and 32 bits: no overflow */
}

bool auth_token_key_holds(const struct conf_live_oauth *key, int64_t wall_s)
{
	if (key->timestamp_s && wall_s + AUTH_TOKEN_DELTA_S < key->timestamp_s)
		return false;
	return !key->lifetime_s || !key->timestamp_s ||
	       wall_s - AUTH_TOKEN_DELTA_S <= key->timestamp_s + key->lifetime_s;
}

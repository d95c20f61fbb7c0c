#include "auth/nonce.h"

#include <endian.h>
#include <string.h>

#include "base/bug.h"
#include "base/rd.h"
#include "base/wr.h"

enum {
	COOKIE_TEXT_LEN = 9, /* "obMatJos2" */
	STAMP_LEN = 8,	     /* time and salt */
	MAC_LEN = 8,
	RAW_LEN = STAMP_LEN + MAC_LEN,
	BODY_LEN = AUTH_NONCE_LEN - AUTH_NONCE_COOKIE_LEN,
	DAY_S = 86400,
	REALM_MAX = 763, /* RFC 8489 s.14.9 */
	AGE_MAX_S = 30, /* half of what 16 bits of milliseconds tell apart */
	SKEW_S = 60,	 /* clocks of a cluster may differ by this much */
};

/* RFC 8489 s.9.2: the fixed string, and base64 of 24 zero bits: no security features */
static const char COOKIE[AUTH_NONCE_COOKIE_LEN + 1] = "obMatJos2AAAA";

void auth_nonce_init(struct auth_nonce *n, const uint8_t secret[AUTH_NONCE_SECRET_LEN])
{
	memset(n, 0, sizeof *n);
	memcpy(n->secret, secret, AUTH_NONCE_SECRET_LEN);
}

void auth_nonce_fini(struct auth_nonce *n)
{
	crypto_wipe(n, sizeof *n);
}

static enum err day_key(struct auth_nonce *n, struct crypto *c, uint32_t day,
			const uint64_t **key)
{
	uint8_t text[4], full[CRYPTO_SHA256_LEN];
	const struct str parts[] = { STR_LIT("taciturn nonce key "),
				     { (char *)text, sizeof text } };
	struct str secret = { (const char *)n->secret, sizeof n->secret };
	enum err e;

	if (n->cache[day & 1].day != day) {
		wr_put16(text, (uint16_t)(day >> 16));
		wr_put16(text + 2, (uint16_t)day);
		n->cache[day & 1].day = 0;
		e = crypto_hmac(c, CRYPTO_SHA256, secret, parts, ARRAY_LEN(parts), full);
		if (e)
			return e;
		for (int i = 0; i < 2; i++) { /* the same on every machine of a cluster */
			memcpy(&n->cache[day & 1].key[i], full + 8 * i, 8);
			n->cache[day & 1].key[i] = le64toh(n->cache[day & 1].key[i]);
		}
		crypto_wipe(full, sizeof full);
		n->cache[day & 1].day = day;
	}
	*key = n->cache[day & 1].key;
	return OK;
}

static enum err mac(struct auth_nonce *n, struct crypto *c, struct str realm,
		    const struct addr *client, const uint8_t stamp[STAMP_LEN],
		    uint8_t out[MAC_LEN])
{
	uint8_t text[STAMP_LEN + 1 + sizeof client->ip + REALM_MAX];
	struct wr w = wr_init(text, sizeof text);
	struct rd r = rd_init(stamp, STAMP_LEN);
	const uint64_t *key;
	uint64_t tag;
	enum err e = day_key(n, c, rd_u32(&r) / DAY_S + 1, &key);

	if (e)
		return e;
	wr_bytes(&w, stamp, STAMP_LEN);
	wr_u8(&w, client->family);
	wr_bytes(&w, client->ip, sizeof client->ip);
	wr_bytes(&w, realm.p, realm.len);
	if (w.bad)
		return ERR_RANGE;
	tag = htole64(addr_siphash_mac(key, text, wr_len(&w)));
	memcpy(out, &tag, MAC_LEN);
	return OK;
}

enum err auth_nonce_make(struct auth_nonce *n, struct crypto *c, struct str realm,
			 const struct addr *client, int64_t wall_s, uint32_t salt,
			 char out[AUTH_NONCE_LEN])
{
	uint8_t raw[RAW_LEN], tag[MAC_LEN];
	char text[(RAW_LEN + 2) / 3 * 4 + 1];
	struct wr w = wr_init(raw, sizeof raw);
	enum err e;

	wr_u32(&w, (uint32_t)wall_s);
	wr_u32(&w, salt);
	e = mac(n, c, realm, client, raw, tag);
	if (e)
		return e;
	wr_bytes(&w, tag, MAC_LEN);
	crypto_b64_encode(raw, sizeof raw, text);
	memcpy(out, COOKIE, AUTH_NONCE_COOKIE_LEN);
	memcpy(out + AUTH_NONCE_COOKIE_LEN, text, BODY_LEN); /* without the "==" at its end */
	return OK;
}

uint32_t auth_nonce_salt(uint32_t chance, tick now)
{
	return (chance & ~(uint32_t)UINT16_MAX) | (uint16_t)now;
}

int64_t auth_nonce_age_ms(struct str nonce, int64_t wall_s, tick now)
{
	uint8_t raw[RAW_LEN];
	size_t len = 0;

	if (nonce.len != AUTH_NONCE_LEN)
		return -1;
	struct str body = { nonce.p + AUTH_NONCE_COOKIE_LEN, BODY_LEN };
	if (crypto_b64_decode(body, raw, sizeof raw, &len) || len != sizeof raw)
		return -1;
	struct rd r = rd_init(raw, sizeof raw);
	int64_t age_s = (int64_t)(uint32_t)wall_s - (int64_t)rd_u32(&r);
	int64_t ms = (uint16_t)((uint16_t)now - (uint16_t)rd_u32(&r));

	/* both clocks have to agree, but for the second that is cut off */
	if (age_s < 0 || age_s > AGE_MAX_S || ms / 1000 > age_s + 1 || ms / 1000 + 1 < age_s)
		return -1;
	return ms;
}

bool auth_nonce_offers_algorithms(struct str nonce)
{
	struct str features = { nonce.p + COOKIE_TEXT_LEN, AUTH_NONCE_COOKIE_LEN - COOKIE_TEXT_LEN };
	uint8_t bits[3];
	size_t len = 0;

	if (nonce.len < AUTH_NONCE_COOKIE_LEN || memcmp(nonce.p, COOKIE, COOKIE_TEXT_LEN) != 0 ||
	    crypto_b64_decode(features, bits, sizeof bits, &len) || len != sizeof bits)
		return false;
	return bits[0] & 0x80;
}

enum auth_nonce_state auth_nonce_check(struct auth_nonce *n, struct crypto *c, struct str realm,
				       const struct addr *client, int64_t wall_s, int64_t ttl_s,
				       struct str nonce)
{
	uint8_t raw[RAW_LEN], tag[MAC_LEN];
	size_t len = 0;

	if (nonce.len != AUTH_NONCE_LEN || memcmp(nonce.p, COOKIE, AUTH_NONCE_COOKIE_LEN) != 0)
		return AUTH_NONCE_FOREIGN;
	struct str body = { nonce.p + AUTH_NONCE_COOKIE_LEN, BODY_LEN };
	if (crypto_b64_decode(body, raw, sizeof raw, &len) || len != sizeof raw)
		return AUTH_NONCE_FOREIGN;

	/* Time first: it costs nothing, and bounds the days whose keys are ever derived. */
	struct rd r = rd_init(raw, sizeof raw);
	int64_t age = (int64_t)(uint32_t)wall_s - (int64_t)rd_u32(&r);
	if (age < -SKEW_S || (ttl_s > 0 && age > ttl_s))
		return AUTH_NONCE_STALE;
	if (mac(n, c, realm, client, raw, tag) || !crypto_equal(tag, raw + STAMP_LEN, MAC_LEN))
		return AUTH_NONCE_FOREIGN;
	return AUTH_NONCE_FRESH;
}

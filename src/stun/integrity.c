#include "stun/msg.h"

enum { ATTR_HEADER_LEN = 4 };

static const uint32_t fingerprint_xor = 0x5354554E; /* RFC 8489 s.14.7 */

/*
 * HMAC over the message up to `off`, where an integrity attribute of `attr_len` bytes with its
 * header stands, the length field counted up to the attribute's end (s.14.5, 14.6). The message is
 * lent, so the changed field goes in as a part of its own.
 */
static enum err mac_of(struct crypto *c, enum crypto_hash h, struct str key, const uint8_t *raw,
		       size_t off, size_t attr_len, uint8_t *out)
{
	uint8_t length[2];
	const struct str parts[] = {
		{ (const char *)raw, 2 },
		{ (const char *)length, 2 },
		{ (const char *)raw + 4, off - 4 },
	};

	wr_put16(length, (uint16_t)(off + attr_len - STUN_HEADER_LEN));
	return crypto_hmac(c, h, key, parts, 3, out);
}

bool stun_integrity_ok(struct crypto *c, const struct stun_msg *m, struct str key)
{
	uint8_t mac[CRYPTO_SHA1_LEN];
	bool ok;

	if (!m->integrity_off)
		return false;
	if (mac_of(c, CRYPTO_SHA1, key, m->raw, m->integrity_off, STUN_INTEGRITY_ATTR_LEN, mac))
		return false;
	ok = crypto_equal(mac, m->raw + m->integrity_off + ATTR_HEADER_LEN, sizeof mac);
	crypto_wipe(mac, sizeof mac);
	return ok;
}

bool stun_integrity256_ok(struct crypto *c, const struct stun_msg *m, struct str key)
{
	uint8_t mac[CRYPTO_SHA256_LEN];
	bool ok;

	/* s.14.6: the full 32 bytes unless the usage allows truncation, and TURN does not. */
	if (!m->integrity256_off || m->integrity256_len != CRYPTO_SHA256_LEN)
		return false;
	if (mac_of(c, CRYPTO_SHA256, key, m->raw, m->integrity256_off,
		   STUN_INTEGRITY256_ATTR_LEN, mac))
		return false;
	ok = crypto_equal(mac, m->raw + m->integrity256_off + ATTR_HEADER_LEN, sizeof mac);
	crypto_wipe(mac, sizeof mac);
	return ok;
}

bool stun_fingerprint_ok(const struct stun_msg *m)
{
	struct rd r;

	if (!stun_has(m, STUN_A_FINGERPRINT))
		return true;
	if (!m->fingerprint_off) /* present, but of a wrong length */
		return false;
	r = rd_init(m->raw + m->fingerprint_off + ATTR_HEADER_LEN, 4);
	return rd_u32(&r) == (crypto_crc32(0, m->raw, m->fingerprint_off) ^ fingerprint_xor);
}

static enum err add_mac(struct wr *w, struct crypto *c, enum crypto_hash h, struct str key)
{
	const uint8_t dummy[CRYPTO_SHA256_LEN] = { 0 };
	size_t len = h == CRYPTO_SHA1 ? CRYPTO_SHA1_LEN : CRYPTO_SHA256_LEN;
	size_t off = wr_len(w);
	enum err e;

	/* The attribute goes in first: then the length field is what the HMAC wants (s.14.5). */
	stun_add(w,
		 h == CRYPTO_SHA1 ? STUN_T_MESSAGE_INTEGRITY : STUN_T_MESSAGE_INTEGRITY_SHA256,
		 dummy, len);
	if (w->bad)
		return ERR_FULL;
	e = crypto_hmac(c, h, key, &(struct str){ (const char *)w->start, off }, 1, w->p - len);
	if (e)
		w->bad = true;
	return e;
}

enum err stun_add_integrity(struct wr *w, struct crypto *c, struct str key)
{
	return add_mac(w, c, CRYPTO_SHA1, key);
}

enum err stun_add_integrity256(struct wr *w, struct crypto *c, struct str key)
{
	return add_mac(w, c, CRYPTO_SHA256, key);
}

void stun_add_fingerprint(struct wr *w)
{
	size_t off = wr_len(w);
	struct wr value;

	stun_add_u32(w, STUN_T_FINGERPRINT, 0);
	if (w->bad)
		return;
	value = wr_init(w->p - 4, 4);
	wr_u32(&value, crypto_crc32(0, w->start, off) ^ fingerprint_xor);
}

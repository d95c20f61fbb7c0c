#include "base/bug.h"
#include "stun/msg.h"

enum {
	LENGTH_OFF = 2,
	LENGTH_MAX = 65532 /* of what follows the header: the last multiple of 4 */
};

uint16_t stun_type(uint16_t method, enum stun_class cls)
{
	/* The class bits sit between the method's: M11..M7 C1 M6..M4 C0 M3..M0 (RFC 8489 s.5). */
	return (uint16_t)((method & 0x00F) | (method & 0x070) << 1 | (method & 0xF80) << 2 |
			  ((unsigned)cls & 1) << 4 | ((unsigned)cls & 2) << 7);
}

void stun_begin(struct wr *w, enum stun_class cls, uint16_t method,
		const uint8_t txid[STUN_TXID_LEN])
{
	BUG_ON(wr_len(w) != 0);
	wr_u16(w, stun_type(method, cls));
	wr_u16(w, 0);
	wr_u32(w, STUN_COOKIE);
	wr_bytes(w, txid, STUN_TXID_LEN);
}

/* The header of an attribute and room for its value, which the caller fills; the padding is
 * zero (s.14) and the message's length right already. NULL: it does not fit. */
static uint8_t *attr_room(struct wr *w, uint16_t type, size_t len)
{
	uint8_t *b;
	size_t body;

	if (w->bad)
		return NULL;
	BUG_ON(wr_len(w) < STUN_HEADER_LEN);
	body = wr_len(w) - STUN_HEADER_LEN;
	if (len > LENGTH_MAX || body + 4 + len > LENGTH_MAX) {
		w->bad = true;
		return NULL;
	}
	b = wr_room(w, 4 + ((len + 3) & ~(size_t)3));
	if (!b)
		return NULL;
	wr_put16(b, type);
	wr_put16(b + 2, (uint16_t)len);
	memset(b + 4 + len, 0, -len & 3);
	wr_patch16(w, LENGTH_OFF, (uint16_t)(wr_len(w) - STUN_HEADER_LEN));
	return b + 4;
}

void stun_add(struct wr *w, uint16_t type, const void *value, size_t len)
{
	uint8_t *b = attr_room(w, type, len);

	if (b && len)
		memcpy(b, value, len);
}

void stun_add_u32(struct wr *w, uint16_t type, uint32_t v)
{
	uint8_t *b = attr_room(w, type, 4);

	if (!b)
		return;
	wr_put16(b, (uint16_t)(v >> 16));
	wr_put16(b + 2, (uint16_t)v);
}

void stun_add_str(struct wr *w, uint16_t type, struct str s)
{
	stun_add(w, type, s.p, s.len);
}

/* ERROR-CODE and ADDRESS-ERROR-CODE differ in the first byte only (RFC 8656 s.18.12). */
static void add_error(struct wr *w, uint16_t type, uint8_t first, unsigned code,
		      struct str reason)
{
	uint8_t *b;

	BUG_ON(code < 300 || code > 699); /* s.14.8 */
	b = attr_room(w, type, 4 + reason.len);
	if (!b)
		return;
	b[0] = first;
	b[1] = 0;
	b[2] = (uint8_t)(code / 100);
	b[3] = (uint8_t)(code % 100);
	if (reason.len)
		memcpy(b + 4, reason.p, reason.len);
}

void stun_add_error(struct wr *w, unsigned code, struct str reason)
{
	add_error(w, STUN_T_ERROR_CODE, 0, code, reason);
}

void stun_add_address_error(struct wr *w, enum addr_family f, unsigned code, struct str reason)
{
	BUG_ON(f != ADDR_V4 && f != ADDR_V6);
	add_error(w, STUN_T_ADDRESS_ERROR_CODE, f == ADDR_V4 ? 1 : 2, code, reason);
}

void stun_add_unknown(struct wr *w, const uint16_t *types, size_t n)
{
	uint8_t *b = attr_room(w, STUN_T_UNKNOWN_ATTRIBUTES, 2 * n);

	for (size_t i = 0; b && i < n; i++)
		wr_put16(b + 2 * i, types[i]);
}

void stun_add_icmp(struct wr *w, uint8_t type, uint8_t code, uint32_t data)
{
	uint8_t *b = attr_room(w, STUN_T_ICMP, 8);

	if (!b)
		return;
	/* RFC 8656 s.18.13 draws 7 and 9 bits for type and code; ICMP has 8 and 8, as meant, and as most
	 * clients that know the attribute read it. */
	wr_put16(b, 0);
	b[2] = type;
	b[3] = code;
	wr_put16(b + 4, (uint16_t)(data >> 16));
	wr_put16(b + 6, (uint16_t)data);
}

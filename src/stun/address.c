#include "stun/address.h"

#include "base/bug.h"
#include "stun/msg.h"

enum {
	FAMILY_V4 = 1, /* RFC 8489 s.14.1 */
	FAMILY_V6 = 2,
	MASK_OFF = 4, /* cookie and transaction id: 16 bytes of the header */
};

static void xor_ip(uint8_t *ip, const uint8_t *mask, size_t n)
{
	for (size_t i = 0; i < n && i < 16; i++)
		ip[i] ^= mask[i];
}

static uint16_t mask_port(const uint8_t *mask)
{
	return mask ? (uint16_t)(mask[0] << 8 | mask[1]) : 0;
}

bool stun_address_decode(struct rd value, const uint8_t *mask, struct addr *out)
{
	struct addr a = { .family = ADDR_NONE };
	uint16_t family = rd_u16(&value) & 0xFF; /* the first byte is to be ignored, s.14.1 */
	const uint8_t *ip;

	a.port = rd_u16(&value) ^ mask_port(mask);
	if (family == FAMILY_V4)
		a.family = ADDR_V4;
	else if (family == FAMILY_V6)
		a.family = ADDR_V6;
	else
		return false;
	ip = rd_take(&value, addr_ip_len(&a));
	if (!ip || !rd_exact(&value))
		return false;
	memcpy(a.ip, ip, addr_ip_len(&a));
	if (mask)
		xor_ip(a.ip, mask, addr_ip_len(&a));
	*out = a;
	return true;
}

static void add_addr(struct wr *w, uint16_t type, const struct addr *a, const uint8_t *mask)
{
	uint8_t v[20] = { 0, a->family == ADDR_V4 ? FAMILY_V4 : FAMILY_V6 };
	size_t n = addr_ip_len(a);

	BUG_ON(n == 0);
	wr_put16(v + 2, a->port ^ mask_port(mask));
	memcpy(v + 4, a->ip, n);
	if (mask)
		xor_ip(v + 4, mask, n);
	stun_add(w, type, v, 4 + n);
}

void stun_add_addr(struct wr *w, uint16_t type, const struct addr *a)
{
	add_addr(w, type, a, NULL);
}

void stun_add_xor_addr(struct wr *w, uint16_t type, const struct addr *a)
{
	if (w->bad) /* then there may be no header to take the mask from */
		return;
	BUG_ON(wr_len(w) < STUN_HEADER_LEN);
	add_addr(w, type, a, w->start + MASK_OFF);
}

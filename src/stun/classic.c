#include "stun/classic.h"

#include <string.h>

#include "stun/msg.h"

enum {
	CODE = 500,
	COOKIE_OFF = 4,
	METHOD_MAX = 0xF,
};

static bool has_cookie(const void *raw, size_t len)
{
	struct rd r = rd_init(raw, len);

	rd_u32(&r);
	return rd_u32(&r) == STUN_COOKIE;
}

bool stun_classic_renew(const void *raw, size_t len, uint8_t out[STUN_CLASSIC_MAX])
{
	struct rd r = rd_init(raw, len);

	if (len < STUN_HEADER_LEN || len > STUN_CLASSIC_MAX || has_cookie(raw, len) ||
	    rd_u16(&r) != STUN_BINDING)
		return false;
	memcpy(out, raw, len);
	wr_put16(out + COOKIE_OFF, (uint16_t)(STUN_COOKIE >> 16));
	wr_put16(out + COOKIE_OFF + 2, (uint16_t)STUN_COOKIE);
	return true;
}

void stun_classic_restore(const void *request, struct wr *answer)
{
	struct rd r = rd_init(request, STUN_HEADER_LEN);

	rd_u32(&r);
	wr_patch16(answer, COOKIE_OFF, rd_u16(&r));
	wr_patch16(answer, COOKIE_OFF + 2, rd_u16(&r));
}

bool stun_classic_refuse(const void *raw, size_t len, struct wr *out)
{
	struct rd r = rd_init(raw, len);
	uint16_t type = rd_u16(&r);
	uint16_t length = rd_u16(&r);
	uint16_t high = rd_u16(&r);
	uint16_t low = rd_u16(&r);
	const uint8_t *txid = rd_take(&r, STUN_TXID_LEN);

	/* the types of requests that there were are their methods: 1 and 2 */
	if (!txid || type == 0 || type > METHOD_MAX || length != rd_left(&r) || length % 4 ||
	    ((uint32_t)high << 16 | low) == STUN_COOKIE)
		return false;
	stun_begin(out, STUN_ERROR, type, txid);
	wr_patch16(out, COOKIE_OFF, high);
	wr_patch16(out, COOKIE_OFF + 2, low);
	stun_add_error(out, CODE, stun_error_text(CODE));
	return !out->bad;
}

#include "stun/classic.h"

#include "stun/msg.h"

enum {
	CODE = 500,
	COOKIE_OFF = 4,
	METHOD_MAX = 0xF,
};

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

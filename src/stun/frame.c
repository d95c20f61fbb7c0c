#include "stun/frame.h"

#include "stun/chan.h"
#include "stun/msg.h"

/* What of the fixed fields is there must be right (RFC 8489 s.5). */
static enum stun_frame message(struct rd r, size_t len, size_t *len_msg)
{
	uint16_t body;

	rd_u16(&r);
	if (rd_left(&r) < 2)
		return STUN_FRAME_MORE;
	body = rd_u16(&r);
	if (body % 4)
		return STUN_FRAME_BAD;
	if (rd_left(&r) < 4)
		return STUN_FRAME_MORE;
	if (rd_u32(&r) != STUN_COOKIE)
		return STUN_FRAME_BAD;
	*len_msg = STUN_HEADER_LEN + (size_t)body;
	return len < *len_msg ? STUN_FRAME_MORE : STUN_FRAME_WHOLE;
}

static enum stun_frame channel_data(struct rd r, size_t len, size_t *len_msg, size_t *len_all)
{
	rd_u16(&r);
	if (rd_left(&r) < 2)
		return STUN_FRAME_MORE;
	*len_msg = STUN_CHAN_HEADER_LEN + (size_t)rd_u16(&r);
	*len_all = (*len_msg + 3) / 4 * 4;
	return len < *len_all ? STUN_FRAME_MORE : STUN_FRAME_WHOLE;
}

enum stun_frame stun_frame_next(const uint8_t *p, size_t len, size_t *len_msg, size_t *len_all)
{
	enum stun_frame f;

	if (len == 0)
		return STUN_FRAME_MORE;
	if (p[0] >= STUN_CHAN_MIN >> 8)
		return channel_data(rd_init(p, len), len, len_msg, len_all);
	*len_msg = 0;
	f = message(rd_init(p, len), len, len_msg);
	*len_all = *len_msg;
	return f;
}

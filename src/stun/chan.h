/* The ChannelData header (RFC 8656 s.12.4). */
#pragma once

#include "base/rd.h"
#include "base/wr.h"

enum {
	STUN_CHAN_HEADER_LEN = 4,
	STUN_CHAN_MIN = 0x4000,
	STUN_CHAN_MAX = 0x4FFF,	     /* RFC 8656 s.12 */
	STUN_CHAN_MAX_5766 = 0x7FFF, /* RFC 5766 s.11 */
};

struct stun_chan {
	uint16_t number;
	struct str data; /* borrowed from the datagram */
};

/* One ChannelData message that is a whole datagram; what follows the claimed length is padding
 * (RFC 8656 s.12.5). False: shorter than it claims (s.12.6). The number is not judged. */
static inline bool stun_chan_decode(const void *p, size_t len, struct stun_chan *out)
{
	struct rd r = rd_init(p, len);

	out->number = rd_u16(&r);
	out->data = rd_str(&r, rd_u16(&r));
	return rd_ok(&r);
}

static inline void stun_chan_header(uint8_t out[STUN_CHAN_HEADER_LEN], uint16_t number,
				    uint16_t len)
{
	wr_put16(out, number);
	wr_put16(out + 2, len);
}

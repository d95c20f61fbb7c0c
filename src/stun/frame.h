/* Cuts STUN and ChannelData messages out of a byte stream (RFC 8489 s.6.2.2, RFC 8656 s.12.5). Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum stun_frame {
	STUN_FRAME_WHOLE,
	STUN_FRAME_MORE, /* it goes on beyond what is there */
	STUN_FRAME_BAD,	 /* no message begins like this: the stream is lost */
};

enum { STUN_FRAME_MAX = 20 + 65535 }; /* the longest message, padding included */

/*
 * Looks at the first message of p[0 .. len). Whole: *len_msg are its bytes, *len_all those with the
 * padding that follows ChannelData (which must be there too). What nobody serves is cut out like any other,
 * for whoever gets it to drop: data with a reserved channel number (0x5000 to 0xFFFF, RFC 8656 s.12.6),
 * messages of methods above 0x0FF, whose first byte is above 3.
 */
enum stun_frame stun_frame_next(const uint8_t *p, size_t len, size_t *len_msg, size_t *len_all);

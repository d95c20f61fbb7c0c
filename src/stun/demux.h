/* What a datagram or stream frame is, by its first byte (RFC 7983, RFC 8656 table 3). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum stun_kind { STUN_KIND_MSG, STUN_KIND_CHANNEL, STUN_KIND_DTLS, STUN_KIND_JUNK };

/* `wide`: channel numbers up to 0x7FFF, as RFC 5766 had them (option rfc5766-channel-numbers). */
static inline enum stun_kind stun_demux(uint8_t first, bool wide)
{
	if (first <= 3)
		return STUN_KIND_MSG;
	if (first >= 64 && first <= (wide ? 127 : 79))
		return STUN_KIND_CHANNEL;
	if (first >= 20 && first <= 63)
		return STUN_KIND_DTLS;
	return STUN_KIND_JUNK;
}

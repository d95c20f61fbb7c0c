/* The protocol before the magic cookie (RFC 3489): refused in words under DTLS, and served over UDP where an
 * option asks for it. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wr.h"

/*
 * Is this a request without the magic cookie? Then *out, which must be empty, gets the answer 500 (RFC 8489
 * s.11, RFC 7350 s.3). It carries what stands in the cookie's place, for that is a part of the client's
 * transaction id.
 */
bool stun_classic_refuse(const void *raw, size_t len, struct wr *out);

enum { STUN_CLASSIC_MAX = 548 }; /* RFC 8489 s.6.1: what no path cuts */

/*
 * Is this a Binding request without the magic cookie? Then `out` gets it with one, `len` bytes, to be decoded
 * as any message.
 */
bool stun_classic_renew(const void *raw, size_t len, uint8_t out[STUN_CLASSIC_MAX]);

/* Gives an answer what stood in the cookie's place of its request (RFC 5389 s.12.2). */
void stun_classic_restore(const void *request, struct wr *answer);

/* The protocol before the magic cookie (RFC 3489): not served, but refused in words under DTLS. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/wr.h"

/*
 * Is this a request without the magic cookie? Then *out, which must be empty, gets the answer 500 (RFC 8489
 * s.11, RFC 7350 s.3). It carries what stands in the cookie's place, for that is a part of the client's
 * transaction id.
 */
bool stun_classic_refuse(const void *raw, size_t len, struct wr *out);

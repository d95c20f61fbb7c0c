/* Clients that are sent to another server (RFC 8489 s.10, RFC 8656 s.7.2): alternate-server. */
#pragma once

#include "turn/server.h"

/*
 * Is this authenticated Allocate to be answered with 300, and ALTERNATE-SERVER? Not where nothing could sign
 * the answer (s.14.8), the list of the client's transport names the address that it came to, or has nothing of
 * its family. The choice hangs on the transaction id: a retransmission gets the same answer. With true, the
 * answer is in `out`, or *v says that there is none.
 */
bool turn_redirect(struct turn_env *env, struct turn_tx *tx, struct wr *out, enum turn_verdict *v);

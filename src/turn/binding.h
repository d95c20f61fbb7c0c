/* Binding (RFC 8489 s.6.3.1, s.12): what a client looks like from here. */
#pragma once

#include "turn/server.h"

/* Needs no session, keeps nothing. */
enum turn_verdict turn_binding_request(struct turn_env *env, struct turn_tx *tx,
				       struct wr *out);

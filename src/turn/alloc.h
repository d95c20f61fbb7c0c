/* Allocate and Refresh (RFC 8656 s.7, s.8): lifetimes, families, idempotent retransmission. */
#pragma once

#include "turn/server.h"

/* Allocate. TURN_WANT_RELAY when the request is good: the caller opens tx->want. */
enum turn_verdict turn_alloc_request(struct turn_env *env, struct turn_tx *tx, struct wr *out);

/* The session tx->session has the legs it asked for (turn_session_add_leg): the success answer. A
 * dual allocation that got one family has the reason in session->alloc_address_error. */
enum turn_verdict turn_alloc_done(struct turn_env *env, struct turn_tx *tx, struct wr *out);

/* What was wanted cannot be had: the answer with 486, 500 or 508. */
enum turn_verdict turn_alloc_fail(struct turn_env *env, struct turn_tx *tx, unsigned code,
				  struct wr *out);

/* Refresh, in an existing session of this user. */
enum turn_verdict turn_alloc_refresh(struct turn_env *env, struct turn_tx *tx, struct wr *out);

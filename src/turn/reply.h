/* The only writer of responses: success, error, what goes with each, integrity, fingerprint. */
#pragma once

#include "turn/server.h"

/* Are answers to this client rationed while it has not authenticated? Not on a stream: its source cannot be
 * somebody else's, and it would wait for the answer in vain. */
bool turn_reply_is_rationed(const struct turn_env *env, const struct turn_tx *tx);

/* Starts an answer to tx->req in the empty writer. */
void turn_reply_begin(const struct turn_tx *tx, enum stun_class cls, struct wr *out);

/* SOFTWARE, MESSAGE-INTEGRITY and FINGERPRINT as they are due. TURN_REPLY, or TURN_DROP when the
 * answer could not be made. */
enum turn_verdict turn_reply_finish(struct turn_env *env, struct turn_tx *tx, struct wr *out);

/* A whole error answer: `return turn_reply_error(env, tx, 437, out);`. 401 and 438 get a realm
 * and a new nonce; unauthenticated ones are rationed and carry no reason phrase, so that they
 * are no larger than they must be. */
enum turn_verdict turn_reply_error(struct turn_env *env, struct turn_tx *tx, unsigned code,
				   struct wr *out);

enum { TURN_MAX_UNKNOWN = STUN_MAX_UNKNOWN + 4 };

/* The comprehension-required attributes of a request that this server does not serve, though the codec may
 * know them, into `types`; returns how many (RFC 8489 s.6.3.1). */
size_t turn_reply_not_served(const struct stun_msg *req, uint16_t types[TURN_MAX_UNKNOWN]);

/* 420 with the attributes that were not understood. */
enum turn_verdict turn_reply_unknown(struct turn_env *env, struct turn_tx *tx,
				     const uint16_t *types, size_t n, struct wr *out);

/* The only writer of responses: success, error, what goes with each, integrity, fingerprint. */
#pragma once

#include "turn/server.h"

/* What of a request decides about the attributes of its answer, whatever that is. */
#define TURN_REPLY_MIRRORED \
	(STUN_BIT(FINGERPRINT) | STUN_BIT(PASSWORD_ALGORITHM) | STUN_BIT(PASSWORD_ALGORITHMS))

/* Are answers to this client rationed while it has not authenticated? Not on a stream: its source cannot be
 * somebody else's, and it would wait for the answer in vain. */
bool turn_reply_is_rationed(const struct turn_env *env, const struct turn_tx *tx);

/* Starts an answer to tx->req in the empty writer. */
void turn_reply_begin(const struct turn_tx *tx, enum stun_class cls, struct wr *out);

/* SOFTWARE, MESSAGE-INTEGRITY and FINGERPRINT as they are due. TURN_REPLY, or TURN_DROP when the
 * answer could not be made. */
enum turn_verdict turn_reply_finish(struct turn_env *env, struct turn_tx *tx, struct wr *out);

/* A whole error answer: `return turn_reply_error(env, tx, 437, out);`. 401 and 438 get a realm
 * and a new nonce; unauthenticated ones are rationed and, over UDP, carry no reason phrase, so
 * that they are no larger than they must be. */
enum turn_verdict turn_reply_error(struct turn_env *env, struct turn_tx *tx, unsigned code,
				   struct wr *out);

/* Must attributes be understood that are not, though the codec may know them (RFC 8489 s.6.3)? RFC 5780:
 * whoever asks for an answer from elsewhere must not mistake one from here for it (s.6.1); RFC 7635: a
 * token that nobody looks at proves nothing. */
static inline bool turn_reply_is_unknown(const struct turn_env *env, const struct stun_msg *m)
{
	const uint64_t not_served = STUN_BIT(CHANGE_REQUEST) | STUN_BIT(RESPONSE_PORT) |
				    STUN_BIT(PADDING) |
				    (env->auth.conf->oauth ? 0 : STUN_BIT(ACCESS_TOKEN));

	return m->n_unknown || m->present & not_served;
}

/* Where a client may go instead; what is NULL or empty is left out. */
struct turn_alternates {
	const struct addr *first; /* of the client's own family */
	const struct addr *second;
	struct str domain;
};

/* 300 Try Alternate, to a client that has authenticated. */
enum turn_verdict turn_reply_redirect(struct turn_env *env, struct turn_tx *tx,
				      const struct turn_alternates *to, struct wr *out);

/* 420 with the attributes of the request that were not understood: all that fit, which are more than a
 * datagram of the usual size can bring. */
enum turn_verdict turn_reply_unknown(struct turn_env *env, struct turn_tx *tx, struct wr *out);

/* 420 with an attribute that is known, but cannot be obeyed here: as if it were not understood. */
enum turn_verdict turn_reply_unserved(struct turn_env *env, struct turn_tx *tx, uint16_t type,
				      struct wr *out);

/*
 * The entrance of the protocol core: one request in, a verdict and bytes out. No sockets, no
 * clock, no randomness but what the environment brings; one thread per environment.
 */
#pragma once

#include "base/wr.h"
#include "turn/policy.h"
#include "turn/session.h"
#include "turn/verdict.h"

/* Longest answer there is: success with three addresses, a token, and the trimmings. */
enum { TURN_ANSWER_MAX = 1024 };

/* What a good Allocate asks for; the caller opens it (relay/session.c). */
struct turn_want {
	bool family[TURN_N_LEGS]; /* both: one of them is enough (ADDITIONAL-ADDRESS-FAMILY) */
	bool even;		  /* EVEN-PORT */
	bool reserve;		  /* … and its R bit: hold the next port, fill tx->token */
	bool redeem;		  /* RESERVATION-TOKEN: the port that tx->token stands for */
	bool tcp;		  /* RFC 6062: a listening TCP socket */
	uint32_t lifetime_s; /* of a Refresh, too: what it got */
};

/* One request on its way through: filled by the caller up to the line, by the core below it. */
struct turn_tx {
	const struct stun_msg *req;
	struct turn_tuple tuple;
	struct turn_session *session; /* of the tuple, or NULL; NULL again once it has ended */
	const struct auth_given *given; /* the answer to TURN_WANT_KEY; NULL: nobody was asked */
	bool classic; /* a Binding request of RFC 3489: its cookie is not the client's */
	bool again; /* the same request was here before and authenticated, and had to wait for a relay */
	/* --- */
	struct str realm; /* that the request is for */
	struct auth_who who;
	bool accepted; /* authenticated, or nobody has to be */
	struct turn_want want;
	uint8_t token[TURN_TOKEN_LEN];
	unsigned code;		/* of the error answer; 0: success */
	struct addr connect_to; /* TURN_WANT_CONNECT: the peer, by its real address */
	bool connect_own;	/* … one of our own: only to a live relayed TCP port */
	struct turn_tcp *bound; /* by this ConnectionBind; turn/tcp.h */
	/* a peer was denied: which, and why (policy is TURN_POLICY_ALLOW when none was) */
	struct addr denied;
	enum turn_policy policy;
};

/*
 * Handles one STUN message that is not a Send indication. The caller decoded it, and found the
 * session of its 5-tuple. TURN_REPLY: send `out` (at least TURN_ANSWER_MAX bytes were offered).
 * The session may have ended meanwhile (env->ended was called); tx->session is then NULL.
 * After TURN_WANT_KEY the request, its bytes kept, comes
 * again later in a new tx. After TURN_WANT_RELAY the same tx goes to turn_alloc_done() or turn_alloc_fail(). At the end
 * the caller calls turn_tx_fini().
 */
enum turn_verdict turn_server_request(struct turn_env *env, struct turn_tx *tx, struct wr *out);

/* Wipes the key. */
void turn_tx_fini(struct turn_tx *tx);

/* Notes a denied peer for the caller's log line; the first one stays. */
static inline void turn_tx_denied(struct turn_tx *tx, const struct addr *peer,
				  enum turn_policy p)
{
	if (tx->policy != TURN_POLICY_ALLOW)
		return;
	tx->denied = *peer;
	tx->policy = p;
}

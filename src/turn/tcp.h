/*
 * TCP to the peer (RFC 6062): which connections between a relayed address and its peers there are,
 * what each waits for, and until when. The sockets are the caller's (relay/splice.c): it embeds a
 * struct turn_tcp in what it keeps of each of them.
 */
#pragma once

#include "turn/server.h"

enum {
	TURN_CONNECT_S = 30, /* RFC 6062 s.5.2: the timeout MUST be at least 30 seconds */
	TURN_BIND_S =
		30, /* s.5.2, s.5.3: closed if no ConnectionBind comes within 30 seconds */
	TURN_MAX_TCP =
		64, /* of one session, in any state; bounds the sockets that it can pin */
};

enum turn_tcp_state {
	TURN_TCP_CONNECTING, /* a Connect request waits for its answer */
	TURN_TCP_PENDING,    /* has an id that the client may bind */
	TURN_TCP_BOUND,
};

/* Why the core gives a connection up. */
enum turn_tcp_end {
	TURN_TCP_NO_ANSWER, /* the peer did not answer in time: 447 is due, turn_tcp_failed() writes it */
	TURN_TCP_NOT_BOUND, /* no ConnectionBind came in time */
	TURN_TCP_SESSION,   /* the allocation has ended */
};

/* A peer data connection. */
struct turn_tcp {
	struct hnode by_id;	  /* in env->pools->tcps, once it has an id */
	struct hnode by_peer;	  /* in session->tcps */
	struct wheel_timer timer; /* at `until`; disarmed once bound */
	struct turn_session *session;
	struct addr peer; /* as the client knows it */
	tick until;	  /* connecting, pending: no longer than this */
	uint32_t id;
	enum turn_tcp_state state;
	uint64_t mirrored;	     /* TURN_REPLY_MIRRORED of the Connect request, for its answer */
	uint8_t txid[STUN_TXID_LEN]; /* of the Connect request */
};

/* Connect (s.5.2), in a session. TURN_WANT_CONNECT when the request is good: the caller opens a
 * connection to tx->connect_to and calls turn_tcp_begin(), or answers turn_reply_error(). */
enum turn_verdict turn_tcp_connect(struct turn_env *env, struct turn_tx *tx, struct wr *out);

/* The connection that tx asks for is being opened; `c` is the caller's zeroed memory. */
void turn_tcp_begin(struct turn_env *env, struct turn_tx *tx, struct turn_tcp *c);

/* It stands: it gets its id, and out the success answer to its Connect request. */
enum turn_verdict turn_tcp_connected(struct turn_env *env, struct turn_tcp *c, struct wr *out);

/* It cannot be had: the error answer. Changes nothing: turn_tcp_forget() is the caller's. */
enum turn_verdict turn_tcp_failed(struct turn_env *env, const struct turn_tcp *c, unsigned code,
				  struct wr *out);

/* A connection from `from` came in at a relayed address of the session (s.5.3); `c` is the caller's
 * zeroed memory. True: it is pending, and out holds a ConnectionAttempt indication. False: nothing was
 * kept, and it is to be closed: no permission, or too many. */
bool turn_tcp_incoming(struct turn_env *env, struct turn_session *s, struct turn_tcp *c,
		       const struct addr *from, struct wr *out);

/* ConnectionBind (s.5.4), authenticated. After success tx->bound is the connection, which is bound now. */
enum turn_verdict turn_tcp_bind(struct turn_env *env, struct turn_tx *tx, struct wr *out);

/* The connection that a ConnectionBind asks for, if it waits for one; or NULL. */
struct turn_tcp *turn_tcp_find(const struct turn_env *env, const struct stun_msg *req);

/* The worker that made this CONNECTION-ID, if anybody did. */
static inline unsigned turn_tcp_owner(uint32_t id, unsigned n_workers)
{
	return id % n_workers;
}

/* The caller has closed it. */
void turn_tcp_forget(struct turn_env *env, struct turn_tcp *c);

/* Gives up all connections to peers of one family, with env->tcp_ended for each. */
void turn_tcp_drop_family(struct turn_env *env, struct turn_session *s, enum turn_leg_id leg);

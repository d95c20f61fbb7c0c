/*
 * A session: one client 5-tuple and all it owns: its identity, its relayed addresses (one, or one
 * of each family), their permissions and channels. Created by an authenticated Allocate, owned by
 * one worker, changed only through this folder.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "auth/check.h"
#include "base/bucket.h"
#include "base/counter.h"
#include "base/hmap.h"
#include "base/slab.h"
#include "base/wheel.h"

enum {
	TURN_LIFETIME_S = 600, /* RFC 8656 s.6: default lifetime */
	TURN_RESERVE_S = 60,   /* s.7.2: a reserved port is held at least 30 seconds */
	TURN_MAX_PERMS = 1024, /* per session; bounds what one client can pin */
	TURN_TOKEN_LEN = 8,    /* RESERVATION-TOKEN */
	TURN_PROTO_UDP = 17, /* RFC 8656 s.18.8: REQUESTED-TRANSPORT is an IP protocol number */
	TURN_PROTO_TCP = 6,  /* RFC 6062 s.4.1 */
};

enum turn_transport { TURN_UDP, TURN_TCP, TURN_TLS, TURN_DTLS };

/* "udp", "tcp", "tls", "dtls". */
const char *turn_transport_text(enum turn_transport t);

enum turn_leg_id { TURN_LEG_V4, TURN_LEG_V6, TURN_N_LEGS };

/* Why a session ended; the reason in the log and in the session record. */
enum turn_end {
	TURN_END_DELETED,  /* Refresh with lifetime 0 */
	TURN_END_EXPIRED,  /* not refreshed in time */
	TURN_END_CLOSED,   /* the client closed its connection, or it broke */
	TURN_END_SHUTDOWN, /* the server stops */
	TURN_END_ADMIN,	   /* an operator ended it */
	TURN_END_REFUSED,  /* never opened: what it asked for was not to be had */
	TURN_END_QUOTA,	   /* the user's bytes of the period are used up */
	TURN_END_WITHDRAWN, /* the secret that opened it was withdrawn, or the user revoked */
	N_TURN_END
};

const char *turn_end_text(enum turn_end e);

/* The two ends and the transport of a client's path to us. */
struct turn_tuple {
	struct addr client, server;
	uint32_t transport; /* enum turn_transport; 32 bits leave no padding to compare */
};

static inline enum turn_leg_id turn_leg_of(const struct addr *a)
{
	return a->family == ADDR_V6 ? TURN_LEG_V6 : TURN_LEG_V4;
}

/* A relayed transport address. */
struct turn_leg {
	struct addr relayed; /* as clients and peers know it */
	struct addr local;   /* as the socket is bound; differs behind a NAT */
	tick expires;
	bool live;
};

/* A permission: an IP address that may send to the client and be sent to (RFC 8656 s.9). */
struct turn_perm {
	struct hnode node; /* in session.perms, by IP */
	struct wheel_timer timer;
	struct turn_session *session;
	struct addr ip; /* port 0 */
	tick expires;
	uint32_t
		n_chans; /* channels that point here: the permission outlives its expiry for them */
	bool own;	 /* one of our own addresses: only live relayed ports may be reached */
};

/* A channel: a number bound to a peer (RFC 8656 s.12). */
struct turn_chan {
	struct hnode by_number, by_peer; /* in session.chans, session.peers */
	struct wheel_timer timer;
	struct turn_perm *perm; /* of the peer's IP; alive or expired, never gone */
	struct addr peer;	/* as the client named it */
	struct addr to; /* where datagrams go: the inner address of an own external one */
	tick expires;
	uint16_t number;
};

/* What one direction carried. */
struct turn_traffic {
	uint64_t packets, bytes;
};

struct turn_session {
	struct turn_tuple tuple;
	struct hmap chans, peers, perms;
	struct hmap tcps; /* of turn_tcp, by peer */
	struct turn_leg leg[TURN_N_LEGS];
	struct bucket up, down;	    /* max_bps: client to peer, peer to client */
	uint64_t max_bps;	    /* bytes per second in each direction; 0: no limit */
	struct turn_traffic rx, tx; /* from the client to peers, from peers to the client */

	struct str realm;    /* of the configuration, or behind the user name */
	struct str username; /* owned; as sent in USERNAME */
	struct str user;     /* inside username: the account that quotas count */
	int64_t cred_expires_s;
	uint64_t origin; /* digest of the ORIGIN it began with; 0: none */
	uint64_t secret; /* auth_check_digest() of the secret that opened it; 0: no time-limited credential */
	uint8_t key_len;
	uint8_t key[AUTH_KEY_MAX];
	bool is_token; /* opened with an access token, which it does not outlive */
	bool has_key; /* false: opened under no-auth */
	bool has_token;
	bool tcp;			   /* RFC 6062: relays TCP, not UDP */
	uint8_t token[TURN_TOKEN_LEN];	   /* given with EVEN-PORT's R bit */
	uint8_t alloc_txid[STUN_TXID_LEN]; /* to recognise a retransmitted Allocate */
	uint16_t alloc_address_error; /* of a dual allocation that got one family: 440, 508 */
	tick opened;
	struct wheel_timer timer; /* at the earliest leg's expiry */
};

struct turn_tcp; /* turn/tcp.h */

/* The memory of one worker's sessions. */
struct turn_pools {
	struct slab perms, chans;
	struct hmap tcps; /* of turn_tcp, by CONNECTION-ID */
};

void turn_pools_init(struct turn_pools *p);
void turn_pools_fini(struct turn_pools *p); /* nothing may be in use */

/* What the protocol core is given: one per worker. `now` and auth.wall_s are set once per loop
 * turn. The callbacks run while the core works and must not call back into it for the session
 * they name; end() must let go of it: the memory is the caller's. */
struct turn_env {
	struct auth_env auth; /* with the configuration */
	tick now;
	struct counters *cnt;
	struct wheel *wheel; /* its arg is this struct */
	struct turn_pools *pools;
	uint64_t hash_key[2];
	unsigned index;		      /* of the worker: CONNECTION-IDs lead to it */
	bool has_family[TURN_N_LEGS]; /* families that can be relayed at all */
	/* one family's relayed address is given up, its connections to peers follow; the session may go on
	 * with the other */
	void (*leg_closed)(void *arg, struct turn_session *s, enum turn_leg_id leg);
	/* the session is over: all its legs are closed, permissions and channels are gone */
	void (*ended)(void *arg, struct turn_session *s, enum turn_end why);
	/* a connection to a peer is given up and forgotten, for this enum turn_tcp_end; never called
	 * where there are none */
	void (*tcp_ended)(void *arg, struct turn_tcp *c, int why);
	void *arg;
};

/* The digest of a request's ORIGIN; 0: it has none. */
uint64_t turn_session_origin(const struct turn_env *env, const struct stun_msg *req);

/* Makes a session of zeroed memory for the client of an accepted Allocate. ERR_NOMEM. */
must_check enum err turn_session_init(struct turn_env *env, struct turn_session *s,
				      const struct turn_tuple *tuple,
				      const struct auth_who *who, const struct stun_msg *req);

/* A Refresh brought a new token, maybe of another key: its session key and user name count from now on. The
 * account that quotas count stays. ERR_NOMEM: nothing has changed. */
must_check enum err turn_session_renew(struct turn_session *s, const struct auth_who *who);

/* Sets another limit than the configuration's max-bps, which it begins with. */
void turn_session_limit(struct turn_env *env, struct turn_session *s, uint64_t max_bps);

/* Adds a relayed address for lifetime_s seconds. */
void turn_session_add_leg(struct turn_env *env, struct turn_session *s, enum turn_leg_id id,
			  const struct addr *relayed, const struct addr *local,
			  uint32_t lifetime_s);

/* Sets the expiry of a leg. */
void turn_session_set_lifetime(struct turn_env *env, struct turn_session *s,
			       enum turn_leg_id id, uint32_t lifetime_s);

/* Gives one relayed address up with its permissions and channels; ends the session with the last
 * one. True when the session ended: it must not be touched any more. */
bool turn_session_close_leg(struct turn_env *env, struct turn_session *s, enum turn_leg_id id,
			    enum turn_end why);

/* Gives up every relayed address whose time is over, which the wheel may not have got round to.
 * True when the session ended with the last of them. */
bool turn_session_expire(struct turn_env *env, struct turn_session *s);

/* Ends the session with all it owns, and calls env->ended. */
void turn_session_end(struct turn_env *env, struct turn_session *s, enum turn_end why);

static inline bool turn_session_has(const struct turn_session *s, enum turn_leg_id id, tick now)
{
	return s->leg[id].live && tick_before(now, s->leg[id].expires);
}

/* The depth of a bandwidth bucket: a second's worth, and room for the largest datagram. */
static inline uint64_t turn_session_burst(uint64_t rate_bps)
{
	return rate_bps > 65536 ? rate_bps : 65536;
}

/* Seconds that a leg has left, rounded up; 0 when it is gone. */
uint32_t turn_session_left_s(const struct turn_session *s, enum turn_leg_id id, tick now);

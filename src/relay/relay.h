/*
 * net and turn become a TURN server: the context of one worker, its sessions and their sockets.
 * Everything here belongs to one thread, but for what `struct relay_shared` points to.
 */
#pragma once

#include "base/bucket.h"
#include "conf/period.h"
#include "log/log.h"
#include "net/loop.h"
#include "net/sock.h"
#include "net/stream.h"
#include "net/udp.h"
#include "relay/ask.h"
#include "relay/delay.h"
#include "relay/listing.h"
#include "relay/peruser.h"
#include "relay/port.h"
#include "relay/quality.h"
#include "relay/quota.h"
#include "relay/realms.h"
#include "relay/table.h"
#include "turn/route.h"
#include "turn/server.h"

enum { RELAY_WHO_LEN = 320 }; /* a prefix, a counter, an IPv6 address and a quoted name */

/* What the workers share. Made before they start, freed after they ended. */
struct relay_shared {
	const struct conf *conf;
	struct relay_ports
		*ports;	  /* of conf->relays, by index of their distinct inner addresses */
	struct addr *ips; /* those addresses */
	size_t n_ips;
	struct relay_quota *quota;
	struct relay_realms *realms;
	struct relay_perusers *perusers; /* NULL: no metrics of single users are wanted */
	uint8_t nonce_secret[32];
	char node[64];	     /* who we are */
	int64_t epoch;	     /* … in this life: milliseconds since 1970, and three digits of chance */
	char prefix[96];     /* NODE.EPOCH. : what all public ids of this process begin with */
	uint64_t digest_key[2]; /* of auth_check_digest() */
	int icmp[2];	    /* relay/hops.h: to IPv4 and to IPv6 hosts; -1: not permitted */
	bool carries_hops;  /* they are there */
};

must_check enum err relay_shared_new(struct relay_shared **out, const struct conf *conf);
void relay_shared_free(struct relay_shared *s);

/* A socket that clients reach this worker at. */
struct relay_listener {
	struct relay *relay;
	struct net_watch watch;
	int fd;
	bool stamped;	/* relay/delay.h */
	struct addr at; /* bound to; may be a wildcard */
};

struct relay_conn;  /* relay/conn.h */
struct relay_moved; /* relay/handoff.h */
struct relay_dtls;  /* relay/dtls.h */

/* How a client reaches us, and what goes to it: exactly one is set. */
struct relay_path {
	struct relay_listener *via; /* UDP */
	struct relay_conn *conn;    /* TCP, TLS */
	struct relay_dtls *dtls;    /* DTLS */
};

/* The socket of one relayed address: UDP, or a listening one of TCP (RFC 6062). */
struct relay_endpoint {
	struct net_watch watch;
	struct relay_session *session;
	struct addr at; /* bound to */
	size_t ip;	/* index in shared->ips */
	int fd;
	enum turn_leg_id leg;
	bool tcp;
	bool stamped;	   /* relay/delay.h */
	uint32_t overflow; /* net_sock_overflow(), as far as it is counted */
	struct list paused; /* TCP: does not accept until `resume`; else alone */
	tick resume;
};

/* The words of quota-on-store-failure. */
enum relay_failure { RELAY_FAILURE_ALLOW, RELAY_FAILURE_DENY };

/* Why a packet of a session was dropped; the words are in relay/record.c. */
enum relay_drop {
	RELAY_DROP_NO_CHANNEL,
	RELAY_DROP_NO_PERMISSION,
	RELAY_DROP_NO_FAMILY,
	RELAY_DROP_MALFORMED,
	RELAY_DROP_OWN_PORT,
	RELAY_DROP_BANDWIDTH,
	RELAY_DROP_SEND,
	RELAY_DROP_TRUNCATED,
	RELAY_DROP_OVERFLOW,
	RELAY_DROP_QUEUE,
	RELAY_DROP_RECORD,
	RELAY_DROP_HOPS,
	N_RELAY_DROP
};

/* What a session has drawn of its user's bandwidth, in one direction. */
struct relay_share {
	uint64_t left; /* bytes */
	tick retry;    /* there was not enough: not before that again */
};

/* What somebody keeps account of for a session. */
struct relay_bill {
	struct relay_share share[2]; /* down, up */
	uint64_t reserved_bps;	     /* of bps-capacity */
	struct turn_traffic told_rx, told_tx; /* what usage was told of */
	struct turn_traffic out_rx, out_tx;   /* what was published */
	struct turn_traffic seen_rx, seen_tx; /* what `peruser` has */
	struct relay_peruser *peruser;	      /* NULL: its user has no place among them */
	enum conf_period period;
	bool told;   /* usage knows of the session */
	bool leased; /* the store counts it */
};

struct relay_session {
	struct turn_session turn;
	struct list all; /* in relay.sessions, or in relay.dead */
	struct list listed; /* in relay.lister.sessions while it lives */
	struct relay *relay;
	struct relay_path path; /* answers and data leave by it */
	struct relay_endpoint *ep[TURN_N_LEGS];
	uint32_t drops[N_RELAY_DROP];
	bool in_fan;	     /* data for the client waits in relay.fan */
	uint8_t realm;	     /* its place, relay/realms.h */
	const char *refused; /* why it was not opened, for the log; NULL: it was */
	uint64_t id;	     /* never used twice while this process lives */
	uint64_t user_bps;   /* of its user, on this node; 0: no limit. Else there is a bill */
	struct relay_bill *bill;       /* NULL: nobody keeps account */
	struct relay_peers *peers;     /* relay/record.h; NULL: none yet */
	struct relay_quality *quality; /* from the first RTP or STUN payload on; NULL: none yet */
};

struct relay {
	const struct relay_shared *shared;
	struct net_loop *loop;
	struct logger *lg;
	unsigned index; /* of the worker */
	struct counters cnt;
	struct turn_env env;
	struct turn_pools pools;
	struct slab sessions_slab, endpoints_slab, bills_slab, qualities_slab;
	struct wheel wheel;
	struct rng rng;
	struct auth_nonce *nonce;
	struct relay_table table;
	struct list sessions; /* of relay_session */
	struct list dead;     /* ended in this turn: freed at its end */
	struct net_rx_batch *rx;       /* from clients */
	struct net_rx_batch *rx_peers; /* number i of the fan has its payload in slot i */
	struct net_run run;
	struct relay_tally {
		struct relay_session *s; /* whose data is in the run; NULL: nobody's */
		bool up;		 /* to a peer, else to the client */
		size_t payload;		 /* bytes of it, without what we put around them */
	} tally;
	struct net_fan *fan; /* what clients get by datagram, single ones of this turn */
	struct net_burst burst;
	uint8_t *scratch; /* NET_SCRATCH bytes to read streams into */
	struct slab conns_slab;
	struct relay_conns *conns;     /* relay/conn.h */
	struct relay_splices *splices; /* relay/splice.h */
	bool (*post)(void *arg, unsigned worker,
		     const struct relay_moved *m); /* relay/handoff.h; NULL: no others */
	void *post_arg;
	struct relay_dtls_all *dtls; /* relay/dtls.h; NULL: not served */
	struct relay_asker asker;    /* relay/ask.h; empty: there is nobody to ask */
	struct relay_park *park;     /* relay/park.h; NULL then */
	struct relay_usage *usage;   /* relay/usage.h; NULL then */
	struct conf_live *live, *next_live; /* held; the next one counts from the end of this turn */
	uint32_t n_backends; /* connections that go on to a web server, relay/backend.h */
	struct relay_lister lister; /* relay/listing.h */
	struct relay_delay delay;
	bool draining;		    /* no new sessions: 508 */
	/* a session has opened, or ended for this reason and is about to be freed; NULL: nobody asks */
	void (*tell)(void *arg, const struct relay_session *s, bool opened, enum turn_end why);
	void *tell_arg;
	bool gso_told;	     /* that segmented sends are given up */
	bool wide_channels;  /* rfc5766-channel-numbers */
	bool rtp_quality;    /* rtp-quality */
	uint64_t next_id;
	size_t next_ip;	      /* where the next search for a relay address starts */
	unsigned denied_told; /* a bit for each turn_policy that was logged */
	bool channel_told;    /* that a client wanted a number of RFC 5766 */
	struct bucket rejects; /* lines about wrong credentials */
	struct bucket icmp;    /* errors of our own */
	unsigned long long n_rejects, n_no_ports, n_quota, n_no_sockets, n_not_moved,
		n_backend_down; /* for log_seldom() */
};

/* Makes the context of worker `index`. `loop` and `lg` are that worker's and outlive it. */
must_check enum err relay_new(struct relay **out, const struct relay_shared *shared,
			      unsigned index, struct net_loop *loop, struct logger *lg);

/* There is somebody to ask; before there are clients. ERR_NOMEM. */
must_check enum err relay_set_asker(struct relay *r, const struct relay_asker *asker);

/* What the databases say from the end of this turn on; the reference becomes the relay's. */
void relay_set_live(struct relay *r, struct conf_live *live);

/* Four times a second. */
void relay_tick(struct relay *r);

/* An address of a client or a peer as the log and records may have it (log-ip); returns buf, of ADDR_TEXT_LEN. */
static inline const char *relay_addr_print(const struct relay *r, const struct addr *a, char *buf)
{
	return addr_print_masked(a, (enum addr_mask)r->shared->conf->log_ip, buf);
}

/* Ends all sessions and connections; what is to be told of them is told. Then only relay_free(). */
void relay_end(struct relay *r);

/* Ends all sessions and frees everything but the listeners' descriptors. */
void relay_free(struct relay *r);

/* Serves clients at a bound socket. `l` is the caller's memory, filled by this. */
must_check enum err relay_listen(struct relay *r, struct relay_listener *l, int fd,
				 const struct addr *at);
void relay_unlisten(struct relay_listener *l);

/* At the start of what a callback does: brings env->now and the wall clock up to date. */
void relay_clock(struct relay *r);

/* Once per loop turn, after the callbacks: timers, and the memory of what ended. */
void relay_turn(struct relay *r);

/* --- session.c --- */

struct relay_grant; /* relay/lease.h */

/* Takes a quota as it was granted and opens what tx->want says. 0: tx->session is set and has its legs. Else
 * the error code to answer with, and nothing was kept: a lease is given back. */
unsigned relay_session_open(struct relay *r, const struct relay_path *path, struct turn_tx *tx,
			    const struct relay_grant *grant);

/* The number of the next session. */
uint64_t relay_session_next(struct relay *r);

/* Its public id, NODE.EPOCH.COUNTER, into buf of RELAY_ASK_ID_LEN; returns buf. */
const char *relay_session_id(const struct relay *r, uint64_t id, char *buf);

/* Sessions that are to end: those of a user, or that a secret opened. */
struct relay_expel {
	enum turn_end why;
	uint64_t secret; /* auth_check_digest(); 0: by the user */
	struct str realm, user;
};

/* Ends those of this worker. Not while a packet is being handled. */
void relay_session_expel(struct relay *r, const struct relay_expel *which);

/* The callbacks of struct turn_env. */
void relay_session_leg_closed(void *arg, struct turn_session *s, enum turn_leg_id leg);
void relay_session_ended(void *arg, struct turn_session *s, enum turn_end why);

/* Frees the memory of the sessions that have ended. */
void relay_session_reap(struct relay *r);

/* "session=… client=… user=…" for log lines, into buf of RELAY_WHO_LEN; returns buf. A session's public id
 * is NODE.EPOCH.COUNTER, never used twice. */
const char *relay_session_who(const struct relay_session *s, char *buf);

/* The same words onto a line. */
void relay_session_add_who(struct log_text *t, const struct relay_session *s);

/* To the accounts of a session and its kind: what was relayed, to a peer (`up`) or the client. Once for a
 * run of datagrams, not for each. */
static inline void relay_session_account(struct relay *r, struct relay_session *s, bool up,
					 size_t packets, size_t bytes)
{
	const struct turn_tuple *tuple = &s->turn.tuple;
	struct counter_traffic *of_kind =
		&r->cnt.relayed[s->realm][tuple->transport][tuple->client.family == ADDR_V6][!up];
	struct turn_traffic *of_session = up ? &s->turn.rx : &s->turn.tx;

	of_session->packets += packets;
	of_session->bytes += bytes;
	count_n(of_kind, packets, packets);
	count_n(of_kind, bytes, bytes);
}

static inline struct relay_session *relay_session_of(struct turn_session *s)
{
	return container_of(s, struct relay_session, turn);
}

/* n packets of the session were dropped. */
static inline void relay_session_drop(struct relay_session *s, enum relay_drop why, size_t n)
{
	s->drops[why] = n < UINT32_MAX - s->drops[why] ? s->drops[why] + (uint32_t)n : UINT32_MAX;
}

/* All that were dropped, for whatever reason. */
static inline uint64_t relay_session_dropped(const struct relay_session *s)
{
	uint64_t n = 0;

	for (int i = 0; i < N_RELAY_DROP; i++)
		n += s->drops[i];
	return n;
}

/* --- endpoint.c --- */

/* Opens a socket for one family of a session as tx->want says. 0, or the error code. */
unsigned relay_endpoint_open(struct relay *r, struct relay_session *s, struct turn_tx *tx,
			     enum turn_leg_id leg);
/* Its queue has had no room for `n` datagrams by now (net_sock_overflow): counts those that are new. */
void relay_endpoint_overflowed(struct relay *r, struct relay_endpoint *ep, uint32_t n);
/* Closes it and gives its port back. */
void relay_endpoint_close(struct relay *r, struct relay_endpoint *ep);

/* --- forward.c, the packet path --- */

/* What is being read from one client. Set up with r, path, tuple, mark and s; the rest zero. */
struct relay_from {
	struct relay *r;
	struct relay_path path;
	struct turn_tuple tuple;
	struct relay_session *s; /* of the tuple; NULL: none */
	struct net_mark mark;
	const uint8_t *raw; /* the datagram, which still has its hops to go; NULL: none that was read as it is */
	size_t raw_len;
	uint16_t channel;	   /* of the last ChannelData; 0: none yet */
	struct turn_to_peer route; /* … and where that goes */
};

/* One datagram, or one message of a stream. What it borrows is sent by relay_forward_flush(). */
void relay_forward_message(struct relay_from *f, const uint8_t *p, size_t len);

/* Adds one datagram for the client of `tuple`, out of `via`. `whose`: the session whose payload it carries,
 * or none. What it borrows is sent by relay_forward_flush(). */
void relay_forward_datagram(struct relay *r, const struct relay_listener *via,
			    const struct turn_tuple *tuple, struct net_mark mark,
			    const struct iovec *iov, struct relay_tally whose);

/* Sends all that waits in runs and bursts, to peers and to clients. */
void relay_forward_flush(struct relay *r);

/* Counts what became of a datagram of the fan: of session `tag`, or an answer (NULL). */
net_fan_fn relay_forward_fanned;

/* A listener is readable; its argument is the struct relay_listener. */
void relay_forward_from_client(int fd, void *arg);
/* A relay socket is readable; its argument is the struct relay_endpoint. */
void relay_forward_from_peer(int fd, void *arg);

/* --- request.c --- */

/* Sends what was written for the session's client that is no answer to what it sent just now; a connection
 * that fails over it ends later, when the loop comes to it. */
void relay_request_tell(struct relay *r, struct relay_session *s, const struct wr *out);

/* Handles one STUN message from a client, and answers; a datagram waits in r->fan. */
void relay_request(struct relay *r, const struct relay_path *path,
		   const struct turn_tuple *tuple, struct relay_session *s,
		   const struct stun_msg *msg);

/* The same for a datagram that is no message; false where it is no Binding request of RFC 3489 either, or these
 * are not to be served. */
bool relay_request_classic(struct relay *r, const struct relay_path *path, const struct turn_tuple *tuple,
			   const uint8_t *p, size_t len);

struct relay_parked; /* relay/park.h */

/* Handles a request that has waited for `a`, unless its client has gone; takes p. */
void relay_request_again(struct relay *r, struct relay_parked *p, const struct relay_answer *a);

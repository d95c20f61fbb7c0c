/*
 * Clients' TCP connections: accepted, told apart (TLS or plain), cut into messages, and ended. A
 * connection without an allocation is a stranger's: such are bounded in number, per source prefix too,
 * and in time. One worker owns a connection from accept to end.
 */
#pragma once

#include "net/cert.h"
#include "net/stream.h"
#include "relay/relay.h"

enum {
	RELAY_CONN_STRANGERS = 8192, /* of one worker; the oldest goes for a new one */
	RELAY_CONN_PER_PREFIX =
		1024, /* strangers of one IPv4 address or IPv6 /64; more are refused */
	RELAY_ACCEPT_AT_ONCE = 32,   /* before other sockets have their turn */
	RELAY_SHAKES_AT_ONCE = 4,    /* steps of TLS handshakes in one turn */
	RELAY_ACCEPT_PAUSE_MS = 500, /* when there are no descriptors left */
};

/* Why a connection ends. */
enum relay_conn_why {
	WHY_CLOSED,
	WHY_ERROR,
	WHY_TLS,
	WHY_BAD_FRAME,
	WHY_TIMEOUT,
	WHY_CROWDED,
	WHY_NO_TLS,
	WHY_NO_MEMORY,
	WHY_SHUTDOWN,
	WHY_PROXY,
	WHY_NO_PROXY,
	WHY_BACKEND,
	WHY_ADMIN,
	N_WHY
};

/* How far a connection has come. */
enum relay_stage {
	RELAY_STAGE_PROXY, /* a balancer's header has to come */
	RELAY_STAGE_FIRST, /* the first byte has */
	RELAY_STAGE_TALK,  /* TLS or not is known: what is said has to tell TURN from HTTP */
	RELAY_STAGE_TURN,
	RELAY_STAGE_WEB,  /* it goes on to a web server, and is no stream of ours */
	RELAY_STAGE_DEAF, /* nothing is expected but its end: what comes is thrown away */
};

/* One connection. To be looked into by conn.c, front.c and web.c only. */
struct relay_conn {
	struct relay *relay;
	struct net_stream stream;
	struct turn_tuple tuple;
	struct relay_session *session;
	struct list all;	       /* strangers or guests, or the dead */
	struct wheel_timer timer;      /* a stranger's deadline */
	struct relay_prefix *prefix;   /* counted there while a stranger */
	uint64_t n_dropped;	       /* of stream.dropped, counted already */
	struct relay_backend *backend; /* RELAY_STAGE_WEB, relay/backend.h */
	struct addr backend_at;
	uint32_t n_peeked;	/* first bytes that were looked at, and left */
	struct turn_tcp *bound; /* leaves as its data connection */
	unsigned move_to;	/* leaves for worker move_to - 1; 0: stays */
	unsigned moves;		/* so far */
	enum relay_stage stage;
	uint8_t tos; /* of the datagrams to peers: RFC 8656 s.15, the connection's DSCP, not ECN-capable */
	bool had_session;
	bool shaken; /* its TLS handshake is done, and counted */
	bool dead;
};

/* A socket that connections come in at. */
struct relay_acceptor {
	struct relay *relay;
	struct net_watch watch;
	int fd;
	bool watched;
	bool proxied; /* tcp-proxy-port: each connection begins with a PROXY header */
	tick resume;  /* when paused: watch again from then on */
	struct addr at;
	struct list all;
};

/* Serves connections at a listening socket. `a` is the caller's memory, filled by this. */
must_check enum err relay_conn_listen(struct relay *r, struct relay_acceptor *a, int fd,
				      const struct addr *at);
void relay_conn_unlisten(struct relay_acceptor *a);

must_check enum err relay_conns_new(struct relay *r);
/* Closes all connections. */
void relay_conns_free(struct relay *r);

/* Once per loop turn: frees what ended, goes on accepting. */
void relay_conns_turn(struct relay *r);

/* Certificates for connections that begin from now on; the reference becomes the worker's. NULL: TLS is
 * not served. */
void relay_conns_set_cert(struct relay *r, struct net_cert *cert);

/* Ends a connection, with its session if it has one. Its memory goes at the end of the loop turn. */
void relay_conn_end(struct relay_conn *c, enum relay_conn_why why);

/* It will have no allocation, and is over by itself in time: its deadline is lifted, and it is not among
 * those that make room for others. It goes on counting for its source. */
void relay_conn_settle(struct relay_conn *c);

/* Those certificates; NULL: TLS is not served. */
struct net_cert *relay_conns_cert(const struct relay *r);

/* Where what goes to the client is written. */
struct net_stream *relay_conn_stream(struct relay_conn *c);

/* After a burst to the client: counts what its queue dropped, and ends the connection with its session if
 * writing has failed. True: it did. */
bool relay_conn_reap_broken(struct relay_conn *c);

/* Once the message that is being handled has been answered, the connection leaves: as the data connection
 * of `to` (RFC 6062); or to another worker, which handles that message anew. False: it has moved too often. */
void relay_conn_bind(struct relay_conn *c, struct turn_tcp *to);
bool relay_conn_move(struct relay_conn *c, unsigned worker);

/* One that another worker has sent here: *m becomes the relay's. */
void relay_conn_arrive(struct relay *r, struct relay_moved *m);

/* A request of the connection that had waited has been handled: what came of it. */
void relay_conn_resumed(struct relay_conn *c);

/* The session that the connection had has ended: it is a stranger's again. */
void relay_conn_session_ended(struct relay_conn *c);

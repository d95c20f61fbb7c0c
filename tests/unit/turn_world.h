/*
 * A world around the protocol core, for tests: a configuration from text, a clock that stands
 * still unless it is told otherwise, chance that repeats, and a pretended relay that hands out
 * ports from a short list. Clients sign as the RFC says. What is wrong with the core itself (a
 * port given back twice, memory not given back) ends the program: see the BUG_ONs.
 */
#pragma once

#include <stdlib.h>

#include "auth/nonce.h"
#include "auth/throttle.h"
#include "turn/alloc.h"
#include "turn/route.h"
#include "turn/tcp.h"

enum {
	WORLD_T0 = 1700000000, /* seconds since 1970 when the world begins */
	WORLD_PORT = 50000,    /* the lowest relayed port */
	WORLD_PORTS = 16,      /* of each family */
	WORLD_SILENCE = 999,   /* "error code" of a request that got no answer */
	WORLD_WIRE_MAX = 8192,
};

/* Relays 192.0.2.1 and 2001:db8::1; peers may be 198.51.100/24, 203.0.113/24, 2001:db8:1::/48. */
#define WORLD_HOSTS                                                                      \
	"listening-ip=192.0.2.1\nlistening-ip=2001:db8::1\nrealm=example.org\nrelay-threads=1\n"        \
	"allowed-peer-ip=198.51.100.0-198.51.100.255\nallowed-peer-ip=203.0.113.0/24\n"  \
	"allowed-peer-ip=2001:db8:1::/48\n"
/* … and who may use them. */
#define WORLD_CONF                                                                       \
	WORLD_HOSTS "user=alice:wonder\nuser=bob:builder\n"                              \
		    "static-auth-secret=north\nstatic-auth-secret=south\n"

struct world_client {
	struct addr at;
	char user[64], password[64];
	char nonce[128]; /* the last one that the server gave */
	size_t nonce_len;
};

/* A session with what the pretended relay keeps of it. */
struct world_session {
	struct turn_session turn;
	struct list all;
	char account[64]; /* whose quota was taken */
};

struct world_port {
	struct turn_session *owner;
	tick reserved_until; /* 0: free */
	uint8_t token[TURN_TOKEN_LEN];
};

struct world {
	struct turn_env env;
	struct conf *conf;
	struct rng rng;	      /* the server's */
	struct rng client_rng; /* transaction ids */
	struct auth_nonce nonce;
	struct auth_throttle *throttle;
	struct counters cnt;
	struct wheel wheel;
	struct turn_pools pools;
	struct addr server;
	enum turn_transport transport; /* that requests come by */
	struct turn_tcp *begin;	       /* memory for the next Connect; NULL once it is used */
	struct turn_tcp *bound;	       /* by the last request */
	const struct auth_given *given; /* what the database answered about who asks next; NULL: not asked */
	struct list sessions, dead;
	struct world_port ports[TURN_N_LEGS][WORLD_PORTS];
	unsigned n_sessions, n_legs; /* open now */
	unsigned n_opened, n_ended[N_TURN_END];

	/* the request under construction, without what signs it, and as it was last sent */
	struct wr req;
	uint8_t body[WORLD_WIRE_MAX], wire[WORLD_WIRE_MAX];
	size_t wire_len;

	/* the last answer */
	enum turn_verdict verdict;
	unsigned code; /* 0: success */
	uint8_t raw[TURN_ANSWER_MAX];
	size_t raw_len;
	struct stun_msg ans;
	enum auth_why why;	 /* what authentication found */
	struct turn_to_peer out; /* where the last data from a client went */
};

/* Never NULL; a configuration that is refused ends the program. */
struct world *world_new(const char *conf);

/* Ends the sessions that are left, and makes sure that nothing else is. */
void world_free(struct world *w);

/* Time goes by, and the wheel turns; or it goes by while the loop is busy elsewhere. */
void world_pass(struct world *w, tick ms);
void world_hang(struct world *w, tick ms);

struct addr world_addr(const char *text);
struct world_client world_client(const char *at, const char *user, const char *password);

/* An ephemeral credential under `secret` that expires `ttl_s` from the beginning of the world. */
struct world_client world_guest(struct world *w, const char *at, const char *id,
				const char *secret, int ttl_s);

struct turn_session *world_session(struct world *w, const struct world_client *c);

/* The counter of a session that is alive on the relay's side: ports with an owner. */
unsigned world_ports_used(const struct world *w);

/* Starts a request; then stun_add…(&w->req, …). */
void world_begin(struct world *w, enum stun_class cls, uint16_t method);
void world_add_peer(struct world *w, const char *peer);

/* Completes the request with USERNAME, REALM, NONCE and MESSAGE-INTEGRITY into w->wire. */
void world_sign(struct world *w, const struct world_client *c);

/* Gives bytes to the server as from this address. 0: success, an error code, WORLD_SILENCE. */
unsigned world_give(struct world *w, const struct addr *from, const void *p, size_t len);

/* Signs and gives; keeps the nonce that an answer brings. */
unsigned world_ask(struct world *w, struct world_client *c);

/* As a client does it: fetches a nonce first where there is none, and once more on 438. */
unsigned world_do(struct world *w, struct world_client *c);

/* Gives the request as it stands, unsigned. */
unsigned world_ask_plain(struct world *w, struct world_client *c);

/* Whole transactions in the plainest form. */
unsigned world_allocate(struct world *w, struct world_client *c);
unsigned world_allocate_both(struct world *w, struct world_client *c);
unsigned world_refresh(struct world *w, struct world_client *c, uint32_t lifetime_s);
unsigned world_permit(struct world *w, struct world_client *c, const char *peer);
unsigned world_bind(struct world *w, struct world_client *c, uint16_t number, const char *peer);

/* Data; TURN_ROUTE_NO_FAMILY where there is no session. */
enum turn_route world_send(struct world *w, const struct world_client *c, const char *peer);
enum turn_route world_channel(struct world *w, const struct world_client *c, uint16_t number);
enum turn_route world_from_peer(struct world *w, const struct world_client *c, const char *from,
				uint16_t *channel, struct addr *peer);

/* Is the last answer signed with this client's key? A MESSAGE-INTEGRITY-SHA256 must be right, too. */
bool world_signed(struct world *w, const struct world_client *c);

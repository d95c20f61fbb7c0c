/*
 * What another thread asks about a worker's sessions: a list, one of them, the end of one. The question is a
 * heap object that is filled with the answer and handed back. The walk over the sessions is cut into short
 * pieces, one for each turn of the loop, so that no packet waits for it.
 */
#pragma once

#include "base/list.h"
#include "base/prefix.h"
#include "relay/quality.h"
#include "turn/session.h"

enum {
	RELAY_LISTING_AT_ONCE = 256, /* sessions looked at in a turn of the loop */
	RELAY_LISTING_REALM = 256, /* bytes of a realm; what a longer one has behind that is left out */
	RELAY_LISTING_USER = 512,    /* bytes of a user name, RFC 8489 s.14.3: 508 */
	RELAY_LISTING_PEERS = 64,
};

struct relay;
struct relay_session;

/* A session, as plain data. Times are relative to the moment when it was filled in. */
struct relay_row {
	uint64_t id;
	unsigned worker;
	enum turn_transport transport;
	bool tcp; /* relays TCP */
	struct addr client, server;
	struct addr relayed[TURN_N_LEGS]; /* family ADDR_NONE: none */
	uint64_t age_ms, expires_ms;
	uint32_t n_perms, n_chans;
	struct turn_traffic up, down; /* to peers, to the client */
	uint64_t dropped;
	struct relay_quality_report quality[RELAY_N_LEGS];
	uint16_t realm_len;
	uint16_t name_len, user_at, user_len; /* of `name`; the part of it that quotas count */
	char realm[RELAY_LISTING_REALM];
	char name[RELAY_LISTING_USER];
};

struct relay_row_peer {
	struct addr at;	  /* port 0: a permission without a channel */
	uint16_t channel; /* 0: none */
	uint64_t expires_ms;
};

enum relay_listing_kind {
	RELAY_LISTING_PAGE, /* those that the filter fits, after `after` */
	RELAY_LISTING_ONE,  /* session `id`, with its peers */
	RELAY_LISTING_END,  /* ends session `id` */
};

/* Which sessions; all zero but `transport` -1: every one. */
struct relay_filter {
	bool has_user, has_realm, has_client, has_state, relaying;
	int transport; /* enum turn_transport, -1: any */
	struct prefix_range client;
	size_t user_len, realm_len;
	char user[RELAY_LISTING_USER];
	char realm[RELAY_LISTING_REALM];
};

struct relay_listing {
	enum relay_listing_kind kind;
	uint64_t ticket; /* the asker's */
	struct relay_filter filter;
	bool has_after;
	uint64_t after, id;
	struct relay_listing *next; /* for whoever holds it */
	/* the answer */
	uint64_t n_matched; /* on this page, before and after it */
	struct turn_traffic up, down;
	uint64_t dropped;
	size_t n_peers, n_more; /* ONE */
	struct relay_row_peer peers[RELAY_LISTING_PEERS];
	size_t max, n; /* room for rows, and how many there are, in the order of their ids */
	struct relay_row rows[];
};

/* A worker's walk. */
struct relay_lister {
	struct relay_listing *first, **end; /* questions that wait; the first is being answered */
	struct list sessions; /* by their ids, with `place` among them */
	struct list place;    /* before the next to look at */
	bool walking;
	uint64_t stop; /* younger sessions are not looked at, or a walk might never end */
};

/* One with room for `max` rows; free() it. NULL: no memory. Any thread. */
struct relay_listing *relay_listing_new(enum relay_listing_kind kind, size_t max);

/* A question for this worker, which owns it from now on. */
void relay_listing_add(struct relay *r, struct relay_listing *l);

/* Goes on for one turn. One that is finished is returned, the caller's; NULL: none now. */
struct relay_listing *relay_listing_step(struct relay *r);

/* True while questions wait: call relay_listing_step() in the next turn. */
bool relay_listing_busy(const struct relay *r);

void relay_listing_init(struct relay *r); /* before there are sessions */
void relay_listing_fini(struct relay *r); /* frees what waits */

/* A session has its id and is to be found from now on, until it is left out. */
void relay_listing_enter(struct relay *r, struct relay_session *s);
void relay_listing_leave(struct relay_session *s);

/* The session of that id, or NULL. Quick for one of the youngest. */
struct relay_session *relay_listing_find(const struct relay *r, uint64_t id);

/* Fills in a row. */
void relay_row_fill(struct relay_row *row, const struct relay_session *s);

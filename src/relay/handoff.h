/*
 * What one worker asks of another: to take a client's connection whose first request names something that
 * the other one owns (ConnectionBind, RFC 6062). The connection moves whole: descriptor, TLS, and what was
 * read from it, the request included, which is then handled as if it had come there.
 */
#pragma once

#include "net/tls.h"
#include "relay/relay.h"

enum {
	RELAY_HANDOFF_MAX = 4
}; /* moves of one connection: strangers cannot keep the workers busy with it */

/* A connection under way: plain data; what it points to belongs to whoever holds it. */
struct relay_moved {
	struct turn_tuple tuple;
	struct net_tls *tls; /* NULL: plain */
	uint8_t *bytes;
	size_t n;
	int fd;
	unsigned moves; /* this one included */
};

/* Hands it to another worker. False: it has no room. Given to the relay by its worker. */
typedef bool relay_post_fn(void *arg, unsigned worker, const struct relay_moved *m);

/* Is this request another worker's to handle? Then *worker says whose. */
bool relay_handoff_is_due(const struct relay *r, const struct stun_msg *req, unsigned *worker);

/* Sends m to a worker, or ends it. m->bytes is copied: n bytes that m borrows. */
void relay_handoff_send(struct relay *r, unsigned worker, struct relay_moved *m);

/* A connection arrives at the worker it was sent to; relay/conn.c serves it from here on. */
void relay_handoff_receive(struct relay *r, struct relay_moved *m);

/* Ends one that nobody will serve. Any thread. */
void relay_handoff_dispose(struct relay_moved *m);

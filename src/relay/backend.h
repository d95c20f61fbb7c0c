/*
 * A client's connection that goes on to a web server behind this one: bytes are carried both ways as fast as
 * the slower side takes them, and each side's end is passed on by itself. One worker.
 */
#pragma once

#include "net/tls.h"
#include "relay/relay.h"

enum {
	RELAY_BACKENDS = 1024,	     /* of one worker at once */
	RELAY_BACKEND_CONNECT_S = 5, /* for the web server to accept */
	RELAY_BACKEND_ANSWER_S = 30, /* and to say its first byte */
	RELAY_BACKEND_IDLE_S = 300,  /* without a byte either way */
	RELAY_BACKEND_LINGER_S = 10, /* for a client to close after the web server has */
};

struct relay_backend;

/* How it ended. The backend may be closed in this call, and must be after it. */
enum relay_backend_end {
	RELAY_BACKEND_OVER, /* both have ended, or one has broken off */
	RELAY_BACKEND_DOWN, /* the web server did not accept, or said nothing: the client got no byte */
	RELAY_BACKEND_IDLE,
};
typedef void relay_backend_fn(enum relay_backend_end how, void *arg);

struct relay_backend_client {
	int fd;		     /* of the client: read and written, but the caller's */
	struct net_tls *tls; /* the same; NULL: bytes pass as they are */
	const struct str *
		first; /* bytes for the web server that come before those of the client; copied */
	size_t n_first;
};

/* Begins to connect to `to`. `done` is called once, never from within this. ERR_FULL: there are enough. */
must_check enum err relay_backend_open(struct relay_backend **out, struct relay *r,
				       const struct addr *to,
				       const struct relay_backend_client *client,
				       relay_backend_fn *done, void *arg);

/* Closes the web server's side, and forgets the client's. NULL is fine. */
void relay_backend_close(struct relay_backend *b);

/*
 * Two connections whose bytes go across as they come: a client's data connection and a peer's (RFC 6062).
 * An end that is full stops the reading of the other; an end that says it has finished is passed on as
 * that; max-bps slows down and drops nothing. What went across is counted to the session. One thread.
 */
#pragma once

#include "net/tls.h"
#include "relay/relay.h"

/* What was read from the other side and does not leave yet waits here; the other is not read meanwhile, so
 * that it is one read's worth at most. */
struct relay_side {
	struct net_watch in, out;
	struct relay_pipe *of;
	struct net_tls *tls;	  /* NULL: plain */
	uint8_t *waiting;	  /* owned */
	size_t n_waiting, n_left; /* bytes there; of them that have left */
	int fd;			  /* -1: there is none yet */
	bool in_watched, out_watched;
	bool paced;    /* max-bps: reading pauses until the next refill */
	bool finished; /* it says nothing more */
	bool broken;   /* … and hears nothing more */
	bool told;     /* that the other has finished */
};

struct relay_pipe {
	struct relay *relay;
	struct relay_session
		*session; /* whose account and whose limits; set from relay_pipe_join() on */
	struct relay_side client, peer;
	struct wheel_timer pace, half;
	void (*on_over)(
		struct relay_pipe *p); /* both have ended, or one broke: the owner calls fini */
	bool over;
};

/* In the owner's zeroed memory; the peer's descriptor becomes the pipe's. Nothing is read yet. */
void relay_pipe_init(struct relay_pipe *p, struct relay *r, int peer_fd,
		     void (*on_over)(struct relay_pipe *p));

/* The client's connection (with tls, or NULL) joins, and has said n bytes already. on_over may be called. */
void relay_pipe_join(struct relay_pipe *p, struct relay_session *s, int fd, struct net_tls *tls,
		     const uint8_t *bytes, size_t n);

/* Closes both; the memory must stay until the end of the loop turn. A peer that was never joined is reset:
 * nobody took what it may have said, and its address can be connected to again at once. */
void relay_pipe_fini(struct relay_pipe *p);

/* Stops watching one side. */
void relay_pipe_unwatch(struct relay_side *s);

/* One worker: a thread with its loop, its sockets and its sessions. */
#pragma once

#include <pthread.h>

#include "base/mbox.h"
#include "relay/conn.h"
#include "relay/relay.h"
#include "worker/ask.h"
#include "worker/board.h"

enum { WORKER_TICK_MS = 250, WORKER_MBOX_LEN = 256 };

struct worker_bridge; /* worker/bridge.h */

struct worker {
	pthread_t thread;
	bool running; /* the thread was started and not joined */
	bool stop;    /* the worker's own: leave the loop */
	unsigned index;
	struct worker *
		all; /* the pool's workers: whose mailboxes this one may write to; NULL: none */
	struct net_loop *loop;
	struct relay *relay;
	struct worker_bridge *bridge; /* the pool's */
	struct worker_outbox outbox;  /* what the store has no room for */
	struct worker_reader reader;  /* of the board */
	struct mbox *mbox;
	struct net_watch mbox_watch;
	struct mbox *control;	       /* of struct worker_note; the pool's. NULL: nobody listens */
	struct relay_listing *listed;  /* answered, and control has no room for it yet */
	uint64_t n_notes_lost;
	tick next_tick;
	struct relay_listener *listeners;
	struct relay_acceptor *acceptors;
	size_t n_listeners, n_acceptors; /* that are watched */
};

/* Prepares worker `index` with its bound sockets (worker_listen_count() of them, which stay the
 * caller's) and the certificates for TLS and DTLS (NULL: none; it takes references). Control thread. */
must_check enum err worker_init(struct worker *w, unsigned index,
				const struct relay_shared *shared, const int *fds,
				struct net_cert *cert, struct logger *lg);

/* Connects it with the store, if there is one, and the board. After worker_init(). ERR_NOMEM. */
must_check enum err worker_connect(struct worker *w, struct worker_bridge *bridge);

/* Starts the thread. */
must_check enum err worker_start(struct worker *w);

/* Connections of this worker begin with `cert` soon; it takes a reference of its own. ERR_FULL: its mailbox
 * is, and nothing changes. Control thread. */
must_check enum err worker_set_cert(struct worker *w, struct net_cert *cert);

/* Asks the thread to end and waits for it. Harmless when it does not run. */
void worker_stop(struct worker *w);

/* Frees everything; the thread must have ended. */
void worker_fini(struct worker *w);

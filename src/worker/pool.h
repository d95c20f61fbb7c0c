/* All workers: started together, stopped together. Control thread only. */
#pragma once

#include "worker/listen.h"
#include "worker/worker.h"

struct worker_bridge; /* worker/bridge.h */

struct worker_pool {
	struct worker *workers;
	unsigned n;
	struct worker_bridge *bridge;
	struct mbox *notes; /* of struct worker_note, for control, which empties it; or NULL */
};

struct worker_msg;

/* Makes the mailbox for notes; before the workers start. worker_pool_stop() frees it. */
must_check enum err worker_pool_listen(struct worker_pool *p);

/* ERR_FULL: that worker has no room, and the message is still the caller's. */
must_check enum err worker_pool_send(struct worker_pool *p, unsigned worker,
				     const struct worker_msg *msg);

/* Prepares and starts conf->n_workers workers on their sockets, with certificates for TLS (or NULL), connected
 * with the store by `bridge`. On failure all is undone. */
must_check enum err worker_pool_start(struct worker_pool *p, const struct relay_shared *shared,
				      const struct worker_sockets *sockets,
				      struct net_cert *cert, struct log *log,
				      struct worker_bridge *bridge);

/* Connections of all workers begin with `cert` soon; each takes a reference. ERR_FULL: some worker has no
 * room for the message; the others have it. */
must_check enum err worker_pool_set_cert(struct worker_pool *p, struct net_cert *cert);

/* Ends the sessions and the threads, and frees everything. */
void worker_pool_stop(struct worker_pool *p);

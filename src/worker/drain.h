/* Draining: no new sessions, what runs goes on, and when few enough are left the server may end. Control
 * thread. */
#pragma once

#include "log/log.h"
#include "worker/pool.h"

struct worker_drain {
	struct worker_pool *pool;
	struct logger *lg;
	uint64_t min; /* drain-min-allocations */
	bool on;
	bool exit;	 /* ends the server */
	bool told[128]; /* the workers that know of `on`; n_workers has that bound */
};

/* `pool` and `lg` are the caller's and have to stay. */
void worker_drain_init(struct worker_drain *d, struct worker_pool *pool, uint64_t min,
		       struct logger *lg);

/* Begins to drain, or (on false) serves as before. `reason` is for the log. */
void worker_drain_set(struct worker_drain *d, bool on, bool exit, const char *reason);

/* Now and then. True: so few are left that the server is to end. */
bool worker_drain_look(struct worker_drain *d);

/* Sessions of all workers. */
uint64_t worker_drain_left(const struct worker_drain *d);

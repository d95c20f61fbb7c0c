/*
 * Gives memory back to the kernel. OpenSSL takes some 15 KiB for a client of TLS and 40 for one of DTLS in many
 * small pieces; when a crowd has gone, the C library keeps nearly all of it for the next. Control thread.
 */
#pragma once

#include <stdbool.h>

#include "base/tick.h"
#include "log/log.h"
#include "worker/pool.h"

enum {
	WORKER_TRIM_GONE = 64,	       /* clients that have to be gone, or it is not worth it */
	WORKER_TRIM_REST_MS = 10000, /* between two times: workers that allocate wait for it */
};

struct worker_trim {
	struct worker_pool *pool;
	struct logger *lg;
	uint64_t gone; /* clients that had gone at the last time */
	tick rest_until;
};

/* `pool` and `lg` are the caller's and have to stay. */
void worker_trim_init(struct worker_trim *t, struct worker_pool *pool, struct logger *lg);

/* Now and then. */
void worker_trim_look(struct worker_trim *t, tick now);

/* The decision, when `gone` have gone since the start; remembers it. */
bool worker_trim_is_due(struct worker_trim *t, uint64_t gone, tick now);

/*
 * What all workers have to learn: the newest snapshot of the databases, whose sessions are to end, and whose have
 * other limits. Any
 * thread posts; each worker reads on its tick, which without news is one relaxed load.
 */
#pragma once

#include "relay/relimit.h"

enum {
	WORKER_BOARD_MAX = 4096, /* orders that not every worker has read; more are refused */
	WORKER_BOARD_TICK = 32,	 /* that a worker obeys at once: each is a look at all its sessions */
};

struct worker_board;

/* How far one worker has read. */
struct worker_reader {
	unsigned version;
	uint64_t seq;
	uint64_t live;
};

must_check enum err worker_board_new(struct worker_board **out, unsigned n_workers);
/* The workers have ended. NULL is fine. */
void worker_board_free(struct worker_board *b);

/* The databases say this from now on; takes a reference of its own. Any thread. */
void worker_board_set_live(struct worker_board *b, struct conf_live *live);

/* Sessions are to end, on whichever worker; text is copied. ERR_FULL, ERR_NOMEM. Any thread. */
must_check enum err worker_board_expel(struct worker_board *b, const struct relay_expel *which);

/* A user's own limits are others now; likewise. */
must_check enum err worker_board_relimit(struct worker_board *b, const struct relay_relimit *which);

/* Does for this worker's relay what was posted since `at`; after a new snapshot the orders wait for the next
 * reading. That worker's thread. */
void worker_board_read(struct worker_board *b, struct worker_reader *at, struct relay *r);

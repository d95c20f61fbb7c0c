/*
 * Between the workers and the store thread: who is handed its answers, and the board that its news go to; and
 * where any of them tells control that it has failed. One per process, also without a store.
 */
#pragma once

#include "store/store.h"
#include "worker/board.h"

struct worker;
struct worker_bridge;

must_check enum err worker_bridge_new(struct worker_bridge **out,
				      const struct relay_shared *shared);
/* After the workers and the store. NULL is fine. */
void worker_bridge_free(struct worker_bridge *b);

struct worker_board *worker_bridge_board(struct worker_bridge *b);

/* NULL: the configuration needs none. */
struct store *worker_bridge_store(const struct worker_bridge *b);

/* Starts the store when the configuration needs one. After privileges are dropped, before the workers. */
must_check enum err worker_bridge_start(struct worker_bridge *b, struct log *log,
					conf_report_fn *report, void *arg);
/* Ends it: what waits is written. After the workers. */
void worker_bridge_stop(struct worker_bridge *b);

/* Answers go to these workers from now on; NULL: to nobody, for they are about to end. */
void worker_bridge_connect(struct worker_bridge *b, struct worker *workers);

/* Ends the sessions that credentials of this secret opened, on all workers, or those of a user whose
 * credentials were revoked; soon. ERR_FULL, ERR_NOMEM. Any thread. */
must_check enum err worker_bridge_withdraw(struct worker_bridge *b, struct str secret);
must_check enum err worker_bridge_revoke(struct worker_bridge *b, struct str realm,
					 struct str user);

/* A thread's event loop has failed, and those whom it served would be served by nobody: the server is to end, and to
 * be started again. Logged by the caller. Any thread. */
void worker_bridge_fail(struct worker_bridge *b);
/* Readable from the first worker_bridge_fail() on. */
int worker_bridge_failure_fd(const struct worker_bridge *b);

/* What workers may ask, as the configuration has databases for it; ->ask is the caller's to set. */
struct relay_asker worker_bridge_kinds(const struct conf *conf);

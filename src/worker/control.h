/* The control thread's loop: signals, and certificates that change. */
#pragma once

#include <stdbool.h>

#include "log/log.h"
#include "net/loop.h"
#include "worker/drain.h"
#include "worker/renew.h"
#include "worker/trim.h"

struct worker_control {
	struct net_loop *loop;
	struct log *log;
	struct logger *lg;
	struct worker_renew *renew; /* NULL: certificates are not read again */
	struct worker_drain *drain; /* NULL: SIGUSR1 does nothing */
	struct worker_trim *trim;   /* NULL: memory stays where it is */
	struct net_watch failure;   /* where threads tell of theirs; unset: they cannot */
	int stop_signal;	    /* 0: go on */
	bool failed;		    /* a thread has: stop */
};

/* Watches SIGTERM and SIGINT (stop), SIGHUP (open the log file and read the certificates again), SIGUSR2
 * (the certificates) and SIGUSR1 (drain). */
must_check enum err worker_control_init(struct worker_control *c, struct log *log,
					struct logger *lg);

/* From now on SIGUSR1 drains, and draining may end the loop. `drain` is the caller's and has to stay. */
void worker_control_drain(struct worker_control *c, struct worker_drain *drain);

/* From now on memory is given back. `trim` is the caller's and has to stay. */
void worker_control_trim(struct worker_control *c, struct worker_trim *trim);

/* What SIGHUP does. */
void worker_control_reload(struct worker_control *c, const char *reason);

/* From now on signals and changes of the files renew certificates by `renew`, which is the caller's and has
 * to stay. Once. */
must_check enum err worker_control_renew(struct worker_control *c, struct worker_renew *renew);

/* From now on the loop ends as failed when `fd` is readable (worker/bridge.h), which has to stay open. Once. */
must_check enum err worker_control_guard(struct worker_control *c, int fd);

/* Serves until a signal ends it. ERR_SYS: its own loop or that of another thread has failed. */
must_check enum err worker_control_run(struct worker_control *c);

void worker_control_fini(struct worker_control *c);

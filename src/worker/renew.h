/*
 * Certificates that are read again while the server runs: on a signal, and when a file of theirs has
 * changed. A new one goes to every worker; one that cannot be loaded leaves the old one in place.
 * Connections keep the certificate they began with, and session tickets stay good. Control thread.
 */
#pragma once

#include <time.h>

#include "conf/conf.h"
#include "log/log.h"
#include "worker/certs.h"
#include "worker/pool.h"

enum {
	WORKER_RENEW_LOOK_MS = 2000,	  /* how often the files are looked at */
	WORKER_RENEW_SOON_S = 14 * 86400, /* what expires within that is warned about */
	WORKER_RENEW_NAG_S = 86400,	  /* and once more each day */
};

struct worker_renew {
	const struct conf *conf;
	struct net_tickets **tickets; /* the caller's */
	struct worker_pool *pool;
	struct logger *lg;
	uint64_t stamp; /* of the files as they were last loaded, or as loading them failed */
	uint64_t seen;	/* as they were found last */
	bool again;	/* a worker had no room for the message: the next look loads again */
	time_t expires; /* of the certificates in use */
	time_t nag;	/* when that is to be warned about again */
};

/* Begins to watch the files of `cert`, which the workers of `pool` serve with; all arguments stay the
 * caller's and have to stay. Says when it expires, and when this process may not read the files again.
 * Without TLS (cert NULL) nothing is watched. */
void worker_renew_init(struct worker_renew *r, const struct conf *conf,
		       struct net_tickets **tickets, const struct net_cert *cert,
		       struct worker_pool *pool, struct logger *lg);

/* Loads the files and hands them to the workers, changed or not. `reason` is for the log. What fails is
 * logged, and the old ones stay. */
void worker_renew_now(struct worker_renew *r, const char *reason);

/* Looks whether files have changed; those that have and then rested for one look are loaded. Warns about
 * what expires soon. `now_s` is the wall clock. */
void worker_renew_look(struct worker_renew *r, time_t now_s);

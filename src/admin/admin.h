/*
 * The stats port: docs/api.md over HTTP, by libmicrohttpd in the control thread's loop. What it knows of the
 * rest of the server is handed in here. Control thread only.
 */
#pragma once

#include <stdint.h>
#include <time.h>

#include "base/counter.h"
#include "conf/conf.h"
#include "log/log.h"
#include "net/loop.h"
#include "store/store.h"
#include "worker/msg.h"

enum {
	ADMIN_STREAMS = 32,	    /* event streams at once */
	ADMIN_CONNECTIONS = 512,    /* others wait to be accepted */
	ADMIN_IDLE_S = 15,	    /* a connection on which nothing moves for that long is closed */
	ADMIN_BODY_MAX = 16384,	    /* bytes of a request's body */
	ADMIN_STREAM_MAX = 262144,  /* bytes that wait for a reader of events */
	ADMIN_ASKS = 8,		    /* questions to the workers at once, each of up to ADMIN_PAGE_MAX rows */
	ADMIN_PAGE_MAX = 1000,
	ADMIN_ANSWER_MS = 5000,	    /* for a worker to answer */
	ADMIN_STORES = 8,
	ADMIN_HISTORY = 360,	   /* samples that are kept … */
	ADMIN_HISTORY_STEP_S = 10, /* … one in so many seconds */
	ADMIN_CHECKS = 300,	   /* credentials of check-page in a minute … */
	ADMIN_CHECKS_OF_ONE = 10,  /* … and of those for one source */
};

/* The ports of one relay address. */
struct admin_ports {
	struct addr ip;
	uint64_t used, total;
};

/* The databases; all zero: there are none. */
struct admin_stores {
	/* copies the state of up to `max` connections, and returns how many there are */
	size_t (*health)(void *arg, struct store_health *out, size_t max);
	/* STORE_ADMIN; op->done comes from any thread, also after admin_stop(). False: no room */
	bool (*order)(void *arg, struct store_op *op);
	/* the sessions of a user whose credentials were withdrawn are to end */
	void (*revoked)(void *arg, struct str realm, struct str user);
	void *arg;
};

/* The rest of the server, as the stats port sees it. */
struct admin_host {
	const struct conf *conf;
	struct net_loop *loop;
	struct logger *lg;
	unsigned n_workers;
	const char *prefix;    /* NODE.EPOCH. */
	struct mbox *notes;    /* of struct worker_note, emptied here */
	const int *listen_fds; /* UDP sockets of clients, for what their queues dropped */
	size_t n_listen_fds;
	const struct counters *(*counters)(void *arg, unsigned worker);
	/* false: no room; the message's contents stay the caller's */
	bool (*send)(void *arg, unsigned worker, const struct worker_msg *msg);
	size_t (*ports)(void *arg, struct admin_ports *out, size_t max);
	/* the realms of struct counters.relayed, as relay_realms_names() */
	size_t (*realms)(void *arg, struct str *out, size_t max);
	/* users with series of their own, metrics-user-labels */
	void (*users)(void *arg, void (*fn)(void *to, const struct relay_peruser_row *row), void *to);
	time_t (*cert_expires)(void *arg); /* 0: no certificate */
	void (*drain)(void *arg, bool on, bool exit);
	bool (*draining)(void *arg, bool *exit);
	void (*reload)(void *arg);
	struct admin_stores stores;
	void *arg;
};

/* What has to be had while there are privileges: the socket, the key. */
struct admin_bound {
	int fd; /* -1: the port is not served */
	char *cert, *pkey;
};

/* Opens the port as the configuration says. What fails is reported, with what to do; only a port that was
 * asked for fails the start. */
must_check enum err admin_bind(const struct conf *conf, struct admin_bound *out,
			       conf_report_fn *report, void *arg);
void admin_unbind(struct admin_bound *b);

struct admin;

/* Serves, until stopped; *out is NULL when the port is not served. What *host points to has to stay. */
must_check enum err admin_start(struct admin **out, const struct admin_host *host,
				struct admin_bound *bound);
/* Before the workers end. NULL is fine. */
void admin_stop(struct admin *a);

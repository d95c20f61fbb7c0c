/*
 * The store thread: one event loop that owns every connection to a database. Workers hand it jobs and get
 * them back answered; they never wait, and what does not fit is refused at once. One question per key is in
 * flight at a time, others join it; answers are cached, refusals too (store/cache.h). What has to reach a
 * database and cannot waits in memory within a bound, then in a spool file (store/spool.h).
 */
#pragma once

#include "conf/conf.h"
#include "conf/live.h"
#include "log/log.h"
#include "store/op.h"

enum {
	STORE_QUEUE_LEN = 8192,	      /* jobs that wait for the store thread; more are refused */
	STORE_LEASE_MS = 60 * 1000,   /* how long a lease of a dead node lasts; renewed every third of it */
	STORE_LIVE_MS = 5 * 1000,     /* how often secrets, realms and their like are read again */
	STORE_ANSWER_MS = 800,	      /* a job without an answer by then is answered with STORE_DOWN */
};

enum store_job_kind {
	STORE_JOB_KEY,	   /* -> key; answered */
	STORE_JOB_LEASE,   /* -> lease; answered. One that nobody wants any more is given back by RELEASE */
	STORE_JOB_HOLD,	   /* a session was let in without an answer: it counts from when there is a database */
	STORE_JOB_RELEASE, /* a session with a lease has ended; not answered: the job is freed */
	STORE_JOB_USAGE,   /* what users relayed since the last report; not answered */
	STORE_JOB_RECORD,  /* a session has ended; not answered */
	STORE_JOB_EVENT,   /* coturn's pub/sub; not answered; the first to be dropped when there are many */
};

/* A job: one heap object that goes to the store thread and, where it is answered, back to its worker. It
 * belongs to whoever holds it. Text lies behind the struct or is owned by it: store_job_free() knows. */
struct store_job {
	enum store_job_kind kind;
	unsigned worker;
	uint64_t ticket; /* the worker's; given back as it is */
	struct str realm, user; /* owned copies */
	enum store_status status; /* of the answer */
	uint8_t key[STORE_KEY_LEN]; /* KEY, on STORE_OK */
	struct store_lease lease;   /* LEASE; HOLD, RELEASE: id */
	struct store_usage *usage;  /* USAGE: owned, texts too */
	size_t n_usage;
	struct store_record *record; /* RECORD: owned, texts too */
	struct store_event *events;  /* EVENT: owned, texts too */
	size_t n_events;
	struct store_job *next; /* for whoever holds it */
};

/* A zeroed job with copies of realm and user; NULL: no memory. Any thread. */
struct store_job *store_job_new(enum store_job_kind kind, struct str realm, struct str user);
/* Wipes the key. NULL is fine. Any thread. */
void store_job_free(struct store_job *j);

/* A record made with calloc(), and the texts in it. NULL is fine. Any thread. */
void store_record_free(struct store_record *r);

struct store;

enum store_taken {
	STORE_TAKEN,
	STORE_LATER, /* the worker has no room now; the store offers it again */
	STORE_GONE,  /* there is no such worker any more: the job is the store's, and a lease in it */
};

/* What the store thread calls in the rest of the server; each from the store thread. */
struct store_hooks {
	/* An answered job for job->worker. */
	enum store_taken (*answer)(void *arg, struct store_job *job);
	/* A new snapshot for all workers, which take references of their own. */
	void (*live)(void *arg, struct conf_live *live);
	/* The sessions that credentials of this secret opened are to end. False: there is no room for that now. */
	bool (*withdrawn)(void *arg, struct str secret);
	/* A user is over its bytes of the period; with byte-quota-enforce=end its sessions are to end. */
	void (*over)(void *arg, struct str realm, struct str user);
	/* A user's own limits have changed: its sessions keep to them from now on. False: not now, it is said again. */
	bool (*limits)(void *arg, struct str realm, struct str user, const struct store_limits *limits);
	/* The thread's event loop has failed, which was logged: nothing is answered any more, and what is reported waits
	 * for store_stop(). */
	void (*failed)(void *arg);
	void *arg;
};

/* True when the configuration names any database, or a limit that only the store thread can keep
 * (user-byte-quota, or those that an admin of the stats port sets): else there is no store thread and workers ask nobody. */
bool store_is_needed(const struct conf *conf);

/* For --check-config: connects to each database and looks at its tables, within seconds. ERR_CONF: one is not
 * usable, which was reported with what to do about it. */
must_check enum err store_check(const struct conf *conf, conf_report_fn *report, void *arg);

/* Resolves, opens the databases and starts the thread. A database that cannot be reached now is no error,
 * but a connection string that is wrong is (ERR_CONF, reported). */
must_check enum err store_start(struct store **out, const struct conf *conf, const char *node, int64_t epoch,
				const struct store_hooks *hooks, struct log *log, conf_report_fn *report,
				void *arg);

/* Writes what waits (within 5 s, then to the spool file), releases leases, and ends the thread. One that has failed
 * writes nothing: all goes to the spool file. After the workers have ended. */
void store_stop(struct store *s);

/* Hands a job over. ERR_FULL: there is no room, and it is still the caller's. Any thread. */
must_check enum err store_send(struct store *s, struct store_job *job);

/* Asks a database directly, for the stats port: op->done is called in the store thread. ERR_FULL. Any thread. */
must_check enum err store_send_op(struct store *s, struct store_op *op);

/* One connection, for /readyz, /metrics and the dashboard. */
struct store_health {
	const char *kind;    /* "redis" … */
	const char *used_for; /* "users", "counts", "records" */
	bool up;
	bool needed; /* /readyz says 503 while it is down */
	uint64_t n_ops, n_failed, n_reconnects;
	uint64_t waiting;	/* rows that wait to be delivered, in memory and in spool files */
	uint64_t lost;		/* rows that found no room */
	uint64_t near, over;	/* users that came near their bytes of a period, or used them up */
	uint64_t latency_us_sum;
	uint64_t latency_bucket[12]; /* <= 0.25 0.5 1 2.5 5 10 25 50 100 250 1000 ms, more */
	char why[128];		/* of the last failure */
};

/* Copies the state of up to `max` connections; returns how many there are. Any thread. */
size_t store_health(struct store *s, struct store_health *out, size_t max);

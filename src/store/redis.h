/* What the files of the Redis backend share: the backend, and a job for each op that it has. The store thread. */
#pragma once

#include "base/list.h"
#include "store/redis_link.h"

enum store_redis_script {
	STORE_REDIS_LEASE,
	STORE_REDIS_RENEW,
	STORE_REDIS_RELEASE,
	STORE_REDIS_USAGE,
	STORE_REDIS_RECORD,
	N_STORE_REDIS_SCRIPT
};

enum {
	STORE_REDIS_SCHEMA = 1,	    /* of our keys; in taciturn:schema */
	STORE_REDIS_SCAN_STEP = 500, /* COUNT of a SCAN: under a millisecond of Redis' time */
	STORE_REDIS_RUN = 100,	    /* leases in one call of a script */
};

struct store_redis_names; /* redis_users.c: what a SCAN found */

struct store_backend {
	struct store_env env;
	struct store_redis_conninfo ci;
	struct store_redis_tls *tls; /* NULL: none */
	struct store_redis_link *link;
	char sha[N_STORE_REDIS_SCRIPT][41]; /* of the scripts, as Redis said; empty: refused */
	unsigned n_loading;		    /* scripts that Redis has yet to answer */
	bool is_ready;			    /* up, and the scripts are there */
	struct list young;		    /* jobs of before the first connection */
	unsigned n_young;
	struct store_redis_names *names;
	unsigned long long n_bad_keys; /* of users, that are no 32 hex digits */
};

struct store_redis_job;
/* A reply that is no error; the index counts the job's commands in the order they were sent. It may send more. */
typedef void store_redis_answer_fn(struct store_redis_job *j, unsigned index, const redisReply *r);

/* An op that the backend has: done when all that was sent for it is answered. */
struct store_redis_job {
	struct list node;
	struct store_backend *b;
	struct store_op *op;
	store_redis_answer_fn *answer;
	unsigned n_sent, n_answered;
	enum store_status status; /* what op->done() gets, unless the job failed */
	bool failed;		  /* answers are not looked at any more */
	bool no_script, was_retried;
	void *state; /* of the kind of op; freed with free() after fini() */
	void (*fini)(struct store_redis_job *j); /* NULL: nothing to do */
};

/* Sends a command of the job and gives its arguments back; a failure ends the job when all is answered. */
void store_redis_job_send(struct store_redis_job *j, struct store_redis_args *a);
/* Begins the arguments of a script with its name and the number of its keys. */
void store_redis_job_script(struct store_redis_job *j, struct store_redis_args *a, enum store_redis_script s,
			    size_t n_keys);
/* The job ends as refused, or as `status`; the line is for the operator. */
void store_redis_job_fail(struct store_redis_job *j, enum store_status status, const char *why);

/* A text, or an empty one when the reply is none. */
struct str store_redis_text(const redisReply *r);
/* A whole number in a text, or an integer; false: it is none. */
bool store_redis_number(const redisReply *r, int64_t *out);

/* redis_users.c: KEY and LIVE. */
void store_redis_users_key(struct store_redis_job *j);
void store_redis_users_live(struct store_redis_job *j);
void store_redis_users_fini(struct store_backend *b);
/* redis_quota.c: LEASE, RENEW and RELEASE. */
void store_redis_quota_lease(struct store_redis_job *j);
void store_redis_quota_renew(struct store_redis_job *j);
void store_redis_quota_release(struct store_redis_job *j);
/* The limits in four replies: max_allocations, max_bps, max_bytes, period. */
struct store_limits store_redis_quota_limits(redisReply *const *r);
extern const char store_redis_quota_lease_lua[], store_redis_quota_renew_lua[], store_redis_quota_release_lua[];
/* redis_counts.c: USAGE, RECORD and EVENT. */
void store_redis_counts_usage(struct store_redis_job *j);
void store_redis_counts_record(struct store_redis_job *j);
void store_redis_counts_event(struct store_redis_job *j);
extern const char store_redis_counts_usage_lua[], store_redis_counts_record_lua[];
/* redis_admin.c */
void store_redis_admin(struct store_redis_job *j);

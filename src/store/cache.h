/*
 * What a database said of users, remembered for a while: keys, and that there is no such user. Questions that
 * are the same as one under way join it. Bounded; one thread.
 */
#pragma once

#include "store/store.h"

enum { STORE_CACHE_MAX = 65536 }; /* users; the one asked for longest ago goes for a new one */

struct store_cache;

/* Answers live for ttl_ms; 0: not at all, but equal questions still join. */
must_check enum err store_cache_new(struct store_cache **out, tick ttl_ms, const uint64_t hash_key[2]);
/* Jobs that still wait are freed. */
void store_cache_free(struct store_cache *c);

enum store_cache_found {
	STORE_CACHE_KNOWN,  /* job->status and job->key are filled */
	STORE_CACHE_JOINED, /* the job is the cache's until the answer */
	STORE_CACHE_ASK,    /* likewise, and it is the first: the database is to be asked */
	STORE_CACHE_FULL,   /* it cannot be taken */
};

/* Looks for an answer to a STORE_JOB_KEY. */
enum store_cache_found store_cache_look(struct store_cache *c, struct store_job *job, tick now);

/* The answer about a user: remembered if the database gave one. Returns the jobs that waited, chained by next,
 * with the answer filled in; they are the caller's. */
struct store_job *store_cache_answer(struct store_cache *c, struct str realm, struct str user,
				     enum store_status status, const uint8_t key[STORE_KEY_LEN], tick now);

/* Forgets all answers: the database was changed. */
void store_cache_forget(struct store_cache *c);

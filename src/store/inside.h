/* What the files of the store thread share: its state, and who does what of its work. Inside of store.c,
 * question.c, report.c and reader.c only; the store thread. */
#pragma once

#include <pthread.h>

#include "base/mbox.h"
#include "store/cache.h"
#include "store/delivery.h"
#include "store/lease.h"
#include "store/link.h"
#include "store/quota.h"
#include "store/neighbour.h"

enum {
	STORE_LINKS = 2,
	STORE_ASKED_MAX = 4096,	 /* questions at the databases at once */
	STORE_EVENTS_MAX = 1024, /* publications likewise */
};

struct store {
	const struct conf *conf;
	struct store_hooks hooks;
	char *node;
	int64_t epoch;
	struct logger *lg;
	struct net_loop *loop;
	struct mbox *mbox;
	struct net_watch mbox_watch;
	pthread_t thread;
	bool started, stopping, stop;
	tick stop_at, next_live, next_usage;
	struct store_link link[STORE_LINKS];
	size_t n_links;
	struct store_link *users, *counts; /* NULL: there is none */
	struct store_cache *cache;
	struct store_leases *leases;
	struct store_quotas *quotas;
	struct store_neighbour *neighbour;	      /* of spool files; NULL: there are none */
	struct store_delivery *delivery[STORE_LINKS]; /* by link; NULL: it takes neither usage nor records */
	struct list waiting;			    /* of store_asked with a deadline */
	size_t n_asked, n_events;
	struct store_job *unanswered, **unanswered_end; /* their worker had no room */
	struct conf_live *live; /* as the workers have it; NULL: nothing was read yet */
	bool live_asked;
	struct conf_live *revoked; /* by the database that counts, when it is another one; NULL: not known */
	uint64_t hash_key[2];
};

/* question.c: one question about one user; each job is answered. */
void store_question_key(struct store *s, struct store_job *job);
void store_question_lease(struct store *s, struct store_job *job);
/* A session that was let in without a lease; the job is freed. */
void store_question_hold(struct store *s, struct store_job *job);
/* A user's own limits, as a database just said; its sessions are told when they are others than before. */
void store_question_learn(struct store *s, struct str realm, struct str user, const struct store_limits *limits);
/* Offers again what a worker had no room for. */
void store_question_again(struct store *s);

/* report.c: what has to reach a database; each job is freed. */
void store_report_usage(struct store *s, struct store_job *job);
void store_report_record(struct store *s, struct store_job *job);
void store_report_event(struct store *s, struct store_job *job);
/* What was added up goes out. */
void store_report_flush(struct store *s);

/* reader.c: reads secrets, realms and their like anew. */
void store_reader_read(struct store *s, tick now);

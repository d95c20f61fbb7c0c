/*
 * One database as the store sees it: a backend, and how it fares. Ops that are handed over here are counted
 * and timed; coming and going is logged once each way, with what to do about it. The store thread, but for
 * store_link_health().
 */
#pragma once

#include <pthread.h>

#include "base/list.h"
#include "store/backend.h"
#include "store/store.h"

enum { STORE_LINK_PLACES = 8 };

struct store_link {
	const struct store_kind *kind;
	struct store_backend *b;
	struct store_env env;
	bool up, told_down;
	bool users, counts, records; /* what it is used for */
	tick down_since;
	size_t in_flight;
	struct addr places[STORE_LINK_PLACES]; /* where it was reached, with its Sentinels; the newest ones */
	size_t n_places, next_place;
	pthread_mutex_t lock; /* of health */
	struct store_health health;
	void (*on_up)(struct store_link *l, void *arg); /* it is back: what waits may go */
	void *arg;
};

/* One op under way, with a deadline of its own: embedded in what waits for it. */
struct store_asked {
	struct store_op op;
	struct store_link *link;
	struct list node; /* in the store's list of those with a deadline; alone: it has none, or it is over */
	uint64_t began_us;
	tick deadline;
	/* Once: with the answer; or with STORE_DOWN when the deadline has passed (then `late` is called with the
	 * answer, if it is not NULL, before `gone`). */
	void (*answered)(struct store_asked *a, enum store_status status);
	void (*late)(struct store_asked *a, enum store_status status);
	/* The backend has no more to do with it: its memory may go. */
	void (*gone)(struct store_asked *a);
	bool told;
	void *arg;
};

/* Opens the database that `conninfo` names. ERR_CONF: it is wrong, and was reported. */
must_check enum err store_link_open(struct store_link *l, const struct store_kind *kind, const char *conninfo,
				    const struct store_env *env, conf_report_fn *report, void *arg);
void store_link_close(struct store_link *l);

/* Hands a->op over. `waiting` is the list of those with a deadline, ordered by it as all wait equally long. */
void store_link_ask(struct store_link *l, struct store_asked *a, struct list *waiting, tick now, tick wait_ms);

/* Tells those whose time is over. */
void store_link_expire(struct list *waiting, tick now);

/* What waits for it and what was lost, as of now. The store thread. */
void store_link_note(struct store_link *l, uint64_t waiting, uint64_t lost);
/* … and the users near and over their bytes. */
void store_link_note_quota(struct store_link *l, uint64_t near, uint64_t over);

/* A copy of how it fares. Any thread. */
void store_link_health(struct store_link *l, struct store_health *out);

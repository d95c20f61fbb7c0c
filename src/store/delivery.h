/*
 * The way of batches to one database: one at a time, in order, sent again until they are acknowledged. What
 * waits is bounded: past that it goes to a file of store-spool-dir, and comes back from there, over a restart
 * too. The store thread.
 */
#pragma once

#include "store/batch.h"
#include "store/link.h"

enum {
	STORE_DELIVERY_BATCHES = 400, /* that wait in memory: 200,000 rows at most */
	STORE_DELIVERY_RETRY_MS = 1000,
	STORE_DELIVERY_ANSWER_MS = 10 * 1000,
};

struct store_delivery;

struct store_delivery_options {
	struct store_link *link;
	struct str node;
	int64_t epoch;
	const char *dir; /* store-spool-dir; NULL: what is too much is lost */
	struct logger *lg;
	/* A batch was applied; its usage rows have their totals. */
	void (*applied)(void *arg, const struct store_batch *b);
	void *arg;
};

/* Finds what earlier processes left in the directory, to be delivered first. */
must_check enum err store_delivery_new(struct store_delivery **out, const struct store_delivery_options *o);

/* What was not delivered goes to the file, or is lost and counted. */
void store_delivery_free(struct store_delivery *d);

/* Takes a batch over, and gives it its number. */
void store_delivery_put(struct store_delivery *d, struct store_batch *b, tick now);

/* Sends what may go; on a timer, and when the database is back. */
void store_delivery_run(struct store_delivery *d, tick now);

/* Rows that wait, in memory and in files; and those lost. */
uint64_t store_delivery_waiting(const struct store_delivery *d);
uint64_t store_delivery_lost(const struct store_delivery *d);

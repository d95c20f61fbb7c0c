/*
 * The way of usage and session records to one database: batches, one at a time, sent again until they are
 * acknowledged. While the database is away usage adds up by user, which an outage of any length does not make more
 * of, and records wait; both within a bound. Past that they go to a file of store-spool-dir and come back from
 * there, over a restart too; without a directory they are lost, which is counted and said. The store thread.
 */
#pragma once

#include "store/batch.h"
#include "store/link.h"
#include "store/neighbour.h"
#include "store/usage.h"

enum {
	STORE_DELIVERY_RECORDS = 100000, /* that wait in memory: 90 MB of them at most */
	STORE_DELIVERY_FILING = 64,	 /* batches on their way to the disk: a slow one loses, and delays nobody */
	STORE_DELIVERY_RETRY_MS = 1000,
	STORE_DELIVERY_ANSWER_MS = 10 * 1000,
	STORE_DELIVERY_SCAN_MS = 60 * 1000, /* between looks for files that other processes left */
};

struct store_delivery;

struct store_delivery_options {
	struct store_link *link;
	struct str node;
	int64_t epoch;
	uint64_t hash_key[2];
	const char *dir; /* store-spool-dir; NULL: what is too much is lost */
	struct store_neighbour *neighbour; /* with dir; outlives the last turn of the loop, not this */
	struct logger *lg;
	/* A batch was applied; its usage rows have their totals. */
	void (*applied)(void *arg, const struct store_batch *b);
	void *arg;
};

/* What earlier processes left in the directory is delivered too. ERR_SYS: it cannot be used; errno says why. */
must_check enum err store_delivery_new(struct store_delivery **out, const struct store_delivery_options *o);

/* What was not delivered goes to the file, or is lost and counted. After the link was closed and the neighbour
 * freed. NULL is fine. */
void store_delivery_free(struct store_delivery *d);

/* Adds what a user relayed, or a session's record. Texts are copied. */
void store_delivery_add_usage(struct store_delivery *d, const struct store_usage *row);
void store_delivery_add_record(struct store_delivery *d, const struct store_record *record);

/* What was added until now may go: about once a second, so that it goes together. */
void store_delivery_flush(struct store_delivery *d);

/* Sends what may go; on a timer, and when the database is back. */
void store_delivery_run(struct store_delivery *d, tick now);

/* True when nothing is under way to the database or the disk, and nothing waits that could go now. */
bool store_delivery_idle(const struct store_delivery *d);

/* Rows that wait, in memory and in files; and those lost. */
uint64_t store_delivery_waiting(const struct store_delivery *d);
uint64_t store_delivery_lost(const struct store_delivery *d);

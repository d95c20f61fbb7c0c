/*
 * Usage or session records on their way to a database: a batch is applied once, though it may be sent again,
 * for it is known by NODE, EPOCH and a sequence number. Here: what a batch is, and its bytes in a spool file.
 * Pure; one thread.
 */
#pragma once

#include "base/list.h"
#include "base/rd.h"
#include "store/store.h"

enum {
	STORE_BATCH_ROWS = 500,		  /* of one batch */
	STORE_BATCH_BYTES = 4 * 1024 * 1024, /* of an encoded one; a longer length in a file is damage */
};

struct store_batch {
	struct list node;
	struct str from; /* who numbered it; owned, like all text in it */
	int64_t epoch;
	uint64_t seq;
	struct store_usage *usage;
	size_t n_usage;
	struct store_record *records;
	size_t n_records;
};

struct store_batch *store_batch_new(struct str from, int64_t epoch); /* NULL: no memory */
void store_batch_free(struct store_batch *b);			      /* NULL is fine */

/* Takes a row over, texts too; the caller forgets it. ERR_NOMEM, ERR_FULL: it is still the caller's. */
must_check enum err store_batch_add_usage(struct store_batch *b, const struct store_usage *row);
must_check enum err store_batch_add_record(struct store_batch *b, const struct store_record *row);
/* The same with copies of the texts. */
must_check enum err store_batch_add_record_copy(struct store_batch *b, const struct store_record *row);

static inline size_t store_batch_rows(const struct store_batch *b)
{
	return b->n_usage + b->n_records;
}

/* Appends its bytes to *buf of *len bytes, which realloc() grows. ERR_NOMEM leaves both usable. */
must_check enum err store_batch_encode(const struct store_batch *b, uint8_t **buf, size_t *len);

/* Reads one batch. ERR_NOTFOUND: there is no more; ERR_MALFORMED: damage, as a crash leaves at the end. */
must_check enum err store_batch_decode(struct rd *r, struct store_batch **out);

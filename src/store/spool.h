/*
 * Files of batches, for what a database could not take: appended to, and read again when it is back. A file belongs
 * to one database of one process, NAME.EPOCH, which holds a lock on it as long as it lives; those that processes
 * which are gone have left are read first, oldest first, by whoever locks them first. Reading and writing wait for
 * the disk: they are the neighbour's (store/neighbour.h). One thread at a time.
 */
#pragma once

#include "store/batch.h"

enum { STORE_SPOOL_FILES = 64 }; /* of other processes at once; more wait for the next scan */
#define STORE_SPOOL_BYTES (INT64_C(8) << 30) /* of our own file */

struct store_spool;

/* `name` tells the databases apart ("redis"). ERR_SYS: the directory cannot be used; errno says why. */
must_check enum err store_spool_open(struct store_spool **out, const char *dir, const char *name, int64_t epoch);
/* An empty file is removed. NULL is fine. */
void store_spool_close(struct store_spool *s);

/* Looks for files that others left; what is in them counts from then on. */
void store_spool_scan(struct store_spool *s);

/* Appends one batch, on disk when this returns. ERR_FULL; ERR_SYS: errno says why. */
must_check enum err store_spool_put(struct store_spool *s, const struct store_batch *b);

/* The oldest batch that waits, left in its file until store_spool_done(). ERR_NOTFOUND: none. A file that is
 * damaged is put aside (.damaged), with what is behind the damage. */
must_check enum err store_spool_get(struct store_spool *s, struct store_batch **out);
/* The one that get() gave last need not be kept. */
void store_spool_done(struct store_spool *s);

/* Rows in files. */
uint64_t store_spool_rows(const struct store_spool *s);
/* Files that were put aside so far. */
unsigned store_spool_damaged(const struct store_spool *s);

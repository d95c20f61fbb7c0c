/*
 * Files of batches: appended while a database is away, read again when it is back. A file belongs to one
 * database of one process (EPOCH); those that an earlier process left are read first, oldest first. One thread;
 * writing waits for the disk, which is why only outages come here.
 */
#pragma once

#include "store/batch.h"

struct store_spool;

/* `name` tells the databases apart ("redis"). ERR_SYS: the directory cannot be used; errno says why. */
must_check enum err store_spool_open(struct store_spool **out, const char *dir, const char *name, int64_t epoch);
/* Empty files are removed. NULL is fine. */
void store_spool_close(struct store_spool *s);

/* Appends one batch, on disk when this returns. `first`: it is older than what was appended so far (what a
 * process that ends still had in memory). */
must_check enum err store_spool_put(struct store_spool *s, const struct store_batch *b, bool first);

/* The oldest batch that waits, left in its file until store_spool_done(). ERR_NOTFOUND: none. */
must_check enum err store_spool_get(struct store_spool *s, struct store_batch **out);
void store_spool_done(struct store_spool *s);

/* Rows in files. */
uint64_t store_spool_rows(const struct store_spool *s);

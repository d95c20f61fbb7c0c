/*
 * What users relayed and no database knows yet, added up by user and period: in a second, or in an outage, however
 * long it is. Bounded; one thread.
 */
#pragma once

#include "store/batch.h"

enum { STORE_USAGE_ROWS = 100000 }; /* users and periods at once */

struct store_usages;

must_check enum err store_usage_new(struct store_usages **out, const uint64_t hash_key[2]);
void store_usage_free(struct store_usages *u);

/* Adds a row's numbers. ERR_FULL, ERR_NOMEM: they are not in it. */
must_check enum err store_usage_add(struct store_usages *u, const struct store_usage *row);

/* Takes up to STORE_BATCH_ROWS of what was added into a batch; NULL: nothing was. ERR_NOMEM. */
must_check enum err store_usage_take(struct store_usages *u, struct str node, int64_t epoch, struct store_batch **out);

size_t store_usage_count(const struct store_usages *u);

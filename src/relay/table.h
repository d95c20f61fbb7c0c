/* From a client's 5-tuple to its session: open addressing, so that a hit costs one or two cache
 * lines. One worker. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "turn/session.h"

struct relay_session;

struct relay_table {
	uint64_t key[2];
	struct relay_slot {
		uint64_t hash; /* 0: empty */
		struct relay_session *session;
	} * slots;
	size_t mask, n;
};

must_check enum err relay_table_init(struct relay_table *t, const uint64_t key[2]);
void relay_table_fini(struct relay_table *t);

struct relay_session *relay_table_find(const struct relay_table *t,
				       const struct turn_tuple *tuple);

/* The tuple must not be in the table. ERR_NOMEM when it cannot grow. */
must_check enum err relay_table_insert(struct relay_table *t, struct relay_session *s);

/* The session must be in the table. */
void relay_table_remove(struct relay_table *t, struct relay_session *s);

/*
 * Byte budgets: who is near one, who is over. The numbers come with each applied report of usage; a user's own
 * limit with its leases. Bounded; the store thread.
 */
#pragma once

#include "store/store.h"

enum { STORE_QUOTA_USERS = 100000, STORE_QUOTA_NEAR_PERCENT = 90 };

struct store_quotas;

must_check enum err store_quotas_new(struct store_quotas **out, const struct conf *conf, struct logger *lg,
				     const uint64_t hash_key[2]);
void store_quotas_free(struct store_quotas *q);

/* A user's own limit, as its last lease brought it; CONF_LIVE_UNSET: it has none. */
void store_quota_learn(struct store_quotas *q, struct str realm, struct str user, int64_t max_bytes);

/* Looks at a row with its total. True: the user is over its limit. Who comes near it, and who is over it, is
 * logged once a period. */
bool store_quota_is_over(struct store_quotas *q, const struct store_usage *row);

/* How many came near, and how many over, so far. */
uint64_t store_quota_near(const struct store_quotas *q);
uint64_t store_quota_over(const struct store_quotas *q);

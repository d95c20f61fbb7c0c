/*
 * Byte budgets: who is near one, who is over. The numbers come with each applied report of usage, and with them
 * a user's own limits, as with its leases. Bounded; the store thread.
 */
#pragma once

#include "store/store.h"

enum { STORE_QUOTA_USERS = 100000, STORE_QUOTA_NEAR_PERCENT = 90 };

struct store_quotas;

must_check enum err store_quotas_new(struct store_quotas **out, const struct conf *conf, struct logger *lg,
				     const uint64_t hash_key[2]);
void store_quotas_free(struct store_quotas *q);

/* Whether these limits of a user are others than were learnt last; who never had any has none. */
bool store_quota_is_news(const struct store_quotas *q, struct str realm, struct str user,
			 const struct store_limits *limits);
/* A user's own limits, as a lease or a report of usage brought them. */
void store_quota_learn(struct store_quotas *q, struct str realm, struct str user, const struct store_limits *limits);

/* Looks at an applied row of usage, at a moment. True: the user is over its limit of the window that is now. Who
 * comes near it, and who is over it, is logged once a window. */
bool store_quota_is_over(struct store_quotas *q, const struct store_usage *row, int64_t wall_s);

/* How many came near, and how many over, so far. */
uint64_t store_quota_near(const struct store_quotas *q);
uint64_t store_quota_over(const struct store_quotas *q);

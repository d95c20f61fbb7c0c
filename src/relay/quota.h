/* How many allocations each user and the realm hold on this node. Shared by all workers, locked
 * in stripes, touched on allocate and free only. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"
#include "base/str.h"

struct relay_quota;

must_check enum err relay_quota_new(struct relay_quota **out, struct rng *rng);
void relay_quota_free(struct relay_quota *q);

/* Counts one more allocation of `user`, unless it has `user_max` already or all have `total_max`
 * (0: no limit). ERR_FULL: a limit is reached; ERR_NOMEM. Any thread. */
must_check enum err relay_quota_take(struct relay_quota *q, struct str user, int64_t user_max,
				     int64_t total_max);

/* One less. Any thread. */
void relay_quota_give(struct relay_quota *q, struct str user);

/* What each user and all of a realm hold on this node: allocations, bandwidth, and reservations of it. Shared
 * by all workers, locked in stripes; touched when an allocation begins and ends, and where a user's bandwidth
 * is limited by each of its sessions about every 50 ms, never per packet. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/tick.h"

struct relay_quota;

must_check enum err relay_quota_new(struct relay_quota **out, struct rng *rng);
void relay_quota_free(struct relay_quota *q);

/* Counts one more allocation of `user`, unless it has `user_max` already or its realm has `total_max`
 * (0: no limit). ERR_FULL: a limit is reached; ERR_NOMEM. Any thread. */
must_check enum err relay_quota_take(struct relay_quota *q, struct str realm, struct str user,
				     int64_t user_max, int64_t total_max);

/* One less. Any thread. */
void relay_quota_give(struct relay_quota *q, struct str realm, struct str user);

/* Reserves `bps` bytes per second of `capacity` for a session, or the refusal: false. Any thread. */
bool relay_quota_reserve(struct relay_quota *q, uint64_t bps, uint64_t capacity);
void relay_quota_unreserve(struct relay_quota *q, uint64_t bps);

/* What a session takes of its user's bandwidth: bytes in one direction. */
struct relay_quota_draw {
	bool up;       /* client to peer */
	uint64_t rate; /* the user's, bytes per second */
	uint64_t back; /* left of what was drawn last, given back first */
	uint64_t want;
	tick now;
};

/* Draws from the bucket that all sessions of `user` share; returns how much of d->want there was. The user
 * holds an allocation, else there is nothing. Any thread. */
uint64_t relay_quota_draw(struct relay_quota *q, struct str realm, struct str user,
			  const struct relay_quota_draw *d);

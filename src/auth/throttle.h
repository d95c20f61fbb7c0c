/*
 * Rations the answers to requests that did not authenticate, per source prefix (an IPv4 address,
 * an IPv6 /64): a spoofed flood must not be reflected at its victim. An authentication that
 * succeeds gives its answer back, so that a crowd behind one NAT is not starved.
 *
 * A fixed table, four ways: a source that finds no room takes the place of the one in its row
 * that was seen longest ago. One per worker, one thread.
 */
#pragma once

#include <stdbool.h>

#include "base/addr.h"
#include "base/bucket.h"
#include "base/rng.h"
#include "conf/conf.h"

enum { AUTH_THROTTLE_ROWS = 1024, AUTH_THROTTLE_WAYS = 4, AUTH_THROTTLE_BURST = 10 };

struct auth_throttle {
	uint64_t key[2];
	struct auth_throttle_entry {
		uint64_t id; /* keyed hash of the prefix; 0: empty */
		struct bucket bucket;
	} rows[AUTH_THROTTLE_ROWS][AUTH_THROTTLE_WAYS];
};

/* This worker's share of unauthorized-ratelimit-rps: a source's ports spread over the workers. */
static inline uint64_t auth_throttle_share(const struct conf *conf)
{
	uint64_t share = (uint64_t)conf->unauthorized_ratelimit_rps / conf->n_workers;

	return share ? share : 1;
}

/* Zeroed memory becomes an empty table under a random key. */
void auth_throttle_init(struct auth_throttle *t, struct rng *rng);

/* May one more unauthenticated answer go to `client`? `rps` a second, AUTH_THROTTLE_BURST times
 * as many at once. */
bool auth_throttle_take(struct auth_throttle *t, const struct addr *client, uint64_t rps,
			tick now);

/* Has it any left? Takes nothing. */
bool auth_throttle_has(struct auth_throttle *t, const struct addr *client, uint64_t rps,
		       tick now);

/* The client proved itself: one answer back. */
void auth_throttle_give(struct auth_throttle *t, const struct addr *client, uint64_t rps);

/* How many strangers each source has here: clients that hold memory of ours and have no allocation yet.
 * A source is an IPv4 address or an IPv6 /64. One thread. */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "base/hmap.h"

struct relay_prefix; /* one source */

struct relay_crowd {
	struct hmap prefixes;
	uint64_t key[2];
	uint32_t n; /* of all sources */
	uint32_t max_per_prefix;
};

void relay_crowd_init(struct relay_crowd *c, const uint64_t key[2], uint32_t max_per_prefix);
void relay_crowd_fini(struct relay_crowd *c); /* all must have left */

/* One more of this client's source; NULL: it has enough, or there is no memory. */
struct relay_prefix *relay_crowd_enter(struct relay_crowd *c, const struct addr *client);

/* The same without that limit: for a balancer, behind which is everybody. */
struct relay_prefix *relay_crowd_enter_any(struct relay_crowd *c, const struct addr *client);

/* One less, and *p is NULL; harmless when it was. */
void relay_crowd_leave(struct relay_crowd *c, struct relay_prefix **p);

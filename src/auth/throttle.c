#include "auth/throttle.h"

#include <string.h>

void auth_throttle_init(struct auth_throttle *t, struct rng *rng)
{
	memset(t, 0, sizeof *t);
	rng_bytes(rng, t->key, sizeof t->key);
}

static uint64_t prefix_id(const struct auth_throttle *t, const struct addr *client)
{
	struct addr p = *client;

	p.port = 0;
	if (p.family == ADDR_V6)
		memset(p.ip + 8, 0, 8);
	return addr_hash(t->key, &p) | 1; /* never 0, which means empty */
}

static struct auth_throttle_entry *find(struct auth_throttle *t, uint64_t id)
{
	struct auth_throttle_entry *row = t->rows[id >> 32 & (AUTH_THROTTLE_ROWS - 1)];

	for (int i = 0; i < AUTH_THROTTLE_WAYS; i++)
		if (row[i].id == id)
			return &row[i];
	return NULL;
}

/* An entry for a new source, in place of the one seen longest ago. */
static struct auth_throttle_entry *evict(struct auth_throttle *t, uint64_t id)
{
	struct auth_throttle_entry *row = t->rows[id >> 32 & (AUTH_THROTTLE_ROWS - 1)];
	struct auth_throttle_entry *oldest = &row[0];

	for (int i = 0; i < AUTH_THROTTLE_WAYS; i++) {
		if (!row[i].id)
			return &row[i];
		if (row[i].bucket.since < oldest->bucket.since)
			oldest = &row[i];
	}
	return oldest;
}

bool auth_throttle_take(struct auth_throttle *t, const struct addr *client, uint64_t rps,
			tick now)
{
	uint64_t id = prefix_id(t, client), burst = rps * AUTH_THROTTLE_BURST;
	struct auth_throttle_entry *e = find(t, id);

	if (!e) {
		e = evict(t, id);
		e->id = id;
		bucket_init(&e->bucket, burst, now);
	}
	return bucket_take(&e->bucket, 1, rps, burst, now);
}

bool auth_throttle_has(struct auth_throttle *t, const struct addr *client, uint64_t rps,
		       tick now)
{
	struct auth_throttle_entry *e = find(t, prefix_id(t, client));

	return !e || bucket_level(&e->bucket, rps, rps * AUTH_THROTTLE_BURST, now) > 0;
}

void auth_throttle_give(struct auth_throttle *t, const struct addr *client, uint64_t rps)
{
	struct auth_throttle_entry *e = find(t, prefix_id(t, client));

	if (e)
		bucket_give(&e->bucket, 1, rps * AUTH_THROTTLE_BURST);
}

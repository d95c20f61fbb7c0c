#include "base/rng.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/bug.h"
#include "base/crypto.h"

/* splitmix64: a counter and a mixer. Nothing secret may come from it. */
static uint64_t next_seeded(struct rng *r)
{
	uint64_t z = r->seed += 0x9e3779b97f4a7c15; /* 2^64 / golden ratio */

	if (r->seed == 0)
		r->seed = 1; /* 0 would mean the system's generator */
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void fill_seeded(struct rng *r)
{
	for (size_t i = 0; i < sizeof r->pool; i += sizeof(uint64_t)) {
		uint64_t word = next_seeded(r);

		memcpy(r->pool + i, &word, sizeof word);
	}
}

static void fill(struct rng *r)
{
	ssize_t n;

	r->left = sizeof r->pool;
	if (r->seed) {
		fill_seeded(r);
		return;
	}
	/* up to 256 bytes come whole once the system's generator has started (getrandom(2)) */
	do
		n = getrandom(r->pool, sizeof r->pool, 0);
	while (n < 0 && errno == EINTR);
	BUG_ON(n != (ssize_t)sizeof r->pool);
}

void rng_init(struct rng *r)
{
	r->seed = 0;
	fill(r);
}

void rng_init_seeded(struct rng *r, uint64_t seed)
{
	BUG_ON(seed == 0);
	r->seed = seed;
	fill(r);
}

/* What was handed out is wiped from the pool: this memory does not tell what it was. */
void rng_bytes(struct rng *r, void *out, size_t n)
{
	uint8_t *to = out;

	while (n > 0) {
		uint8_t *from;
		size_t part;

		if (r->left == 0)
			fill(r);
		part = n < r->left ? n : r->left;
		from = r->pool + sizeof r->pool - r->left;
		memcpy(to, from, part);
		crypto_wipe(from, part);
		r->left -= part;
		to += part;
		n -= part;
	}
}

uint32_t rng_u32(struct rng *r)
{
	uint32_t v;

	rng_bytes(r, &v, sizeof v);
	return v;
}

uint64_t rng_u64(struct rng *r)
{
	uint64_t v;

	rng_bytes(r, &v, sizeof v);
	return v;
}

/* Lemire's way: the high half of a product is uniform once the low halves that would make some
 * results one too frequent (2^32 mod n of them) are drawn again. */
uint32_t rng_below(struct rng *r, uint32_t n)
{
	uint32_t surplus;
	uint64_t m;

	BUG_ON(n == 0);
	surplus = -n % n;
	do
		m = (uint64_t)rng_u32(r) * n;
	while ((uint32_t)m < surplus);
	return (uint32_t)(m >> 32);
}

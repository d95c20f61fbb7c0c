/* Randomness that nobody can predict: a pool refilled from the system's generator. Tests seed
 * it instead, and then it repeats. One thread each. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct rng {
	uint8_t pool[256];
	size_t left;   /* unused bytes at the end of pool */
	uint64_t seed; /* 0: the system's generator; else a test's */
};

/* From the system's generator. Cannot fail: without randomness the process ends (BUG_ON). */
void rng_init(struct rng *r);

/* Repeatable, for tests only. seed must not be 0. */
void rng_init_seeded(struct rng *r, uint64_t seed);

void rng_bytes(struct rng *r, void *out, size_t n);
uint32_t rng_u32(struct rng *r);
uint64_t rng_u64(struct rng *r);

/* Uniform in 0 .. n-1, n > 0. */
uint32_t rng_below(struct rng *r, uint32_t n);

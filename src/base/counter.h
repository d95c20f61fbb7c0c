/*
 * Counters: one block per thread that counts, one writer each. The writer adds with plain
 * loads and relaxed stores (no locked instruction); any thread may read with relaxed loads.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

struct counters {
#define COUNTER(name, unit, help) _Atomic uint64_t name;
#include "base/counters.def"
#undef COUNTER
};

/* Adds to a counter of this thread's block. */
#define count_n(c, name, n)                                                                 \
	atomic_store_explicit(&(c)->name,                                                   \
			      atomic_load_explicit(&(c)->name, memory_order_relaxed) + (n), \
			      memory_order_relaxed)
#define count(c, name) count_n(c, name, 1)

/* Reads a counter, from any thread. */
#define counter_get(c, name) atomic_load_explicit(&(c)->name, memory_order_relaxed)

/*
 * Histograms for the few things of which a sum says nothing: how long, how much lost. One writer each, as
 * with counters; any thread may read. Values are whole numbers of a small unit, which histogram.def names.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

enum { HISTOGRAM_BOUNDS = 11 };

enum histogram_id {
#define HISTOGRAM(id, unit, ...) HISTOGRAM_##id,
#include "base/histogram.def"
#undef HISTOGRAM
	N_HISTOGRAMS
};

struct histogram {
	/* values up to a bound, and above the one before; the last has none */
	_Atomic uint64_t bucket[HISTOGRAM_BOUNDS + 1];
	_Atomic uint64_t sum; /* of the values */
};

/* The upper bounds of a histogram's buckets, inclusive, and how many units make one second or the whole. */
const uint64_t *histogram_bounds(enum histogram_id id);
uint64_t histogram_unit(enum histogram_id id);

/* Adds a value to this thread's. */
void histogram_add(struct histogram *all, enum histogram_id id, uint64_t value);

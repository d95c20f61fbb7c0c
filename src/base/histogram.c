#include "base/histogram.h"

static const struct {
	uint64_t unit, bounds[HISTOGRAM_BOUNDS];
} table[N_HISTOGRAMS] = {
#define HISTOGRAM(id, unit, ...) { unit, { __VA_ARGS__ } },
#include "base/histogram.def"
#undef HISTOGRAM
};

const uint64_t *histogram_bounds(enum histogram_id id)
{
	return table[id].bounds;
}

uint64_t histogram_unit(enum histogram_id id)
{
	return table[id].unit;
}

static void add(_Atomic uint64_t *to, uint64_t n)
{
	atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

void histogram_add(struct histogram *all, enum histogram_id id, uint64_t value)
{
	unsigned i = 0;

	while (i < HISTOGRAM_BOUNDS && value > table[id].bounds[i])
		i++;
	add(&all[id].bucket[i], 1);
	add(&all[id].sum, value);
}

#include "worker/trim.h"

#include <malloc.h>

void worker_trim_init(struct worker_trim *t, struct worker_pool *pool, struct logger *lg)
{
	*t = (struct worker_trim){ .pool = pool, .lg = lg };
}

bool worker_trim_is_due(struct worker_trim *t, uint64_t gone, tick now)
{
	if (gone - t->gone < WORKER_TRIM_GONE || tick_before(now, t->rest_until))
		return false;
	t->gone = gone;
	t->rest_until = now + WORKER_TRIM_REST_MS;
	return true;
}

static uint64_t count_gone(const struct worker_trim *t)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < t->pool->n; i++) {
		const struct counters *c = &t->pool->workers[i].relay->cnt;

		n += counter_get(c, conn_left) + counter_get(c, dtls_left) + counter_get(c, alloc_closed);
	}
	return n;
}

void worker_trim_look(struct worker_trim *t, tick now)
{
	tick began = now;

	if (!worker_trim_is_due(t, count_gone(t), now))
		return;
#ifdef __GLIBC__
	began = tick_now();
	malloc_trim(0);
#endif
	log_debug(t->lg, NULL, "memory_trimmed", "took_ms=%llu", (unsigned long long)(tick_now() - began));
}

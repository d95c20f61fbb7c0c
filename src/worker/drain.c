#include "worker/drain.h"

#include <string.h>

#include "worker/msg.h"

void worker_drain_init(struct worker_drain *d, struct worker_pool *pool, uint64_t min,
		       struct logger *lg)
{
	*d = (struct worker_drain){ .pool = pool, .lg = lg, .min = min };
	memset(d->told, 1, sizeof d->told);
}

uint64_t worker_drain_left(const struct worker_drain *d)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < d->pool->n; i++) {
		const struct counters *c = &d->pool->workers[i].relay->cnt;
		uint64_t closed = counter_get(c, alloc_closed); /* first: none is missed */

		n += counter_get(c, alloc_opened) - closed;
	}
	return n;
}

/* Those whose mailbox was full are told the next time. */
static bool tell(struct worker_drain *d)
{
	const struct worker_msg msg = { .kind = WORKER_DRAIN, .on = d->on };
	bool all = true;

	for (unsigned i = 0; i < d->pool->n; i++) {
		if (!d->told[i])
			d->told[i] = !worker_pool_send(d->pool, i, &msg);
		all &= d->told[i];
	}
	return all;
}

void worker_drain_set(struct worker_drain *d, bool on, bool exit, const char *reason)
{
	if (d->on == on && d->exit == exit)
		return;
	d->on = on;
	d->exit = exit;
	memset(d->told, 0, sizeof d->told);
	tell(d);
	log_info(d->lg, NULL, on ? "draining" : "drain_ended", "reason=%s exit=%s sessions=%llu",
		 reason, exit ? "yes" : "no", (unsigned long long)worker_drain_left(d));
}

bool worker_drain_look(struct worker_drain *d)
{
	uint64_t left;

	if (!tell(d) || !d->on || !d->exit)
		return false;
	left = worker_drain_left(d);
	if (left > d->min)
		return false;
	log_info(d->lg, NULL, "drained", "sessions=%llu", (unsigned long long)left);
	return true;
}

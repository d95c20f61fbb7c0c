#include "store/link.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/bug.h"

static const uint32_t bounds_us[] = { 250,   500,   1000,  2500,   5000,   10000,
				      25000, 50000, 100000, 250000, 1000000 };

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void tell(struct store_link *l, bool is_up, const char *why)
{
	char text[256];

	if (is_up) {
		if (l->told_down)
			log_info(l->env.lg, NULL, "store_up", "store=%s used_for=%s", l->kind->name,
				 l->health.used_for);
		l->told_down = false;
	} else if (!l->told_down) {
		log_warn(l->env.lg, NULL, "store_down", "store=%s used_for=%s reason=%s note=\"it is tried again\"",
			 l->kind->name, l->health.used_for,
			 log_quote(str_of(why ? why : "unknown"), text, sizeof text));
		l->told_down = true;
	}
}

static void on_changed(void *arg, const struct store_backend *b, bool is_up, const char *why)
{
	struct store_link *l = arg;
	bool was = l->up;

	(void)b;
	l->up = is_up;
	pthread_mutex_lock(&l->lock);
	l->health.up = is_up;
	l->health.n_reconnects += is_up && !was;
	if (!is_up && why)
		snprintf(l->health.why, sizeof l->health.why, "%s", why);
	pthread_mutex_unlock(&l->lock);
	tell(l, is_up, why);
	if (is_up && !was && l->on_up)
		l->on_up(l, l->arg);
}

static bool is_known_place(const struct store_link *l, const struct addr *at)
{
	for (size_t i = 0; i < l->n_places; i++)
		if (addr_ip_eq(&l->places[i], at))
			return true;
	return false;
}

static void on_reached(void *arg, int fd)
{
	struct sockaddr_storage sa = { 0 };
	struct store_link *l = arg;
	socklen_t len = sizeof sa;
	struct addr at;

	if (getpeername(fd, (struct sockaddr *)&sa, &len))
		return;
	at = addr_from_sa((struct sockaddr *)&sa);
	at.port = 0;
	if (at.family == ADDR_NONE || is_known_place(l, &at))
		return;
	l->places[l->next_place] = at;
	l->next_place = (l->next_place + 1) % STORE_LINK_PLACES;
	if (l->n_places < STORE_LINK_PLACES)
		l->n_places++;
}

enum err store_link_open(struct store_link *l, const struct store_kind *kind, const char *conninfo,
			 const struct store_env *env, conf_report_fn *report, void *arg)
{
	char why[256] = "", text[320];
	enum err e;

	l->kind = kind;
	l->env = *env;
	l->env.changed = on_changed;
	l->env.reached = on_reached;
	l->env.arg = l;
	pthread_mutex_init(&l->lock, NULL);
	l->health.kind = kind->name;
	e = kind->open(&l->b, &l->env, conninfo, why, sizeof why);
	if (!e)
		return OK;
	pthread_mutex_destroy(&l->lock);
	snprintf(text, sizeof text, "%s: %s", kind->name, why[0] ? why : err_text(e));
	report(true, text, arg);
	return e;
}

void store_link_close(struct store_link *l)
{
	if (!l->b)
		return;
	l->on_up = NULL;
	l->up = false; /* what is ended now is not to be followed by more */
	l->kind->close(l->b);
	l->b = NULL;
	pthread_mutex_destroy(&l->lock);
}

static void measure(struct store_link *l, const struct store_asked *a, enum store_status status)
{
	uint64_t us = now_us() - a->began_us;
	size_t i = 0;

	while (i < ARRAY_LEN(bounds_us) && us > bounds_us[i])
		i++;
	pthread_mutex_lock(&l->lock);
	l->health.n_ops++;
	l->health.latency_us_sum += us;
	l->health.latency_bucket[i]++;
	if (status == STORE_DOWN || status == STORE_REFUSED) {
		l->health.n_failed++;
		snprintf(l->health.why, sizeof l->health.why, "%s", a->op.why);
	}
	pthread_mutex_unlock(&l->lock);
}

static void on_done(struct store_op *op, enum store_status status)
{
	struct store_asked *a = container_of(op, struct store_asked, op);

	a->link->in_flight--;
	measure(a->link, a, status);
	list_del(&a->node);
	list_init(&a->node);
	if (!a->told) {
		a->told = true;
		a->answered(a, status);
	} else if (a->late) {
		a->late(a, status);
	}
	a->gone(a);
}

/* Soonest deadline first; most have the same wait, so that the place is at the end. */
static void enlist(struct list *waiting, struct store_asked *a)
{
	struct list *before = waiting;

	while (before->prev != waiting &&
	       tick_before(a->deadline, list_entry(before->prev, struct store_asked, node)->deadline))
		before = before->prev;
	list_push(before, &a->node);
}

void store_link_ask(struct store_link *l, struct store_asked *a, struct list *waiting, tick now, tick wait_ms)
{
	a->link = l;
	a->op.done = on_done;
	a->began_us = now_us();
	a->deadline = now + wait_ms;
	a->told = false;
	list_init(&a->node);
	if (wait_ms)
		enlist(waiting, a);
	l->in_flight++;
	l->kind->start(l->b, &a->op);
}

void store_link_expire(struct list *waiting, tick now)
{
	while (!list_empty(waiting)) {
		struct store_asked *a = list_entry(waiting->next, struct store_asked, node);

		if (tick_before(now, a->deadline))
			return;
		list_del(&a->node);
		list_init(&a->node);
		a->told = true;
		a->answered(a, STORE_DOWN);
	}
}

void store_link_note(struct store_link *l, uint64_t waiting, uint64_t lost)
{
	pthread_mutex_lock(&l->lock);
	l->health.waiting = waiting;
	l->health.lost = lost;
	pthread_mutex_unlock(&l->lock);
}

void store_link_note_quota(struct store_link *l, uint64_t near, uint64_t over)
{
	pthread_mutex_lock(&l->lock);
	l->health.near = near;
	l->health.over = over;
	pthread_mutex_unlock(&l->lock);
}

void store_link_health(struct store_link *l, struct store_health *out)
{
	pthread_mutex_lock(&l->lock);
	*out = l->health;
	pthread_mutex_unlock(&l->lock);
}

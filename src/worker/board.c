#include "worker/board.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct order {
	struct list all; /* oldest first */
	uint64_t seq;
	unsigned unread; /* workers that have yet to obey */
	bool is_limit;
	struct relay_expel which;
	struct relay_relimit limit;
	char text[];
};

struct worker_board {
	_Atomic unsigned version; /* changes with each posting */
	pthread_mutex_t lock;
	unsigned n_workers;
	struct conf_live *live;
	uint64_t live_no; /* of that snapshot */
	struct list orders;
	unsigned n_orders;
	uint64_t seq;
};

enum err worker_board_new(struct worker_board **out, unsigned n_workers)
{
	struct worker_board *b = calloc(1, sizeof *b);

	if (!b)
		return ERR_NOMEM;
	pthread_mutex_init(&b->lock, NULL);
	list_init(&b->orders);
	b->n_workers = n_workers;
	*out = b;
	return OK;
}

static void forget(struct worker_board *b, struct order *o)
{
	list_del(&o->all);
	b->n_orders--;
	free(o);
}

void worker_board_free(struct worker_board *b)
{
	if (!b)
		return;
	while (!list_empty(&b->orders))
		forget(b, list_entry(b->orders.next, struct order, all));
	conf_live_drop(b->live);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

void worker_board_set_live(struct worker_board *b, struct conf_live *live)
{
	struct conf_live *old;

	pthread_mutex_lock(&b->lock);
	old = b->live;
	b->live = conf_live_hold(live);
	b->live_no++;
	atomic_fetch_add(&b->version, 1);
	pthread_mutex_unlock(&b->lock);
	conf_live_drop(old);
}

/* An order about a user, or about none; with copies of the names. */
static struct order *make(struct str *realm, struct str *user)
{
	struct order *o = calloc(1, sizeof *o + realm->len + user->len + 1);

	if (!o)
		return NULL;
	if (realm->len)
		memcpy(o->text, realm->p, realm->len);
	if (user->len)
		memcpy(o->text + realm->len, user->p, user->len);
	realm->p = o->text;
	user->p = o->text + realm->len;
	return o;
}

static enum err post(struct worker_board *b, struct order *o)
{
	enum err e = OK;

	pthread_mutex_lock(&b->lock);
	if (b->n_orders == WORKER_BOARD_MAX) {
		e = ERR_FULL;
		free(o);
	} else {
		o->seq = ++b->seq;
		o->unread = b->n_workers;
		list_push(&b->orders, &o->all);
		b->n_orders++;
		atomic_fetch_add(&b->version, 1);
	}
	pthread_mutex_unlock(&b->lock);
	return e;
}

enum err worker_board_expel(struct worker_board *b, const struct relay_expel *which)
{
	struct relay_expel copy = *which;
	struct order *o = make(&copy.realm, &copy.user);

	if (!o)
		return ERR_NOMEM;
	o->which = copy;
	return post(b, o);
}

enum err worker_board_relimit(struct worker_board *b, const struct relay_relimit *which)
{
	struct relay_relimit copy = *which;
	struct order *o = make(&copy.realm, &copy.user);

	if (!o)
		return ERR_NOMEM;
	o->is_limit = true;
	o->limit = copy;
	return post(b, o);
}

/* The oldest order that this worker has not read; it stays until that is done with it. */
static struct order *next_order(struct worker_board *b, uint64_t seq)
{
	struct order *found = NULL;

	pthread_mutex_lock(&b->lock);
	for (struct list *l = b->orders.next; l != &b->orders && !found; l = l->next)
		if (list_entry(l, struct order, all)->seq > seq)
			found = list_entry(l, struct order, all);
	pthread_mutex_unlock(&b->lock);
	return found;
}

static void obeyed(struct worker_board *b, struct order *o)
{
	pthread_mutex_lock(&b->lock);
	if (--o->unread == 0)
		forget(b, o);
	pthread_mutex_unlock(&b->lock);
}

/* True: there was another one. */
static bool take_live(struct worker_board *b, struct worker_reader *at, struct relay *r)
{
	struct conf_live *live = NULL;

	pthread_mutex_lock(&b->lock);
	at->version = atomic_load(&b->version);
	if (at->live != b->live_no)
		live = conf_live_hold(b->live);
	at->live = b->live_no;
	pthread_mutex_unlock(&b->lock);
	if (live)
		relay_set_live(r, live);
	return live;
}

void worker_board_read(struct worker_board *b, struct worker_reader *at, struct relay *r)
{
	struct order *o;

	if (atomic_load_explicit(&b->version, memory_order_relaxed) == at->version)
		return;
	if (take_live(b, at, r)) {
		/* it is in force from the end of this turn on: whoever the old one still lets in before that is
		 * to be found by the orders that came with it, at the next reading */
		at->version--;
		return;
	}
	for (int i = 0; i < WORKER_BOARD_TICK && (o = next_order(b, at->seq)); i++) {
		at->seq = o->seq;
		if (o->is_limit)
			relay_relimit_user(r, &o->limit);
		else
			relay_session_expel(r, &o->which);
		obeyed(b, o);
		if (i == WORKER_BOARD_TICK - 1)
			at->version--; /* there may be more: the next tick looks again */
	}
}

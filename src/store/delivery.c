#include "store/delivery.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/spool.h"

struct store_delivery {
	struct store_delivery_options o;
	struct store_spool *spool; /* NULL: no directory */
	struct list waiting;	   /* of store_batch, in order */
	size_t n_waiting, n_rows;
	struct store_batch *sent; /* under way; NULL: none */
	bool sent_from_spool;
	struct store_asked asked;
	struct list deadline; /* the op under way, while it may still be in time */
	bool busy;	      /* the backend has the op */
	uint64_t seq, lost;
	unsigned long long n_told, n_refused;
	tick retry;
};

enum err store_delivery_new(struct store_delivery **out, const struct store_delivery_options *o)
{
	struct store_delivery *d = calloc(1, sizeof *d);
	enum err e = OK;

	if (!d)
		return ERR_NOMEM;
	d->o = *o;
	list_init(&d->waiting);
	list_init(&d->deadline);
	list_init(&d->asked.node);
	if (o->dir)
		e = store_spool_open(&d->spool, o->dir, o->link->kind->name, o->epoch);
	if (e) {
		free(d);
		return e;
	}
	*out = d;
	return OK;
}

static void lose(struct store_delivery *d, const struct store_batch *b, const char *why)
{
	d->lost += store_batch_rows(b);
	if (log_seldom(&d->n_told))
		log_error(d->o.lg, NULL, "store_lost", "store=%s rows=%llu reason=%s note=\"%s\"",
			  d->o.link->kind->name, (unsigned long long)d->lost, why,
			  d->o.dir ? "look at the disk of store-spool-dir"
				   : "set store-spool-dir, so that they wait in a file");
}

static void spool(struct store_delivery *d, struct store_batch *b, bool first)
{
	if (!d->spool)
		lose(d, b, "no_room");
	else if (store_spool_put(d->spool, b, first))
		lose(d, b, strerror(errno));
	store_batch_free(b);
}

void store_delivery_free(struct store_delivery *d)
{
	if (!d)
		return;
	if (d->sent && !d->sent_from_spool)
		spool(d, d->sent, true); /* perhaps applied: its number tells */
	else
		store_batch_free(d->sent);
	while (!list_empty(&d->waiting)) {
		struct store_batch *b = list_entry(d->waiting.next, struct store_batch, node);

		list_del(&b->node);
		spool(d, b, true);
	}
	store_spool_close(d->spool);
	free(d);
}

void store_delivery_put(struct store_delivery *d, struct store_batch *b, tick now)
{
	b->seq = ++d->seq;
	/* what is behind a file stays behind it: numbers have to arrive in order */
	if (d->n_waiting >= STORE_DELIVERY_BATCHES || (d->spool && store_spool_rows(d->spool))) {
		spool(d, b, false);
		store_delivery_run(d, now);
		return;
	}
	list_push(&d->waiting, &b->node);
	d->n_waiting++;
	d->n_rows += store_batch_rows(b);
	store_delivery_run(d, now);
}

static void finish(struct store_delivery *d, bool applied)
{
	struct store_batch *b = d->sent;

	d->sent = NULL;
	if (applied && d->o.applied)
		d->o.applied(d->o.arg, b);
	if (d->sent_from_spool)
		store_spool_done(d->spool);
	store_batch_free(b);
}

static void on_answer(struct store_asked *a, enum store_status status)
{
	struct store_delivery *d = a->arg;

	if (status == STORE_OK || status == STORE_UNSUPPORTED) {
		finish(d, status == STORE_OK);
		return;
	}
	/* refused is a missing table or a full memory: the operator can mend it, and nothing is lost meanwhile */
	if (status == STORE_REFUSED && log_seldom(&d->n_refused))
		log_warn(d->o.lg, NULL, "store_refused", "store=%s reason=\"%s\"", d->o.link->kind->name,
			 a->op.why);
	d->retry = a->deadline - STORE_DELIVERY_ANSWER_MS + STORE_DELIVERY_RETRY_MS;
}

/* After its deadline: sent again it would be known by its number, but so it need not be. */
static void on_late(struct store_asked *a, enum store_status status)
{
	if (status == STORE_OK)
		on_answer(a, status);
}

static void on_gone(struct store_asked *a)
{
	struct store_delivery *d = a->arg;

	d->busy = false;
}

static struct store_batch *next(struct store_delivery *d)
{
	struct store_batch *b = NULL;

	d->sent_from_spool = false;
	if (!list_empty(&d->waiting)) {
		b = list_entry(d->waiting.next, struct store_batch, node);
		list_del(&b->node);
		d->n_waiting--;
		d->n_rows -= store_batch_rows(b);
		return b;
	}
	if (d->spool && !store_spool_get(d->spool, &b))
		d->sent_from_spool = true;
	return b;
}

static void send_it(struct store_delivery *d, tick now)
{
	struct store_batch *b = d->sent;

	memset(&d->asked, 0, sizeof d->asked);
	d->asked.op = (struct store_op){ .kind = b->n_usage ? STORE_USAGE : STORE_RECORD,
					 .node = b->from,
					 .epoch = b->epoch,
					 .seq = b->seq,
					 .usage = b->usage,
					 .n_usage = b->n_usage,
					 .usage_ttl_s = b->usage_ttl_s,
					 .records = b->records,
					 .n_records = b->n_records };
	d->asked.answered = on_answer;
	d->asked.late = on_late;
	d->asked.gone = on_gone;
	d->asked.arg = d;
	d->busy = true;
	store_link_ask(d->o.link, &d->asked, &d->deadline, now, STORE_DELIVERY_ANSWER_MS);
}

void store_delivery_run(struct store_delivery *d, tick now)
{
	store_link_expire(&d->deadline, now);
	/* an op that is done at once would come back here by itself: a loop, and no recursion */
	for (int i = 0; i < STORE_DELIVERY_BATCHES; i++) {
		if (d->busy || !d->o.link->up || (d->sent && tick_before(now, d->retry)))
			return;
		if (!d->sent)
			d->sent = next(d);
		if (!d->sent)
			return;
		send_it(d, now);
	}
}

uint64_t store_delivery_waiting(const struct store_delivery *d)
{
	return d->n_rows + (d->sent && !d->sent_from_spool ? store_batch_rows(d->sent) : 0) +
	       (d->spool ? store_spool_rows(d->spool) : 0);
}

uint64_t store_delivery_lost(const struct store_delivery *d)
{
	return d->lost;
}

#include "store/delivery.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "store/spool.h"

/*
 * Batches are numbered as they are made, and there are two rows of numbers: NODE of those that go straight from
 * memory, one at a time, and NODE~ of those that are filed, in the order of the file. So a file need not be emptied
 * before what is new may go, and what was sent and not acknowledged keeps its number in a file.
 */
enum way { STRAIGHT, FILED, N_WAYS };

struct store_delivery {
	struct store_delivery_options o;
	char *name[N_WAYS]; /* whose numbers they are */
	uint64_t seq[N_WAYS];
	struct store_usages *usage;
	struct store_batch *open; /* records, being filled; NULL: none */
	struct list full;	  /* of store_batch of records */
	size_t n_records;
	size_t due;	   /* rows that may go now */
	bool records_next; /* they and usage take turns */
	struct store_batch *sent; /* under way; NULL: none */
	bool sent_from_file;
	struct store_asked asked;
	struct list deadline; /* the op under way, while it may still be in time */
	bool busy;	      /* the backend has the op */
	bool running, closing;
	tick now, retry;
	/* files */
	struct store_spool *spool; /* the neighbour's while there is a neighbour; NULL: no directory */
	struct store_batch *fetched; /* from a file, to be sent */
	bool fetching, file_is_done; /* … the batch that was got last */
	uint64_t n_spooled; /* rows in files, as of the last chore */
	size_t n_filing, n_filing_rows;
	unsigned n_damaged;
	tick next_scan;
	uint64_t lost;
	unsigned long long n_told, n_refused;
};

/* What is done with the files, on the neighbour. */
struct chore {
	struct store_chore c;
	struct store_delivery *d;
	enum { CHORE_FILE, CHORE_FETCH } kind;
	struct store_batch *b;
	bool forget; /* FETCH: the last one was delivered */
	bool scan;   /* FETCH: look for files of others first */
	enum err e;
	int no;
	uint64_t rows;
	unsigned n_damaged;
};

static const char *kind_of(const struct store_delivery *d)
{
	return d->o.link->kind->name;
}

static void lose(struct store_delivery *d, size_t rows, const char *why)
{
	char text[96];

	d->lost += rows;
	if (log_seldom(&d->n_told))
		log_error(d->o.lg, NULL, "store_lost", "store=%s rows=%llu reason=%s note=\"%s\"", kind_of(d),
			  (unsigned long long)d->lost, log_quote(str_of(why), text, sizeof text),
			  d->o.dir ? "look at the disk of store-spool-dir"
				   : "set store-spool-dir, so that they wait in a file");
}

static enum err number(struct store_delivery *d, struct store_batch *b, enum way way)
{
	size_t len = strlen(d->name[way]);
	char *p = realloc((char *)b->from.p, len + 1);

	if (!p)
		return ERR_NOMEM;
	memcpy(p, d->name[way], len + 1);
	b->from = (struct str){ p, len };
	b->seq = ++d->seq[way];
	return OK;
}

/* --- begin --- */

static enum err make_parts(struct store_delivery *d)
{
	enum err e = store_usage_new(&d->usage, d->o.hash_key);

	if (!e && (asprintf(&d->name[STRAIGHT], "%.*s", STR_ARG(d->o.node)) < 0 ||
		   asprintf(&d->name[FILED], "%.*s~", STR_ARG(d->o.node)) < 0))
		e = ERR_NOMEM;
	if (!e && d->o.dir)
		e = store_spool_open(&d->spool, d->o.dir, kind_of(d), d->o.epoch);
	return e;
}

static void free_parts(struct store_delivery *d)
{
	store_spool_close(d->spool);
	store_usage_free(d->usage);
	free(d->name[STRAIGHT]);
	free(d->name[FILED]);
	free(d);
}

enum err store_delivery_new(struct store_delivery **out, const struct store_delivery_options *o)
{
	struct store_delivery *d = calloc(1, sizeof *d);
	enum err e;
	int no;

	if (!d)
		return ERR_NOMEM;
	d->o = *o;
	list_init(&d->full);
	list_init(&d->deadline);
	list_init(&d->asked.node);
	e = make_parts(d);
	if (e) {
		no = errno;
		free_parts(d);
		errno = no;
		return e;
	}
	*out = d;
	return OK;
}

/* --- to and from files --- */

static void do_chore(struct store_chore *c)
{
	struct chore *ch = container_of(c, struct chore, c);
	struct store_spool *s = ch->d->spool;

	errno = 0;
	if (ch->kind == CHORE_FILE) {
		ch->e = store_spool_put(s, ch->b);
	} else {
		if (ch->forget)
			store_spool_done(s);
		if (ch->scan)
			store_spool_scan(s);
		ch->e = store_spool_get(s, &ch->b);
	}
	ch->no = errno;
	ch->rows = store_spool_rows(s);
	ch->n_damaged = store_spool_damaged(s);
}

static void filed(struct store_delivery *d, struct chore *ch)
{
	size_t rows = store_batch_rows(ch->b);

	d->n_filing--;
	d->n_filing_rows -= rows;
	if (ch->e)
		lose(d, rows, ch->e == ERR_SYS ? strerror(ch->no) : err_text(ch->e));
	store_batch_free(ch->b);
}

static void chore_done(struct store_chore *c)
{
	struct chore *ch = container_of(c, struct chore, c);
	struct store_delivery *d = ch->d;

	d->n_spooled = ch->rows;
	if (ch->n_damaged != d->n_damaged)
		log_error(d->o.lg, NULL, "store_damaged",
			  "store=%s note=\"a file of store-spool-dir is damaged, and was put aside as .damaged\"",
			  kind_of(d));
	d->n_damaged = ch->n_damaged;
	if (ch->kind == CHORE_FILE) {
		filed(d, ch);
	} else {
		d->fetching = false;
		d->fetched = ch->e ? NULL : ch->b;
	}
	free(ch);
}

static struct chore *chore(struct store_delivery *d, int kind, struct store_batch *b)
{
	struct chore *ch = calloc(1, sizeof *ch);

	if (!ch)
		return NULL;
	ch->c.run = do_chore;
	ch->c.done = chore_done;
	ch->d = d;
	ch->kind = kind;
	ch->b = b;
	return ch;
}

/* At the end there is no neighbour any more. */
static void give(struct store_delivery *d, struct chore *ch)
{
	if (!d->closing) {
		store_neighbour_give(d->o.neighbour, &ch->c);
		return;
	}
	do_chore(&ch->c);
	chore_done(&ch->c);
}

/* Asked before a batch is made: one that found no way to the disk would take with it what has its place in memory. */
static bool may_file(const struct store_delivery *d)
{
	return d->spool && d->n_filing < STORE_DELIVERY_FILING;
}

/* Takes the batch: it goes to the disk, or is lost. */
static void file(struct store_delivery *d, struct store_batch *b)
{
	struct chore *ch = d->spool ? chore(d, CHORE_FILE, b) : NULL;

	if (!ch) {
		lose(d, store_batch_rows(b), d->spool ? "no_memory" : "no_room");
		store_batch_free(b);
		return;
	}
	d->n_filing++;
	d->n_filing_rows += store_batch_rows(b);
	give(d, ch);
}

/* Looks after the next batch of the files, when there may be one. */
static void fetch(struct store_delivery *d, tick now)
{
	bool scan = !tick_before(now, d->next_scan);
	struct chore *ch;

	if (!d->spool || d->fetching || d->fetched || d->sent_from_file ||
	    !(d->n_spooled || d->file_is_done || scan))
		return;
	ch = chore(d, CHORE_FETCH, NULL);
	if (!ch)
		return;
	ch->forget = d->file_is_done;
	ch->scan = scan;
	d->fetching = true;
	d->file_is_done = false;
	if (scan)
		d->next_scan = now + STORE_DELIVERY_SCAN_MS;
	give(d, ch);
}

/* --- what waits in memory --- */

static struct store_batch *take_usage(struct store_delivery *d, enum way way)
{
	struct store_batch *b;

	if (store_usage_take(d->usage, str_of(d->name[way]), d->o.epoch, &b) || !b)
		return NULL;
	b->seq = ++d->seq[way];
	return b;
}

static struct store_batch *take_records(struct store_delivery *d, enum way way)
{
	struct store_batch *b = d->open;

	if (!list_empty(&d->full))
		b = list_entry(d->full.next, struct store_batch, node);
	if (!b || number(d, b, way))
		return NULL;
	if (b == d->open)
		d->open = NULL;
	list_del(&b->node);
	d->n_records -= store_batch_rows(b);
	return b;
}

static const char *why_not(const struct store_delivery *d, enum err e)
{
	return e != ERR_FULL ? "no_memory" : d->spool ? "slow_disk" : "no_room";
}

void store_delivery_add_usage(struct store_delivery *d, const struct store_usage *row)
{
	enum err e = store_usage_add(d->usage, row);
	struct store_batch *b;

	if (e == ERR_FULL && may_file(d) && (b = take_usage(d, FILED))) {
		file(d, b);
		e = store_usage_add(d->usage, row);
	}
	if (e)
		lose(d, 1, why_not(d, e));
}

static enum err add_record(struct store_delivery *d, const struct store_record *record)
{
	enum err e;

	if (!d->open)
		d->open = store_batch_new(STR_LIT(""), d->o.epoch);
	e = d->open ? store_batch_add_record_copy(d->open, record) : ERR_NOMEM;
	if (e)
		return e;
	d->n_records++;
	if (store_batch_rows(d->open) == STORE_BATCH_ROWS) {
		list_push(&d->full, &d->open->node);
		d->open = NULL;
	}
	return OK;
}

void store_delivery_add_record(struct store_delivery *d, const struct store_record *record)
{
	struct store_batch *b;
	enum err e = ERR_FULL;

	if (d->n_records >= STORE_DELIVERY_RECORDS && may_file(d) && (b = take_records(d, FILED)))
		file(d, b);
	if (d->n_records < STORE_DELIVERY_RECORDS)
		e = add_record(d, record);
	if (!e)
		return;
	lose(d, 1, why_not(d, e));
}

void store_delivery_flush(struct store_delivery *d)
{
	d->due = store_usage_count(d->usage) + d->n_records;
}

/* --- to the database --- */

static void finish(struct store_delivery *d, bool applied)
{
	struct store_batch *b = d->sent;

	d->sent = NULL;
	if (applied && d->o.applied)
		d->o.applied(d->o.arg, b);
	d->file_is_done |= d->sent_from_file;
	d->sent_from_file = false;
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
		log_warn(d->o.lg, NULL, "store_refused", "store=%s reason=\"%s\"", kind_of(d), a->op.why);
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
	store_delivery_run(d, d->now);
}

/* Files and memory take turns, and in memory usage and records. */
static struct store_batch *next(struct store_delivery *d)
{
	struct store_batch *b = d->fetched;

	d->sent_from_file = b != NULL;
	d->fetched = NULL;
	if (b || !d->due)
		return b;
	d->records_next = !d->records_next;
	b = d->records_next ? take_records(d, STRAIGHT) : take_usage(d, STRAIGHT);
	if (!b)
		b = d->records_next ? take_usage(d, STRAIGHT) : take_records(d, STRAIGHT);
	d->due -= b && store_batch_rows(b) < d->due ? store_batch_rows(b) : d->due;
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
	if (d->running) /* an op that is done at once comes back here: the loop below goes on, without recursion */
		return;
	d->running = true;
	d->now = now;
	store_link_expire(&d->deadline, now);
	while (!d->busy && d->o.link->up && !(d->sent && tick_before(now, d->retry))) {
		if (!d->sent)
			d->sent = next(d);
		if (!d->sent)
			break;
		send_it(d, now);
	}
	if (d->o.link->up)
		fetch(d, now);
	d->running = false;
}

/* --- the end, and how it fares --- */

void store_delivery_free(struct store_delivery *d)
{
	struct store_batch *b;

	if (!d)
		return;
	d->closing = true;
	if (d->sent && !d->sent_from_file)
		file(d, d->sent); /* perhaps applied: its number tells */
	else
		store_batch_free(d->sent);
	store_batch_free(d->fetched);
	while ((b = take_usage(d, FILED)))
		file(d, b);
	while ((b = take_records(d, FILED)))
		file(d, b);
	free_parts(d);
}

static size_t n_in_memory(const struct store_delivery *d)
{
	return store_usage_count(d->usage) + d->n_records +
	       (d->sent && !d->sent_from_file ? store_batch_rows(d->sent) : 0);
}

bool store_delivery_idle(const struct store_delivery *d)
{
	return !d->n_filing && (!d->o.link->up || (!n_in_memory(d) && !d->sent && !d->fetched && !d->fetching &&
						   !d->n_spooled && !d->file_is_done));
}

uint64_t store_delivery_waiting(const struct store_delivery *d)
{
	return n_in_memory(d) + d->n_filing_rows + d->n_spooled;
}

uint64_t store_delivery_lost(const struct store_delivery *d)
{
	return d->lost;
}

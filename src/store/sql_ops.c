#include "store/sql_ops.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"

enum {
	PURGE_EVERY = 600,	   /* batches: at one a second, each ten minutes … */
	PURGE_FIRST = 300,	   /* … from this one of a process on: by then a host that has just started has set its clock */
	PURGE_AGE_S = 62 * 86400, /* two of the longest periods */
	/* A batch may come a second time for as long as its spool file waits, which is bounded by its size alone. A
	 * file is read as soon as a process of the node finds the database; so 30 days after one has begun. A node
	 * that never comes back has a year; what a process that runs for longer has told may then be told once more. */
	BATCH_AGE_S = 30 * 86400,
	BATCH_AGE_MAX_S = 366 * 86400,
};

static bool plan_key(struct store_sql_run *r, unsigned phase)
{
	bool clean = true;
	const char *params[2];

	if (phase > 0) {
		if (!r->seen)
			r->status = STORE_NONE;
		return false;
	}
	params[0] = store_sql_run_text(r, r->op->realm, &clean);
	params[1] = store_sql_run_text(r, r->op->user, &clean);
	if (!clean) {
		r->status = STORE_NONE; /* no text of SQL's, so nobody has that name */
		return false;
	}
	store_sql_run_call(r, STORE_SQL_STMT_KEY, params, ARRAY_LEN(params));
	return true;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
					: c >= 'A' && c <= 'F'	     ? c - 'A' + 10
								     : -1;
}

/* char(128) comes padded with blanks: the first 32 digits are the key, as coturn reads it. */
static void row_key(struct store_sql_run *r, size_t call, const struct str *cells)
{
	(void)call;
	r->seen = 1;
	for (size_t i = 0; i < STORE_KEY_LEN; i++) {
		int high = cells[0].len >= 2 * STORE_KEY_LEN ? hex(cells[0].p[2 * i]) : -1;
		int low = high >= 0 ? hex(cells[0].p[2 * i + 1]) : -1;

		if (low < 0) {
			r->seen = 0;
			strcpy(r->note, "turnusers_lt has an hmackey that is not 32 hex digits; "
					"run: taciturnctl user add");
			return;
		}
		r->op->key[i] = (uint8_t)(high << 4 | low);
	}
}

const struct store_sql_plan store_sql_ops_key = { plan_key, row_key, NULL };

static bool plan_lease(struct store_sql_run *r, unsigned phase)
{
	struct store_op *op = r->op;
	const char *params[3 + N_CONF_PERIOD];
	char *window;

	if (phase > 0)
		return false;
	op->lease.limits = store_limits_none();
	op->lease.used_bytes = 0;
	op->lease.counted = false;
	if (!r->facts->has_ours)
		return false; /* coturn's tables alone: there are no limits in it */
	if (!store_sql_run_has_ours(r))
		return false;
	params[0] = store_sql_run_text(r, op->realm, NULL);
	params[1] = store_sql_run_text(r, op->user, NULL);
	params[2] = op->lease.period;
	for (int i = 0; i < N_CONF_PERIOD; i++) { /* of which a user's own is one */
		window = store_sql_run_alloc(r, CONF_PERIOD_NAME);
		if (!window)
			return false;
		params[3 + i] = conf_period_name((enum conf_period)i, tick_wall_s(), window);
	}
	store_sql_run_call(r, STORE_SQL_STMT_LEASE, params, ARRAY_LEN(params));
	return true;
}

static void row_lease(struct store_sql_run *r, size_t call, const struct str *cells)
{
	struct store_lease *l = &r->op->lease;
	int64_t max_bytes, revoked_s = store_sql_run_cell(cells[5], 0);

	(void)call;
	l->limits.max_allocations = store_sql_run_cell(cells[0], CONF_LIVE_UNSET);
	l->limits.max_bps = store_sql_run_cell(cells[1], CONF_LIVE_UNSET);
	l->limits.max_bytes = store_sql_run_cell(cells[2], CONF_LIVE_UNSET);
	if (cells[3].p && cells[3].len < sizeof l->limits.period) {
		memcpy(l->limits.period, cells[3].p, cells[3].len);
		l->limits.period[cells[3].len] = '\0';
	}
	l->used_bytes = (uint64_t)store_sql_run_cell(cells[4], 0);
	max_bytes = l->limits.max_bytes == CONF_LIVE_UNSET ? l->bytes_max : l->limits.max_bytes;
	if (revoked_s > l->made_s)
		r->status = STORE_REVOKED;
	else if (max_bytes > 0 && l->used_bytes >= (uint64_t)max_bytes)
		r->status = STORE_FULL_BYTES;
}

const struct store_sql_plan store_sql_ops_lease = { plan_lease, row_lease, NULL };

/* Rows are locked in this order, so that two nodes with the same users never wait for each other. */
static int by_name(const void *a, const void *b)
{
	const struct store_usage *x = *(struct store_usage *const *)a, *y = *(struct store_usage *const *)b;
	const struct str xs[] = { x->realm, x->user, str_of(x->period) };
	const struct str ys[] = { y->realm, y->user, str_of(y->period) };

	for (size_t i = 0; i < ARRAY_LEN(xs); i++) {
		size_t n = xs[i].len < ys[i].len ? xs[i].len : ys[i].len;
		int d = n ? memcmp(xs[i].p, ys[i].p, n) : 0;

		if (d)
			return d;
		if (xs[i].len != ys[i].len)
			return xs[i].len < ys[i].len ? -1 : 1;
	}
	return 0;
}

/* bigint is signed; no node relays that much between two reports. */
static const char *count(struct store_sql_run *r, uint64_t v)
{
	return store_sql_run_number(r, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

static void plan_usage(struct store_sql_run *r)
{
	struct store_op *op = r->op;
	struct store_usage **sorted = store_sql_run_alloc(r, op->n_usage * sizeof *sorted);
	const char *now = store_sql_run_number(r, tick_wall_s());
	const char *p[12] = { store_sql_run_text(r, op->node, NULL), store_sql_run_number(r, op->epoch),
			      store_sql_run_number(r, (int64_t)op->seq) };

	if (!sorted)
		return;
	for (size_t i = 0; i < op->n_usage; i++)
		sorted[i] = &op->usage[i];
	qsort(sorted, op->n_usage, sizeof *sorted, by_name);
	op->backend_state = sorted;
	store_sql_run_call(r, STORE_SQL_STMT_BATCH_LOCK, p, 2);
	for (size_t i = 0; i < op->n_usage; i++) {
		const struct store_usage *u = sorted[i];

		p[3] = store_sql_run_text(r, u->realm, NULL);
		p[4] = store_sql_run_text(r, u->user, NULL);
		p[5] = u->period;
		p[6] = count(r, u->rx_bytes);
		p[7] = count(r, u->tx_bytes);
		p[8] = count(r, u->rx_packets);
		p[9] = count(r, u->tx_packets);
		p[10] = count(r, u->sessions);
		p[11] = now;
		store_sql_run_call(r, STORE_SQL_STMT_USAGE_ADD, p, ARRAY_LEN(p));
	}
	store_sql_run_call(r, STORE_SQL_STMT_BATCH_DONE, p, 3);
}

/* An epoch of that long ago: relay_shared_new() makes them, of microseconds. */
static const char *epoch_before(struct store_sql_run *r, int64_t age_s)
{
	return store_sql_run_number(r, (tick_wall_s() - age_s) * 1000000);
}

/* Once the batch is in: it does not hang on what is swept up here, nor on the right to do so. */
static void plan_purge(struct store_sql_run *r)
{
	const char *oldest = store_sql_run_number(r, tick_wall_s() - PURGE_AGE_S);
	const char *const p[] = { store_sql_run_text(r, r->op->node, NULL), store_sql_run_number(r, r->op->epoch),
				  epoch_before(r, BATCH_AGE_S), epoch_before(r, BATCH_AGE_MAX_S) };

	r->alone = true;
	store_sql_run_call(r, STORE_SQL_STMT_USAGE_PURGE, &oldest, 1);
	store_sql_run_call(r, STORE_SQL_STMT_BATCH_PURGE, p, ARRAY_LEN(p));
}

static void plan_record(struct store_sql_run *r, const struct store_record *c)
{
	const char *const p[] = {
		store_sql_run_text(r, str_of(c->id), NULL),
		store_sql_run_text(r, c->node, NULL),
		store_sql_run_text(r, c->realm, NULL),
		store_sql_run_text(r, c->user, NULL),
		store_sql_run_text(r, c->client, NULL),
		store_sql_run_text(r, c->transport, NULL),
		store_sql_run_text(r, c->relayed, NULL),
		store_sql_run_number(r, c->opened_ms),
		store_sql_run_number(r, c->closed_ms),
		store_sql_run_text(r, c->reason, NULL),
		count(r, c->rx_packets),
		count(r, c->rx_bytes),
		count(r, c->tx_packets),
		count(r, c->tx_bytes),
		store_sql_run_text(r, c->peers, NULL),
		count(r, c->dropped),
		store_sql_run_text(r, c->drops, NULL),
		store_sql_run_text(r, c->quality, NULL),
	};

	store_sql_run_call(r, STORE_SQL_STMT_RECORD, p, ARRAY_LEN(p));
}

/* Usage is known by the number of its batch; records have ids of their own. */
static bool plan_batch(struct store_sql_run *r, unsigned phase)
{
	struct store_op *op = r->op;

	if (phase == 1 && op->seq % PURGE_EVERY == PURGE_FIRST) {
		plan_purge(r);
		return true;
	}
	if (phase > 0 || !store_sql_run_has_ours(r))
		return false;
	if (op->n_usage)
		plan_usage(r);
	for (size_t i = 0; i < op->n_records; i++)
		plan_record(r, &op->records[i]);
	return true;
}

/* "N N N PERIOD" of USAGE_ADD, -1 for what is not set; NULL: there is no row. */
static struct store_limits limits_in(struct str cell)
{
	struct store_limits l = store_limits_none();
	char text[96], *p = text;

	if (!cell.p || cell.len >= sizeof text)
		return l;
	memcpy(text, cell.p, cell.len);
	text[cell.len] = '\0';
	l.max_allocations = strtoll(p, &p, 10);
	l.max_bps = strtoll(p, &p, 10);
	l.max_bytes = strtoll(p, &p, 10);
	p += *p == ' ';
	if (strlen(p) < sizeof l.period)
		strcpy(l.period, p);
	return l;
}

static void row_batch(struct store_sql_run *r, size_t call, const struct str *cells)
{
	struct store_usage **sorted = r->op->backend_state;

	if (r->alone || !r->op->n_usage || call < 1 || call > r->op->n_usage)
		return;
	sorted[call - 1]->total_bytes = (uint64_t)store_sql_run_cell(cells[0], 0);
	sorted[call - 1]->limits = limits_in(cells[1]);
	sorted[call - 1]->has_limits = true;
}

/* Of what is swept up, all: it is tried again. */
static bool excuse_batch(struct store_sql_run *r, size_t call, enum store_sql_fault fault)
{
	(void)call;
	if (r->alone && fault == STORE_SQL_REFUSED)
		strcpy(r->note, "old rows of taciturn_usage or taciturn_batches could not be deleted: may this user?");
	return r->alone;
}

const struct store_sql_plan store_sql_ops_batch = { plan_batch, row_batch, excuse_batch };

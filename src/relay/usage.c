#include "relay/usage.h"

#include <stdlib.h>
#include <string.h>

#include "relay/event.h"
#include "relay/lease.h"

/* What the sessions of this worker that are gone have relayed, and nobody was told of. */
struct relay_usage {
	struct relay_ask_usage rows[RELAY_USAGE_ROWS]; /* with copies of the names */
	size_t n;
};

enum err relay_usage_new(struct relay *r)
{
	r->usage = calloc(1, sizeof *r->usage);
	return r->usage ? OK : ERR_NOMEM;
}

static bool tell(struct relay *r, const struct relay_ask_usage *rows, size_t n, bool last)
{
	const struct relay_ask q = { .kind = RELAY_ASK_USAGE,
				     .usage = rows,
				     .n_usage = n,
				     .last = last };

	return r->asker.ask(r->asker.arg, &q);
}

static void tell_ended(struct relay *r)
{
	struct relay_usage *u = r->usage;

	if (!u->n)
		return;
	if (!tell(r, u->rows, u->n, true))
		count_n(&r->cnt, store_lost, u->n);
	for (size_t i = 0; i < u->n; i++)
		free((char *)u->rows[i].realm.p); /* the user's name is behind it */
	u->n = 0;
}

void relay_usage_free(struct relay *r)
{
	if (!r->usage)
		return;
	tell_ended(r);
	free(r->usage);
	r->usage = NULL;
}

/* What has to be told of a session; false: nothing. */
static bool row_of(const struct relay *r, const struct relay_session *s,
		   struct relay_ask_usage *row)
{
	const struct turn_session *t = &s->turn;
	const struct relay_bill *b = s->bill;

	if (!b || !t->has_key)
		return false;
	*row = (struct relay_ask_usage){
		.realm = t->realm,
		.user = t->user,
		.rx = { t->rx.packets - b->told_rx.packets, t->rx.bytes - b->told_rx.bytes },
		.tx = { t->tx.packets - b->told_tx.packets, t->tx.bytes - b->told_tx.bytes },
		.sessions = !b->told,
		.kind = b->period,
	};
	if (!row->rx.packets && !row->tx.packets && !row->sessions)
		return false;
	conf_period_name(b->period, r->env.auth.wall_s, row->period);
	return true;
}

static void mark_told(struct relay_session *s)
{
	s->bill->told_rx = s->turn.rx;
	s->bill->told_tx = s->turn.tx;
	s->bill->told = true;
}

static struct turn_traffic since(const struct turn_traffic *now, const struct turn_traffic *before)
{
	return (struct turn_traffic){ now->packets - before->packets, now->bytes - before->bytes };
}

/* Metrics with users in their labels. */
static void tell_labels(struct relay_session *s)
{
	struct relay_bill *b = s->bill;
	struct turn_traffic up, down;

	if (!b || !b->peruser)
		return;
	up = since(&s->turn.rx, &b->seen_rx);
	down = since(&s->turn.tx, &b->seen_tx);
	relay_peruser_add(b->peruser, &up, &down);
	b->seen_rx = s->turn.rx;
	b->seen_tx = s->turn.tx;
}

void relay_usage_end(struct relay *r, struct relay_session *s)
{
	struct relay_usage *u = r->usage;
	struct relay_ask_usage row;
	char *name;

	tell_labels(s);
	if (!u || !r->asker.usage || !row_of(r, s, &row))
		return;
	name = malloc(row.realm.len + row.user.len + 1);
	if (!name) {
		count(&r->cnt, store_lost);
		return;
	}
	if (row.realm.len)
		memcpy(name, row.realm.p, row.realm.len);
	if (row.user.len)
		memcpy(name + row.realm.len, row.user.p, row.user.len);
	row.realm.p = name;
	row.user.p = name + row.realm.len;
	u->rows[u->n++] = row;
	if (u->n == RELAY_USAGE_ROWS)
		tell_ended(r);
}

/* A question's worth of sessions. False: there is no room, and the others need not try. */
static bool tell_some(struct relay *r, size_t n)
{
	struct relay_ask_usage rows[RELAY_USAGE_ROWS];
	struct relay_session *told[RELAY_USAGE_ROWS];
	size_t n_rows = 0;

	for (; n; n--) { /* each goes from the head of the list to its end: next time it is others' turn */
		struct relay_session *s =
			list_entry(r->sessions.next, struct relay_session, all);

		list_del(&s->all);
		list_push(&r->sessions, &s->all);
		tell_labels(s);
		relay_event_traffic(r, s, false);
		if (r->asker.usage && row_of(r, s, &rows[n_rows]))
			told[n_rows++] = s;
	}
	if (!n_rows)
		return true;
	if (!tell(r, rows, n_rows, false))
		return false;
	for (size_t i = 0; i < n_rows; i++)
		mark_told(told[i]);
	return true;
}

void relay_usage_tick(struct relay *r)
{
	size_t n = r->table.n / RELAY_USAGE_ROUNDS + 1;

	if (!r->usage)
		return;
	r->env.auth.wall_s = tick_wall_s();
	tell_ended(r);
	n = n < r->table.n ? n : r->table.n;
	n = n < RELAY_USAGE_SLICE ? n : RELAY_USAGE_SLICE;
	while (n) {
		size_t some = n < RELAY_USAGE_ROWS ? n : RELAY_USAGE_ROWS;

		if (!tell_some(r, some))
			return;
		n -= some;
	}
}

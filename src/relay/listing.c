#include "relay/listing.h"

#include <stdlib.h>
#include <string.h>

#include "relay/conn.h"
#include "relay/relay.h"

struct relay_listing *relay_listing_new(enum relay_listing_kind kind, size_t max)
{
	struct relay_listing *l = calloc(1, sizeof *l + max * sizeof l->rows[0]);

	if (!l)
		return NULL;
	l->kind = kind;
	l->max = max;
	l->filter.transport = -1;
	return l;
}

void relay_listing_init(struct relay *r)
{
	r->lister.end = &r->lister.first;
	list_init(&r->lister.sessions);
	list_init(&r->lister.place);
}

void relay_listing_fini(struct relay *r)
{
	struct relay_listing *l;

	if (!r->lister.end) /* relay_new() did not come that far */
		return;
	list_del(&r->lister.place);
	while ((l = r->lister.first)) {
		r->lister.first = l->next;
		free(l);
	}
}

/* Ids are given when a question about a session goes out, and its answer may be overtaken. */
void relay_listing_enter(struct relay *r, struct relay_session *s)
{
	struct relay_lister *w = &r->lister;
	struct list *before = &w->sessions;

	while (before->prev != &w->sessions) {
		if (before->prev != &w->place &&
		    list_entry(before->prev, struct relay_session, listed)->id < s->id)
			break;
		before = before->prev;
	}
	list_push(before, &s->listed);
}

void relay_listing_leave(struct relay_session *s)
{
	list_del(&s->listed);
}

struct relay_session *relay_listing_find(const struct relay *r, uint64_t id)
{
	const struct relay_lister *w = &r->lister;

	for (struct list *at = w->sessions.prev; at != &w->sessions; at = at->prev) {
		struct relay_session *s = list_entry(at, struct relay_session, listed);

		if (at == &w->place)
			continue;
		if (s->id <= id)
			return s->id == id ? s : NULL;
	}
	return NULL;
}

void relay_listing_add(struct relay *r, struct relay_listing *l)
{
	l->next = NULL;
	*r->lister.end = l;
	r->lister.end = &l->next;
}

bool relay_listing_busy(const struct relay *r)
{
	return r->lister.first != NULL;
}

/* --- rows --- */

static uint64_t left_ms(tick at, tick now)
{
	return tick_before(now, at) ? at - now : 0;
}

void relay_row_fill(struct relay_row *row, const struct relay_session *s)
{
	const struct turn_session *t = &s->turn;
	tick now = s->relay->env.now, expires = 0;

	memset(row, 0, offsetof(struct relay_row, realm));
	row->id = s->id;
	row->worker = s->relay->index;
	row->transport = t->tuple.transport;
	row->tcp = t->tcp;
	row->client = t->tuple.client;
	row->server = t->tuple.server;
	for (int i = 0; i < TURN_N_LEGS; i++) {
		row->relayed[i] = t->leg[i].relayed;
		if (t->leg[i].live && tick_before(expires, t->leg[i].expires))
			expires = t->leg[i].expires;
	}
	row->age_ms = now - t->opened;
	row->expires_ms = left_ms(expires, now);
	row->n_perms = t->perms.n;
	row->n_chans = t->chans.n;
	row->up = t->rx;
	row->down = t->tx;
	row->dropped = relay_session_dropped(s);
	for (int i = 0; s->quality && i < RELAY_N_LEGS; i++)
		relay_quality_report(s->quality, (enum relay_quality_leg)i, now, &row->quality[i]);
	row->realm_len = (uint16_t)(t->realm.len < sizeof row->realm ? t->realm.len : sizeof row->realm);
	if (row->realm_len)
		memcpy(row->realm, t->realm.p, row->realm_len);
	row->name_len = (uint16_t)(t->username.len < sizeof row->name ? t->username.len
								      : sizeof row->name);
	if (row->name_len)
		memcpy(row->name, t->username.p, row->name_len);
	if (t->user.len && t->user.p >= t->username.p &&
	    (size_t)(t->user.p - t->username.p) + t->user.len <= row->name_len) {
		row->user_at = (uint16_t)(t->user.p - t->username.p);
		row->user_len = (uint16_t)t->user.len;
	} else if (t->user.len && row->name_len + t->user.len <= sizeof row->name) { /* it has a new name since */
		row->user_at = row->name_len;
		row->user_len = (uint16_t)t->user.len;
		memcpy(row->name + row->user_at, t->user.p, row->user_len);
	}
}

struct peers {
	struct relay_listing *l;
	tick now;
};

static void add_peer(struct peers *p, const struct addr *at, uint16_t channel, tick expires)
{
	if (p->l->n_peers == RELAY_LISTING_PEERS) {
		p->l->n_more++;
		return;
	}
	p->l->peers[p->l->n_peers++] =
		(struct relay_row_peer){ *at, channel, left_ms(expires, p->now) };
}

static void on_chan(struct hnode *n, void *arg)
{
	const struct turn_chan *c = container_of(n, struct turn_chan, by_number);
	struct peers *p = arg;

	add_peer(p, &c->peer, c->number, c->expires);
}

static void on_perm(struct hnode *n, void *arg)
{
	const struct turn_perm *perm = container_of(n, struct turn_perm, node);
	struct peers *p = arg;

	if (!perm->n_chans)
		add_peer(p, &perm->ip, 0, perm->expires);
}

/* --- the walk --- */

static bool fits(const struct relay_filter *f, const struct turn_session *t)
{
	if (f->has_user && !str_eq(t->user, (struct str){ f->user, f->user_len }))
		return false;
	if (f->has_realm && !str_eq(t->realm, (struct str){ f->realm, f->realm_len }))
		return false;
	if (f->transport >= 0 && t->tuple.transport != (unsigned)f->transport)
		return false;
	if (f->has_client && !prefix_range_has(&f->client, &t->tuple.client))
		return false;
	return !f->has_state || f->relaying == (t->rx.packets || t->tx.packets);
}

static void add(struct turn_traffic *sum, const struct turn_traffic *t)
{
	sum->packets += t->packets;
	sum->bytes += t->bytes;
}

static void list_one(struct relay_listing *l, const struct relay_session *s)
{
	if (!fits(&l->filter, &s->turn))
		return;
	l->n_matched++;
	add(&l->up, &s->turn.rx);
	add(&l->down, &s->turn.tx);
	l->dropped += relay_session_dropped(s);
	if (l->n < l->max && (!l->has_after || s->id > l->after))
		relay_row_fill(&l->rows[l->n++], s);
}

/* The connection goes too: its client learns of it now, not at its next request. */
static void end_session(struct relay *r, struct relay_session *s)
{
	struct relay_conn *conn = s->path.conn;

	turn_session_end(&r->env, &s->turn, TURN_END_ADMIN);
	if (conn)
		relay_conn_end(conn, WHY_ADMIN);
}

/* True: the question is answered. */
static bool visit(struct relay *r, struct relay_listing *l, struct relay_session *s)
{
	struct peers p = { l, r->env.now };

	if (l->kind == RELAY_LISTING_PAGE) {
		list_one(l, s);
		return false;
	}
	if (s->id != l->id)
		return false;
	l->n_matched = 1;
	relay_row_fill(&l->rows[l->n++], s);
	hmap_each(&s->turn.chans, on_chan, &p);
	hmap_each(&s->turn.perms, on_perm, &p);
	if (l->kind == RELAY_LISTING_END)
		end_session(r, s);
	return true;
}

static struct relay_listing *finish(struct relay *r)
{
	struct relay_lister *w = &r->lister;
	struct relay_listing *l = w->first;

	list_del(&w->place);
	w->walking = false;
	w->first = l->next;
	if (!w->first)
		w->end = &w->first;
	return l;
}

struct relay_listing *relay_listing_step(struct relay *r)
{
	struct relay_lister *w = &r->lister;

	if (!w->first)
		return NULL;
	relay_clock(r);
	if (!w->walking) {
		w->walking = true;
		w->stop = r->next_id;
		list_push(w->sessions.next, &w->place); /* before the first */
	}
	for (int i = 0; i < RELAY_LISTING_AT_ONCE; i++) {
		struct list *node = w->place.next;
		struct relay_session *s;

		if (node == &w->sessions)
			return finish(r);
		s = list_entry(node, struct relay_session, listed);
		if (s->id / r->shared->conf->n_workers >= w->stop)
			return finish(r);
		list_del(&w->place); /* behind this one */
		list_push(node->next, &w->place);
		if (visit(r, w->first, s))
			return finish(r);
	}
	return NULL;
}

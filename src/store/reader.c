#include <stdio.h>
#include <stdlib.h>

#include "base/bug.h"
#include "store/inside.h"
#include "store/withdraw.h"

/*
 * A reading: the users' database is asked for everything; then, where another one counts, that for who was revoked,
 * for it is there that the stats port writes it.
 */
struct reading {
	struct store_asked users, counts;
	struct store *s;
	bool failed;
	struct conf_live *live;	   /* to be handed out */
	struct conf_live *revoked; /* what the counting one says; NULL: it is not asked */
};

/* Clients may not relay to the databases themselves. */
static enum err add_places(const struct store *s, struct conf_live *live)
{
	for (size_t i = 0; i < s->n_links; i++)
		for (size_t k = 0; k < s->link[i].n_places; k++)
			if (conf_live_add_store(live, &s->link[i].places[k]))
				return ERR_NOMEM;
	return OK;
}

static bool is_news(const struct store *s, const struct conf_live *live)
{
	return !s->live || s->live->digest != live->digest;
}

static void add_revoked(struct hnode *node, void *arg)
{
	const struct conf_live_revoked *r = container_of(node, struct conf_live_revoked, node);

	(void)!conf_live_add_revoked(arg, r->realm, r->user, r->before_s);
}

static void hand_out(struct store *s, struct conf_live *live)
{
	if (s->revoked)
		hmap_each(&s->revoked->revoked, add_revoked, live);
	if (add_places(s, live) || !is_news(s, live))
		return;
	log_info(s->lg, NULL, "store_live", "realms=%zu origins=%zu revoked=%u", live->n_realms, live->n_origins,
		 live->revoked.n);
	s->hooks.live(s->hooks.arg, live);
	/* what could not be told is found again at the next reading */
	if (!store_withdraw_find(s->live, live, s->hooks.withdrawn, s->hooks.arg))
		return;
	conf_live_drop(s->live);
	s->live = conf_live_hold(live);
}

static void free_reading(struct reading *r)
{
	r->s->live_asked = false;
	conf_live_drop(r->live);
	conf_live_drop(r->revoked);
	free(r);
}

static void on_counts(struct store_asked *a, enum store_status status)
{
	struct reading *r = container_of(a, struct reading, counts);
	struct store *s = r->s;

	if (status == STORE_OK) { /* else as it was: who was revoked stays so while the database is away */
		conf_live_drop(s->revoked);
		s->revoked = conf_live_hold(r->revoked);
	}
	hand_out(s, r->live);
}

static void on_counts_gone(struct store_asked *a)
{
	free_reading(container_of(a, struct reading, counts));
}

static void on_revoked(struct store_op *op, const struct store_row *row)
{
	struct conf_live *to = container_of(op, struct reading, counts.op)->revoked;
	char text[24];

	if (row->value.len >= sizeof text)
		return;
	snprintf(text, sizeof text, "%.*s", STR_ARG(row->value));
	(void)!conf_live_add_revoked(to, row->realm, row->name, strtoll(text, NULL, 10));
}

static void ask_counts(struct reading *r)
{
	struct store *s = r->s;

	r->counts.op.kind = STORE_ADMIN;
	r->counts.op.admin_do = STORE_ADMIN_LIST;
	r->counts.op.admin_what = STORE_ADMIN_REVOKED;
	r->counts.op.admin.realm = str_of(s->conf->realm);
	r->counts.op.row = on_revoked;
	r->counts.answered = on_counts;
	r->counts.gone = on_counts_gone;
	store_link_ask(s->counts, &r->counts, &s->waiting, net_loop_now(s->loop), STORE_LIVE_MS * 6);
}

static void on_users(struct store_asked *a, enum store_status status)
{
	struct reading *r = container_of(a, struct reading, users);

	r->failed = status != STORE_OK; /* after its deadline the backend may still write to r->live */
}

static void on_users_gone(struct store_asked *a)
{
	struct reading *r = container_of(a, struct reading, users);

	if (!r->failed && r->revoked) {
		ask_counts(r);
		return;
	}
	if (!r->failed)
		hand_out(r->s, r->live);
	free_reading(r);
}

static struct reading *begin(struct store *s)
{
	struct reading *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	r->s = s;
	if (conf_live_new(&r->live, s->hash_key) ||
	    (s->counts != s->users && conf_live_new(&r->revoked, s->hash_key))) {
		free_reading(r);
		return NULL;
	}
	return r;
}

void store_reader_read(struct store *s, tick now)
{
	struct reading *r = !s->live_asked && (!s->users || s->users->up) ? begin(s) : NULL;

	if (!r)
		return;
	s->live_asked = true;
	s->next_live = now + STORE_LIVE_MS;
	if (!s->users) {
		ask_counts(r);
		return;
	}
	r->users.op.kind = STORE_LIVE;
	r->users.op.live = r->live;
	r->users.op.realm = str_of(s->conf->realm);
	r->users.answered = on_users;
	r->users.gone = on_users_gone;
	store_link_ask(s->users, &r->users, &s->waiting, now, STORE_LIVE_MS * 6);
}

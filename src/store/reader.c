#include <stdlib.h>

#include "base/bug.h"
#include "store/inside.h"
#include "store/withdraw.h"

struct reading {
	struct store_asked asked;
	struct store *s;
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

static void on_live(struct store_asked *a, enum store_status status)
{
	struct store *s = container_of(a, struct reading, asked)->s;
	struct conf_live *live = a->op.live;

	if (status != STORE_OK || add_places(s, live) || !is_news(s, live))
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

static void on_live_gone(struct store_asked *a)
{
	struct reading *r = container_of(a, struct reading, asked);

	r->s->live_asked = false;
	conf_live_drop(a->op.live);
	free(r);
}

/* Without a database of users there is nothing to read, but where the others are is known. */
static void tell_places(struct store *s, tick now)
{
	struct conf_live *live;

	s->next_live = now + STORE_LIVE_MS;
	if (conf_live_new(&live, s->hash_key))
		return;
	if (!add_places(s, live) && live->stores.n && is_news(s, live)) {
		s->hooks.live(s->hooks.arg, live);
		conf_live_drop(s->live);
		s->live = conf_live_hold(live);
	}
	conf_live_drop(live);
}

void store_reader_read(struct store *s, tick now)
{
	struct reading *r;

	if (!s->users) {
		tell_places(s, now);
		return;
	}
	if (s->live_asked || !s->users->up)
		return;
	r = calloc(1, sizeof *r);
	if (!r || conf_live_new(&r->asked.op.live, s->hash_key)) {
		free(r);
		return;
	}
	r->s = s;
	r->asked.op.kind = STORE_LIVE;
	r->asked.op.realm = str_of(s->conf->realm);
	r->asked.answered = on_live;
	r->asked.gone = on_live_gone;
	s->live_asked = true;
	s->next_live = now + STORE_LIVE_MS;
	store_link_ask(s->users, &r->asked, &s->waiting, now, STORE_LIVE_MS * 6);
}

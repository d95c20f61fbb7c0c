#include <stdlib.h>

#include "base/bug.h"
#include "store/inside.h"
#include "store/withdraw.h"

struct reading {
	struct store_asked asked;
	struct store *s;
};

static void on_live(struct store_asked *a, enum store_status status)
{
	struct store *s = container_of(a, struct reading, asked)->s;
	struct conf_live *live = a->op.live;

	if (status != STORE_OK || (s->live && s->live->digest == live->digest))
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

void store_reader_read(struct store *s, tick now)
{
	struct reading *r;

	if (!s->users || s->live_asked || !s->users->up)
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

#include "relay/relimit.h"

#include "relay/lease.h"

void relay_relimit_user(struct relay *r, const struct relay_relimit *which)
{
	const struct conf *conf = r->shared->conf;

	for (struct list *l = r->sessions.next; l != &r->sessions; l = l->next) {
		struct relay_session *s = list_entry(l, struct relay_session, all);

		if (!s->bill || !s->turn.has_key || !str_eq(s->turn.user, which->user) ||
		    !str_eq(s->turn.realm, which->realm))
			continue;
		s->user_bps = which->max_bps == CONF_LIVE_UNSET ? (uint64_t)conf->user_max_bps
								: (uint64_t)which->max_bps;
		s->bill->period = which->has_period ? which->period : (enum conf_period)conf->byte_quota_period;
	}
}

static bool is_revoked(const struct relay *r, const struct turn_session *t)
{
	int64_t before = t->has_key ? conf_live_revoked_before(r->env.auth.live, t->realm, t->user) : 0;

	return before > relay_lease_made_s(r, t->secret, t->cred_expires_s);
}

void relay_relimit_live(struct relay *r, const struct conf_live *old)
{
	bool revoked = r->env.auth.live && r->env.auth.live->revoked.n;
	struct list *l, *next;

	r->env.auth.wall_s = tick_wall_s();
	for (l = r->sessions.next; l != &r->sessions; l = next) {
		struct relay_session *s = list_entry(l, struct relay_session, all);

		uint64_t now = relay_lease_max_bps(r, r->env.auth.live, s->turn.realm);

		next = l->next;
		if (relay_lease_max_bps(r, old, s->turn.realm) != now)
			turn_session_limit(&r->env, &s->turn, now);
		if (revoked && is_revoked(r, &s->turn))
			turn_session_end(&r->env, &s->turn, TURN_END_WITHDRAWN);
	}
}

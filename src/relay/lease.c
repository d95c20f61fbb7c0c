#include "relay/lease.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/bug.h"

bool relay_lease_is_due(const struct relay *r, const struct turn_tx *tx)
{
	return r->asker.leases && tx->who.has_key; /* under no-auth there are no users to count */
}

/* --- limits --- */

/* The first that is set. */
static int64_t first_of(int64_t of_realm, int64_t of_all, int64_t of_conf)
{
	return of_realm != CONF_LIVE_UNSET ? of_realm
	       : of_all != CONF_LIVE_UNSET ? of_all
					   : of_conf;
}

static void limits_of_realm(const struct relay *r, struct relay_grant *out)
{
	static const struct conf_live_realm none = { .max_bps = CONF_LIVE_UNSET,
						     .total_quota = CONF_LIVE_UNSET,
						     .user_quota = CONF_LIVE_UNSET };
	const struct conf *conf = r->shared->conf;
	const struct conf_live *live = r->env.auth.live;
	const struct conf_live_realm *realm = conf_live_find_realm(live, str_of(conf->realm));
	const struct conf_live_realm *all = conf_live_find_realm(live, STR_LIT(""));

	realm = realm ? realm : &none;
	all = all ? all : &none;
	out->user_max = first_of(realm->user_quota, all->user_quota, conf->user_quota);
	out->total_max = first_of(realm->total_quota, all->total_quota, conf->total_quota);
	out->max_bps = (uint64_t)first_of(realm->max_bps, all->max_bps, conf->max_bps);
	out->user_bps = (uint64_t)conf->user_max_bps;
	out->period = (enum relay_period)conf->byte_quota_period;
}

static void limits_of_user(const struct relay_answer *a, struct relay_grant *out)
{
	static const char *const words[] = { [RELAY_PERIOD_MONTH] = "month",
					     [RELAY_PERIOD_DAY] = "day",
					     [RELAY_PERIOD_30D] = "30d" };

	if (a->max_allocations != CONF_LIVE_UNSET)
		out->user_max = a->max_allocations;
	if (a->max_bps != CONF_LIVE_UNSET)
		out->user_bps = (uint64_t)a->max_bps;
	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(a->period, words[i]) == 0)
			out->period = (enum relay_period)i;
	out->leased = a->counted;
}

static void refuse(struct relay_grant *g, unsigned code, const char *why)
{
	g->code = code;
	g->why = why;
}

/* quota-on-store-failure: RFC 8656 s.7.2 has 508 for a server that cannot now and may later. */
static void without_answer(const struct relay *r, struct relay_grant *g)
{
	if (r->shared->conf->quota_on_store_failure != RELAY_FAILURE_ALLOW)
		refuse(g, 508, "store_down");
}

void relay_lease_judge(const struct relay *r, const struct turn_tx *tx,
		       const struct relay_answer *a, struct relay_grant *out)
{
	*out = (struct relay_grant){ 0 };
	limits_of_realm(r, out);
	if (!tx->who.has_key) /* nobody to count */
		out->user_max = 0, out->user_bps = 0;
	if (!a)
		return;
	switch (a->status) {
	case RELAY_ASK_OK:
		limits_of_user(a, out);
		break;
	case RELAY_ASK_NONE:
		break;
	case RELAY_ASK_FULL_USER:
		refuse(out, 486, "user_quota");
		break;
	case RELAY_ASK_FULL_REALM:
		refuse(out, 486, "total_quota");
		break;
	case RELAY_ASK_FULL_BYTES:
		refuse(out, 486, "byte_quota");
		break;
	case RELAY_ASK_REVOKED:
		refuse(out, 401, "revoked");
		break;
	default:
		without_answer(r, out);
		break;
	}
}

/* --- the lease --- */

bool relay_lease_ask(struct relay *r, uint64_t ticket, uint64_t id, const struct turn_tx *tx)
{
	const struct conf *conf = r->shared->conf;
	char text[RELAY_ASK_ID_LEN];
	struct relay_grant g;
	struct relay_ask q = { .kind = RELAY_ASK_LEASE,
			       .ticket = ticket,
			       .realm = str_of(conf->realm),
			       .user = tx->who.user,
			       .id = relay_session_id(r, id, text),
			       .bytes_max = conf->user_byte_quota };

	relay_lease_judge(r, tx, NULL, &g);
	q.user_max = g.user_max;
	q.total_max = g.total_max;
	relay_lease_period(g.period, r->env.auth.wall_s, q.period);
	return r->asker.ask(r->asker.arg, &q);
}

void relay_lease_release(struct relay *r, struct str user, const char *id)
{
	const struct relay_ask q = { .kind = RELAY_ASK_RELEASE,
				     .realm = str_of(r->shared->conf->realm),
				     .user = user,
				     .id = id };

	if (!r->asker.ask(r->asker.arg, &q))
		count(&r->cnt, store_lost);
}

void relay_lease_period(enum relay_period p, int64_t wall_s, char out[RELAY_ASK_PERIOD_LEN])
{
	enum { DAY_S = 86400, WINDOW = 30 };
	time_t t = (time_t)wall_s;
	struct tm tm;

	if (p == RELAY_PERIOD_30D)
		t -= t % ((time_t)WINDOW * DAY_S);
	gmtime_r(&t, &tm);
	strftime(out, RELAY_ASK_PERIOD_LEN, p == RELAY_PERIOD_MONTH ? "%Y-%m" : "%Y-%m-%d", &tm);
}

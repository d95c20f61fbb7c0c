#include "relay/lease.h"

#include <stdio.h>
#include <string.h>

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

static const struct conf_live_realm *realm_of(const struct conf_live *live, struct str name)
{
	static const struct conf_live_realm none = { .max_bps = CONF_LIVE_UNSET,
						     .total_quota = CONF_LIVE_UNSET,
						     .user_quota = CONF_LIVE_UNSET };
	const struct conf_live_realm *realm = conf_live_find_realm(live, name);

	return realm ? realm : &none;
}

uint64_t relay_lease_max_bps(const struct relay *r, const struct conf_live *live, struct str realm)
{
	const struct conf *conf = r->shared->conf;

	return (uint64_t)first_of(realm_of(live, realm)->max_bps, realm_of(live, STR_LIT(""))->max_bps,
				  conf->max_bps);
}

static void limits_of_realm(const struct relay *r, struct str name, struct relay_grant *out)
{
	const struct conf *conf = r->shared->conf;
	const struct conf_live *live = r->env.auth.live;
	const struct conf_live_realm *realm = realm_of(live, name);
	const struct conf_live_realm *all = realm_of(live, STR_LIT(""));

	out->user_max = first_of(realm->user_quota, all->user_quota, conf->user_quota);
	out->total_max = first_of(realm->total_quota, all->total_quota, conf->total_quota);
	out->max_bps = relay_lease_max_bps(r, live, name);
	out->user_bps = (uint64_t)conf->user_max_bps;
	out->period = (enum conf_period)conf->byte_quota_period;
}

static void limits_of_user(const struct relay_answer *a, struct relay_grant *out)
{
	if (a->max_allocations != CONF_LIVE_UNSET)
		out->user_max = a->max_allocations;
	if (a->max_bps != CONF_LIVE_UNSET)
		out->user_bps = (uint64_t)a->max_bps;
	(void)conf_period_find(a->period, &out->period); /* none: as configured */
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
	if (r->shared->conf->quota_on_store_failure == RELAY_FAILURE_ALLOW)
		g->owed = true;
	else
		refuse(g, 508, "store_down");
}

void relay_lease_judge(const struct relay *r, const struct turn_tx *tx,
		       const struct relay_answer *a, struct relay_grant *out)
{
	*out = (struct relay_grant){ 0 };
	limits_of_realm(r, tx->who.realm, out);
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

int64_t relay_lease_made_s(const struct relay *r, uint64_t secret, int64_t expires_s)
{
	int64_t max_ttl = r->shared->conf->credential_max_ttl;

	if (!secret)
		return r->env.auth.wall_s;
	return max_ttl && expires_s > max_ttl ? expires_s - max_ttl : 0;
}

bool relay_lease_ask(struct relay *r, uint64_t ticket, uint64_t id, const struct turn_tx *tx)
{
	const struct conf *conf = r->shared->conf;
	char text[RELAY_ASK_ID_LEN];
	struct relay_grant g;
	struct relay_ask q = { .kind = RELAY_ASK_LEASE,
			       .ticket = ticket,
			       .realm = tx->who.realm,
			       .user = tx->who.user,
			       .id = relay_session_id(r, id, text),
			       .bytes_max = conf->user_byte_quota,
			       .made_s = relay_lease_made_s(r, tx->who.secret,
							   tx->who.expires_s) };

	relay_lease_judge(r, tx, NULL, &g);
	q.user_max = g.user_max;
	q.total_max = g.total_max;
	conf_period_name(g.period, r->env.auth.wall_s, q.period);
	return r->asker.ask(r->asker.arg, &q);
}

bool relay_lease_hold(struct relay *r, struct str realm, struct str user, const char *id)
{
	const struct relay_ask q = { .kind = RELAY_ASK_HOLD,
				     .realm = realm,
				     .user = user,
				     .id = id };

	if (r->asker.ask(r->asker.arg, &q))
		return true;
	count(&r->cnt, store_lost);
	return false;
}

void relay_lease_release(struct relay *r, struct str realm, struct str user, const char *id)
{
	const struct relay_ask q = { .kind = RELAY_ASK_RELEASE,
				     .realm = realm,
				     .user = user,
				     .id = id };

	if (!r->asker.ask(r->asker.arg, &q))
		count(&r->cnt, store_lost);
}

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/conn.h"
#include "relay/dtls.h"
#include "relay/event.h"
#include "relay/lease.h"
#include "relay/observe.h"
#include "relay/record.h"
#include "relay/refusal.h"
#include "relay/relay.h"
#include "relay/usage.h"

const char *relay_session_id(const struct relay *r, uint64_t id, char *buf)
{
	snprintf(buf, RELAY_ASK_ID_LEN, "%s%llu", r->shared->prefix, (unsigned long long)id);
	return buf;
}

uint64_t relay_session_next(struct relay *r)
{
	return r->next_id++ * r->shared->conf->n_workers + r->index;
}

void relay_session_add_who(struct log_text *t, const struct relay_session *s)
{
	char client[ADDR_TEXT_LEN], user[64];

	log_text_word(t, "session", str_of(s->relay->shared->prefix));
	log_text_digits(t, s->id);
	log_text_word(t, "client", str_of(relay_addr_print(s->relay, &s->turn.tuple.client, client)));
	log_text_word(t, "user", str_of(log_quote(s->turn.user, user, sizeof user)));
}

const char *relay_session_who(const struct relay_session *s, char *buf)
{
	struct log_text t;
	size_t n;

	log_text_init(&t);
	relay_session_add_who(&t, s);
	n = t.len < RELAY_WHO_LEN ? t.len : RELAY_WHO_LEN - 1;
	memcpy(buf, t.buf, n);
	buf[n] = '\0';
	return buf;
}

/* Why an allocation was refused: a client's doing is information, what the operator can change a warning. */
static void log_refusal(struct relay *r, const struct relay_session *s, unsigned code,
			const char *why)
{
	unsigned long long *seldom = code < 500	   ? &r->n_quota
				     : code == 508 ? &r->n_no_ports
						   : &r->n_no_sockets;
	char who[RELAY_WHO_LEN];

	count(&r->cnt, refused[relay_refusal_find(why)]);
	if (!log_seldom(seldom))
		return;
	if (code < 500 || strcmp(why, "unknown_token") == 0)
		log_info(r->lg, relay_session_who(s, who), "alloc_refused",
			 "code=%u reason=\"%s\" n=%llu", code, why, *seldom);
	else
		log_warn(r->lg, relay_session_who(s, who), "alloc_refused",
			 "code=%u reason=\"%s\" n=%llu", code, why, *seldom);
}

/* The families, one after the other; of two wanted, one is enough (RFC 8656 s.7.2, check 9). */
static unsigned open_legs(struct relay *r, struct relay_session *s, struct turn_tx *tx)
{
	bool both = tx->want.family[TURN_LEG_V4] && tx->want.family[TURN_LEG_V6];
	unsigned code = 0, opened = 0;

	if (tx->want.redeem)
		return relay_endpoint_open(r, s, tx, TURN_LEG_V4);
	for (int i = 0; i < TURN_N_LEGS; i++) {
		unsigned leg_code;

		if (!tx->want.family[i])
			continue;
		leg_code = r->env.has_family[i]
				   ? relay_endpoint_open(r, s, tx, (enum turn_leg_id)i)
				   : 440;
		opened += !leg_code;
		code = leg_code ? leg_code : code;
	}
	if (opened && both)
		s->turn.alloc_address_error = (uint16_t)code;
	return opened ? 0 : code == 440 ? 508 : code;
}

static unsigned start(struct relay *r, struct relay_session *s, struct turn_tx *tx)
{
	unsigned code;

	if (turn_session_init(&r->env, &s->turn, &tx->tuple, &tx->who, tx->req))
		return 508;
	code = open_legs(r, s, tx);
	if (!code && relay_table_insert(&r->table, s))
		code = 508;
	return code;
}

static void log_open(struct relay *r, const struct relay_session *s, const struct turn_tx *tx)
{
	static const char *const keys[TURN_N_LEGS] = { "relay4", "relay6" };
	char text[ADDR_TEXT_LEN];
	struct log_text t;

	log_text_init(&t);
	log_text_word(&t, NULL, STR_LIT("alloc_open"));
	relay_session_add_who(&t, s);
	log_text_word(&t, "transport", str_of(turn_transport_text(s->turn.tuple.transport)));
	for (int i = 0; i < TURN_N_LEGS; i++)
		log_text_word(&t, keys[i],
			      s->turn.leg[i].live
				      ? str_of(addr_print(&s->turn.leg[i].relayed, text))
				      : STR_LIT("none"));
	log_text_number(&t, "lifetime", tx->want.lifetime_s);
	log_put(r->lg, LOG_INFO_, &t);
}

/* The accounts that are kept of it. ERR_NOMEM. */
static enum err open_bill(struct relay *r, struct relay_session *s,
			  const struct relay_grant *g)
{
	if (!r->asker.ask && !g->user_bps && !r->shared->conf->bps_capacity && !r->shared->perusers)
		return OK;
	s->bill = slab_alloc(&r->bills_slab);
	if (!s->bill)
		return ERR_NOMEM;
	s->user_bps = g->user_bps;
	s->bill->period = g->period;
	s->bill->leased = g->leased;
	return OK;
}

static void release(struct relay *r, uint64_t id, struct str realm, struct str user)
{
	char text[RELAY_ASK_ID_LEN];

	relay_lease_release(r, realm, user, relay_session_id(r, id, text));
}

/* Released like one that was granted. */
static void hold(struct relay *r, struct relay_session *s)
{
	char text[RELAY_ASK_ID_LEN];

	s->bill->leased = relay_lease_hold(r, s->turn.realm, s->turn.user, relay_session_id(r, s->id, text));
}

static void close_bill(struct relay *r, struct relay_session *s)
{
	if (!s->bill)
		return;
	if (s->bill->leased)
		release(r, s->id, s->turn.realm, s->turn.user);
	if (s->bill->peruser)
		relay_peruser_leave(r->shared->perusers, s->bill->peruser);
	relay_quota_unreserve(r->shared->quota, s->bill->reserved_bps);
	slab_free(&r->bills_slab, s->bill);
	s->bill = NULL;
	s->user_bps = 0;
}

/* bps-capacity: as many sessions as it has room for, each with its max-bps. */
static bool reserve(struct relay *r, struct relay_session *s, const struct relay_grant *g)
{
	const struct conf *conf = r->shared->conf;
	uint64_t bps = g->max_bps ? g->max_bps : (uint64_t)conf->max_bps;

	if (!conf->bps_capacity)
		return true;
	if (!relay_quota_reserve(r->shared->quota, bps, (uint64_t)conf->bps_capacity))
		return false;
	s->bill->reserved_bps = bps;
	return true;
}

/* What it counts for on this node. 0, or the error code, and why. */
static unsigned admit(struct relay *r, struct relay_session *s, const struct turn_tx *tx,
		      const struct relay_grant *g, const char **why)
{
	*why = g->why;
	if (g->code)
		return g->code;
	*why = "no_memory";
	if (open_bill(r, s, g)) {
		if (g->leased)
			release(r, g->id, tx->who.realm, tx->who.user);
		return 508;
	}
	*why = "bps_capacity";
	if (!reserve(r, s, g)) {
		close_bill(r, s);
		return 486;
	}
	*why = "quota";
	if (relay_quota_take(r->shared->quota, tx->who.realm, tx->who.user, g->user_max, g->total_max)) {
		close_bill(r, s);
		return 486;
	}
	return 0;
}

unsigned relay_session_open(struct relay *r, const struct relay_path *path, struct turn_tx *tx,
			    const struct relay_grant *grant)
{
	struct relay_session *s = slab_alloc(&r->sessions_slab);
	const char *why;
	unsigned code;

	if (!s || r->draining) { /* not 403, as coturn says: others may serve the client */
		count(&r->cnt, refused[r->draining ? RELAY_REFUSAL_DRAINING : RELAY_REFUSAL_NO_MEMORY]);
		if (grant->leased)
			release(r, grant->id, tx->who.realm, tx->who.user);
		slab_free(&r->sessions_slab, s);
		return 508;
	}
	s->relay = r;
	s->path = *path;
	s->id = grant->has_id ? grant->id : relay_session_next(r);
	s->turn.realm = tx->who.realm;
	s->turn.user = tx->who.user;
	s->turn.tuple = tx->tuple;
	code = admit(r, s, tx, grant, &why);
	if (code) {
		log_refusal(r, s, code, why);
		slab_free(&r->sessions_slab, s);
		return code;
	}
	list_push(&r->sessions, &s->all);
	relay_listing_enter(r, s);
	code = start(r, s, tx);
	if (code) {
		log_refusal(r, s, code, s->refused ? s->refused : "no_memory");
		if (s->turn.username.p)
			turn_session_end(&r->env, &s->turn, TURN_END_REFUSED);
		else
			relay_session_ended(r, &s->turn, TURN_END_REFUSED);
		return code;
	}
	if (grant->max_bps != s->turn.max_bps)
		turn_session_limit(&r->env, &s->turn, grant->max_bps);
	s->realm = (uint8_t)relay_realms_place(r->shared->realms, s->turn.realm);
	if (r->shared->perusers)
		s->bill->peruser = relay_peruser_enter(r->shared->perusers, s->turn.realm, s->turn.user);
	if (grant->owed && s->bill)
		hold(r, s);
	tx->session = &s->turn;
	count(&r->cnt, alloc_opened);
	count(&r->cnt, opened[tx->tuple.transport]);
	log_open(r, s, tx);
	relay_event_opened(r, s, tx->want.lifetime_s);
	if (r->tell)
		r->tell(r->tell_arg, s, true, TURN_END_DELETED);
	return 0;
}

void relay_session_leg_closed(void *arg, struct turn_session *t, enum turn_leg_id leg)
{
	struct relay_session *s = relay_session_of(t);

	relay_endpoint_close(arg, s->ep[leg]);
	s->ep[leg] = NULL;
}

void relay_session_ended(void *arg, struct turn_session *t, enum turn_end why)
{
	struct relay_session *s = relay_session_of(t);
	struct relay *r = arg;

	relay_quota_give(r->shared->quota, t->realm, t->user);
	if (why != TURN_END_REFUSED) { /* one that never opened was logged as refused */
		relay_table_remove(&r->table, s);
		count(&r->cnt, alloc_closed);
		count(&r->cnt, closed[t->tuple.transport]);
		count(&r->cnt, ended[why]);
		if (s->quality)
			relay_observe_quality(r, s->quality);
		relay_record_end(r, s, why);
		relay_usage_end(r, s);
		relay_event_ended(r, s);
		if (r->tell)
			r->tell(r->tell_arg, s, false, why);
	}
	close_bill(r, s);
	if (s->path.conn && why != TURN_END_REFUSED)
		relay_conn_session_ended(s->path.conn);
	if (s->path.dtls)
		relay_dtls_session_ended(s->path.dtls);
	relay_listing_leave(s);
	list_del(&s->all);
	list_push(&r->dead, &s->all);
}

void relay_session_reap(struct relay *r)
{
	while (!list_empty(&r->dead)) {
		struct relay_session *s = list_entry(r->dead.next, struct relay_session, all);

		list_del(&s->all);
		slab_free(&r->qualities_slab, s->quality);
		free(s->peers);
		slab_free(&r->sessions_slab, s);
	}
}

static bool is_expelled(const struct relay_session *s, const struct relay_expel *which)
{
	if (which->secret)
		return s->turn.secret == which->secret;
	return s->turn.has_key && str_eq(s->turn.user, which->user) &&
	       str_eq(s->turn.realm, which->realm);
}

void relay_session_expel(struct relay *r, const struct relay_expel *which)
{
	struct list *l, *next;

	for (l = r->sessions.next; l != &r->sessions; l = next) {
		struct relay_session *s = list_entry(l, struct relay_session, all);

		next = l->next;
		if (is_expelled(s, which))
			turn_session_end(&r->env, &s->turn, which->why);
	}
}

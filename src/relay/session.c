#include <string.h>

#include "relay/conn.h"
#include "relay/dtls.h"
#include "relay/relay.h"

static void add_who(struct log_text *t, const struct relay_session *s)
{
	char client[ADDR_TEXT_LEN], user[64];

	log_text_word(t, "session", str_of(s->relay->shared->prefix));
	log_text_digits(t, s->id);
	log_text_word(t, "client", str_of(addr_print(&s->turn.tuple.client, client)));
	log_text_word(t, "user", str_of(log_quote(s->turn.user, user, sizeof user)));
}

const char *relay_session_who(const struct relay_session *s, char *buf)
{
	struct log_text t;
	size_t n;

	log_text_init(&t);
	add_who(&t, s);
	n = t.len < RELAY_WHO_LEN ? t.len : RELAY_WHO_LEN - 1;
	memcpy(buf, t.buf, n);
	buf[n] = '\0';
	return buf;
}

/* Why an allocation was refused: a client's doing is information, what the operator can change a warning. */
static void log_refusal(struct relay *r, const struct relay_session *s, unsigned code,
			const char *why)
{
	unsigned long long *seldom = code == 486   ? &r->n_quota
				     : code == 508 ? &r->n_no_ports
						   : &r->n_no_sockets;
	char who[RELAY_WHO_LEN];

	if (!log_seldom(seldom))
		return;
	if (code == 486 || strcmp(why, "unknown_token") == 0)
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
	add_who(&t, s);
	log_text_word(&t, "transport", str_of(turn_transport_text(s->turn.tuple.transport)));
	for (int i = 0; i < TURN_N_LEGS; i++)
		log_text_word(&t, keys[i],
			      s->turn.leg[i].live
				      ? str_of(addr_print(&s->turn.leg[i].relayed, text))
				      : STR_LIT("none"));
	log_text_number(&t, "lifetime", tx->want.lifetime_s);
	log_put(r->lg, LOG_INFO_, &t);
}

unsigned relay_session_open(struct relay *r, const struct relay_path *path, struct turn_tx *tx)
{
	const struct conf *conf = r->shared->conf;
	struct relay_session *s = slab_alloc(&r->sessions_slab);
	unsigned code;

	if (!s)
		return 508;
	if (r->draining) { /* not 403, as coturn says: nothing is wrong with the client, others may serve it */
		slab_free(&r->sessions_slab, s);
		return 508;
	}
	s->relay = r;
	s->path = *path;
	s->id = r->next_id++ * conf->n_workers + r->index;
	s->turn.user = tx->who.user;
	s->turn.tuple = tx->tuple;
	/* under no-auth there are no users to count */
	if (relay_quota_take(r->shared->quota, tx->who.user,
			     tx->who.has_key ? conf->user_quota : 0, conf->total_quota)) {
		log_refusal(r, s, 486, "quota");
		slab_free(&r->sessions_slab, s);
		return 486;
	}
	list_push(&r->sessions, &s->all);
	code = start(r, s, tx);
	if (code) {
		log_refusal(r, s, code, s->refused ? s->refused : "no_memory");
		if (s->turn.username.p)
			turn_session_end(&r->env, &s->turn, TURN_END_REFUSED);
		else
			relay_session_ended(r, &s->turn, TURN_END_REFUSED);
		return code;
	}
	tx->session = &s->turn;
	count(&r->cnt, alloc_opened);
	count(&r->cnt, opened[tx->tuple.transport]);
	log_open(r, s, tx);
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

static void log_end(struct relay *r, const struct relay_session *s, enum turn_end why)
{
	const struct turn_session *turn = &s->turn;
	struct log_text t;

	log_text_init(&t);
	log_text_word(&t, NULL, STR_LIT("session_end"));
	add_who(&t, s);
	log_text_word(&t, "reason", str_of(turn_end_text(why)));
	log_text_number(&t, "seconds", (r->env.now - turn->opened) / 1000);
	log_text_number(&t, "rx_packets", turn->rx.packets);
	log_text_number(&t, "rx_bytes", turn->rx.bytes);
	log_text_number(&t, "tx_packets", turn->tx.packets);
	log_text_number(&t, "tx_bytes", turn->tx.bytes);
	log_text_number(&t, "dropped", turn->dropped);
	log_put(r->lg, LOG_INFO_, &t);
}

void relay_session_ended(void *arg, struct turn_session *t, enum turn_end why)
{
	struct relay_session *s = relay_session_of(t);
	struct relay *r = arg;

	relay_quota_give(r->shared->quota, t->user);
	if (why != TURN_END_REFUSED) { /* one that never opened was logged as refused */
		relay_table_remove(&r->table, s);
		count(&r->cnt, alloc_closed);
		count(&r->cnt, closed[t->tuple.transport]);
		count(&r->cnt, ended[why]);
		log_end(r, s, why);
		if (r->tell)
			r->tell(r->tell_arg, s, false, why);
	}
	if (s->path.conn && why != TURN_END_REFUSED)
		relay_conn_session_ended(s->path.conn);
	if (s->path.dtls)
		relay_dtls_session_ended(s->path.dtls);
	list_del(&s->all);
	list_push(&r->dead, &s->all);
}

void relay_session_reap(struct relay *r)
{
	while (!list_empty(&r->dead)) {
		struct relay_session *s = list_entry(r->dead.next, struct relay_session, all);

		list_del(&s->all);
		slab_free(&r->sessions_slab, s);
	}
}

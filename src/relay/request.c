#include "relay/conn.h"
#include "relay/dtls.h"
#include "relay/event.h"
#include "relay/handoff.h"
#include "relay/lease.h"
#include "relay/observe.h"
#include "relay/park.h"
#include "relay/record.h"
#include "relay/relay.h"
#include "relay/splice.h"
#include "stun/chan.h"
#include "stun/classic.h"
#include "turn/alloc.h"
#include "turn/reply.h"

enum { REJECTS_PER_S = 20 };

/* One line for each kind of peer that is refused, with what would allow it; never again, for
 * clients try all sorts of candidates. */
static void tell_denied(struct relay *r, const struct relay_session *s,
			const struct turn_tx *tx)
{
	char who[RELAY_WHO_LEN], peer[ADDR_TEXT_LEN];

	if (tx->policy == TURN_POLICY_ALLOW || r->denied_told & 1u << tx->policy)
		return;
	r->denied_told |= 1u << tx->policy;
	log_warn(r->lg, s ? relay_session_who(s, who) : NULL, "peer_denied",
		 "peer=%s reason=%s allow_with=%s note=\"further refusals of this kind are "
		 "only counted\"",
		 relay_addr_print(r, &tx->denied, peer), turn_policy_text(tx->policy),
		 turn_policy_option(tx->policy));
}

/* Clients of RFC 5766 draw from a wider range, and see nothing but a 400: the operator is told once what
 * they want. */
static void tell_channel(struct relay *r, const struct relay_session *s, const struct turn_tx *tx)
{
	char who[RELAY_WHO_LEN];
	uint16_t number = tx->req->channel;

	if (tx->code != 400 || tx->req->method != STUN_CHANNEL_BIND || r->wide_channels || r->channel_told ||
	    !s || number <= STUN_CHAN_MAX || number > STUN_CHAN_MAX_5766)
		return;
	r->channel_told = true;
	log_warn(r->lg, relay_session_who(s, who), "channel_denied",
		 "number=0x%x allow_with=rfc5766-channel-numbers note=\"RFC 8656 ends at 0x4fff; said once\"", number);
}

/* Who bans addresses for these lines needs one of each guesser, and none that a forged source brought
 * about: these have no share in the ration. */
static bool worth_a_line(struct relay *r, bool proven)
{
	bool seldom = log_seldom(&r->n_rejects);

	return proven ? bucket_take(&r->rejects, 1, REJECTS_PER_S, REJECTS_PER_S, r->env.now) : seldom;
}

static void tell_rejected(struct relay *r, const struct turn_tx *tx)
{
	bool proven = tx->who.own_nonce || tx->tuple.transport != TURN_UDP;
	char client[ADDR_TEXT_LEN], user[96];

	if (tx->who.why < AUTH_WHY_UNKNOWN_USER || tx->who.why > AUTH_WHY_INTEGRITY ||
	    !worth_a_line(r, proven))
		return;
	log_info(r->lg, NULL, "auth_reject",
		 "client=%s user=%s method=%s code=%u address=%s reason=%s n=%llu",
		 relay_addr_print(r, &tx->tuple.client, client),
		 log_quote(tx->who.username, user, sizeof user),
		 stun_method_name(tx->req->method), tx->code, proven ? "proven" : "claimed",
		 auth_why_text(tx->who.why), r->n_rejects);
}

static void tell_request(struct relay *r, const struct relay_session *s,
			 const struct turn_tx *tx)
{
	char who[RELAY_WHO_LEN], peer[ADDR_TEXT_LEN] = "none";

	if (!r->shared->conf->verbose || tx->req->method == STUN_BINDING || !tx->session ||
	    !stun_method_name(tx->req->method))
		return;
	if (stun_has(tx->req, STUN_A_XOR_PEER_ADDRESS))
		relay_addr_print(r, &tx->req->peer, peer);
	log_debug(r->lg, relay_session_who(s, who), "request",
		  "method=%s code=%u peer=%s channel=%u", stun_method_name(tx->req->method),
		  tx->code, peer, tx->req->channel);
}

_Static_assert((int)TURN_ANSWER_MAX <= (int)NET_FAN_HEAD, "an answer finds room");

/* It leaves with what else there is for clients in this loop turn. */
static void answer_by_datagram(struct relay *r, const struct relay_listener *via,
			       const struct turn_tuple *tuple, const struct wr *out)
{
	const struct net_fan_way way = { via->fd, &tuple->client,
					 addr_is_any(&via->at) ? &tuple->server : NULL,
					 { 0 } };
	const struct str none = { "", 0 };

	net_fan_add(r->fan, &way, (struct str){ (const char *)out->start, wr_len(out) }, none,
		    NULL);
}

static void send_answer(struct relay *r, const struct relay_path *path,
			const struct turn_tuple *tuple, const struct wr *out)
{
	const struct iovec iov = { out->start, wr_len(out) };

	if (path->dtls) { /* counted as it is sent */
		relay_dtls_send(path->dtls, &iov, 1, (struct net_mark){ 0 },
				(struct relay_tally){ NULL, false, 0 });
		relay_forward_flush(r);
		return;
	}
	if (!path->conn) {
		answer_by_datagram(r, path->via, tuple, out);
		return;
	}
	net_burst_add(&r->burst, relay_conn_stream(path->conn), &iov, 1, true, r->env.now);
	net_burst_flush(&r->burst, r->env.now);
	count(&r->cnt, tx_client_packets);
	count_n(&r->cnt, tx_client_bytes, iov.iov_len);
}

void relay_request_tell(struct relay *r, struct relay_session *s, const struct wr *out)
{
	send_answer(r, &s->path, &s->turn.tuple, out);
}

/* A request on its way, for the first time or again. */
struct attempt {
	const struct relay_path *path;
	struct turn_tx tx;
	struct wr out;
	struct relay_parked *parked;	  /* it has waited; NULL: it is here for the first time */
	const struct relay_answer *lease; /* the answer for the lease that it waited for, or NULL */
};

/* Room to wait in: as much as it had before, or a copy. */
static struct relay_parked *park(struct relay *r, struct attempt *a)
{
	struct relay_parked *p =
		a->parked ? a->parked : relay_park_copy(r, a->path, &a->tx);

	if (!p)
		count(&r->cnt, park_full);
	return p;
}

/* What is asked for it did not fit: it will not wait. */
static enum turn_verdict not_parked(struct relay *r, struct attempt *a, struct relay_parked *p,
				    unsigned code)
{
	if (p && p->ticket)
		relay_park_wake(r, p);
	if (p != a->parked)
		relay_park_drop(r, p);
	return turn_reply_error(&r->env, &a->tx, code, &a->out);
}

static enum turn_verdict wait_for_key(struct relay *r, struct attempt *a)
{
	struct relay_parked *p = park(r, a);
	struct relay_ask q = { .kind = RELAY_ASK_KEY,
			       .realm = a->tx.realm,
			       .user = a->tx.req->username };

	if (p)
		q.ticket = relay_park_wait(r, p, RELAY_ASK_KEY);
	if (!p || !r->asker.ask(r->asker.arg, &q))
		return not_parked(r, a, p, 500);
	count(&r->cnt, park_key);
	return TURN_DROP;
}

static enum turn_verdict wait_for_lease(struct relay *r, struct attempt *a)
{
	struct relay_parked *p = park(r, a);
	uint64_t ticket = 0;

	if (p) {
		p->session_id = relay_session_next(r);
		ticket = relay_park_wait(r, p, RELAY_ASK_LEASE);
	}
	if (!p || !relay_lease_ask(r, ticket, p->session_id, &a->tx))
		return not_parked(r, a, p, 508);
	count(&r->cnt, park_lease);
	return TURN_DROP;
}

static enum turn_verdict allocate(struct relay *r, struct attempt *a)
{
	struct relay_grant grant;
	unsigned code;

	if (!a->lease && relay_lease_is_due(r, &a->tx))
		return wait_for_lease(r, a);
	relay_lease_judge(r, &a->tx, a->lease, &grant);
	if (a->lease) {
		grant.has_id = true;
		grant.id = a->parked->session_id;
		a->lease = NULL; /* it is the session's, or has been given back */
	}
	code = relay_session_open(r, a->path, &a->tx, &grant);
	if (!code)
		relay_observe_setup(r, &a->tx);
	return code ? turn_alloc_fail(&r->env, &a->tx, code, &a->out)
		    : turn_alloc_done(&r->env, &a->tx, &a->out);
}

/* For those who keep account: it was granted. */
static void note(struct relay *r, const struct turn_tx *tx)
{
	if (tx->req->method == STUN_REFRESH)
		relay_event_refreshed(r, relay_session_of(tx->session), tx->want.lifetime_s);
	else
		relay_record_peers(relay_session_of(tx->session), tx->req);
}

static void handle(struct relay *r, struct attempt *a)
{
	struct turn_tx *tx = &a->tx;
	struct relay_session *s = tx->session ? relay_session_of(tx->session) : NULL;
	enum turn_verdict v;
	bool granted;

	r->env.auth.wall_s = tick_wall_s();
	v = turn_server_request(&r->env, tx, &a->out);
	granted = v == TURN_REPLY || v == TURN_WANT_CONNECT;
	if (v == TURN_WANT_KEY)
		v = wait_for_key(r, a);
	if (v == TURN_WANT_RELAY)
		v = allocate(r, a);
	if (v == TURN_WANT_CONNECT) {
		unsigned code = relay_splice_connect(r, s, tx);

		v = code ? turn_reply_error(&r->env, tx, code, &a->out) : TURN_DROP;
	}
	tell_rejected(r, tx);
	tell_denied(r, s, tx);
	tell_channel(r, s, tx);
	tell_request(r, tx->session ? relay_session_of(tx->session) : NULL, tx);
	if (granted && !tx->code && tx->session)
		note(r, tx);
	if (v == TURN_REPLY)
		send_answer(r, a->path, &tx->tuple, &a->out);
	if (tx->bound)
		relay_conn_bind(a->path->conn, tx->bound);
	turn_tx_fini(tx);
}

void relay_request(struct relay *r, const struct relay_path *path,
		   const struct turn_tuple *tuple, struct relay_session *s,
		   const struct stun_msg *msg)
{
	uint8_t buf[TURN_ANSWER_MAX];
	struct attempt a = { .path = path,
			     .tx = { .req = msg,
				     .tuple = *tuple,
				     .session = s ? &s->turn : NULL },
			     .out = wr_init(buf, sizeof buf) };
	unsigned owner;

	if (path->conn && !s && relay_handoff_is_due(r, msg, &owner) &&
	    relay_conn_move(path->conn, owner))
		return;
	if (relay_park_has(r, tuple, msg->txid)) { /* sent again while the first one waits */
		count(&r->cnt, park_joined);
		return;
	}
	handle(r, &a);
}

bool relay_request_classic(struct relay *r, const struct relay_path *path, const struct turn_tuple *tuple,
			   const uint8_t *p, size_t len)
{
	uint8_t renewed[STUN_CLASSIC_MAX], buf[TURN_ANSWER_MAX];
	struct stun_msg msg;
	struct turn_tx tx = { .req = &msg, .tuple = *tuple, .classic = true };
	struct wr out = wr_init(buf, sizeof buf);

	if (!r->shared->conf->rfc3489_compatibility || tuple->transport != TURN_UDP ||
	    !stun_classic_renew(p, len, renewed) || stun_decode(renewed, len, &msg))
		return false;
	if (turn_server_request(&r->env, &tx, &out) == TURN_REPLY) {
		stun_classic_restore(p, &out);
		send_answer(r, path, tuple, &out);
	}
	turn_tx_fini(&tx);
	return true;
}

void relay_request_again(struct relay *r, struct relay_parked *p, const struct relay_answer *a)
{
	struct relay_session *s = relay_table_find(&r->table, &p->tuple);
	const struct relay_path path = p->path;
	uint8_t buf[TURN_ANSWER_MAX];
	struct stun_msg msg;
	struct attempt again = { .path = &path,
				 .tx = { .req = &msg,
					 .tuple = p->tuple,
					 .session = s ? &s->turn : NULL,
					 .given = p->is_given ? &p->given : NULL,
					 .again = a->kind == RELAY_ASK_LEASE },
				 .out = wr_init(buf, sizeof buf),
				 .parked = p,
				 .lease = a->kind == RELAY_ASK_LEASE ? a : NULL };

	if (!stun_decode(p->bytes, p->len, &msg))
		handle(r, &again);
	if (again.lease && a->counted) /* it came to something else, or to nothing */
		relay_lease_release(r, a->realm, a->user, a->id);
	if (!p->ticket) /* it does not wait once more */
		relay_park_drop(r, p);
	if (path.conn)
		relay_conn_resumed(path.conn);
	else if (path.dtls)
		relay_dtls_resumed(path.dtls);
}

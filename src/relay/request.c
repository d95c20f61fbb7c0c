#include "relay/conn.h"
#include "relay/dtls.h"
#include "relay/handoff.h"
#include "relay/relay.h"
#include "relay/splice.h"
#include "turn/alloc.h"
#include "turn/reply.h"

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
		 addr_print(&tx->denied, peer), turn_policy_text(tx->policy),
		 turn_policy_option(tx->policy));
}

static void tell_rejected(struct relay *r, const struct turn_tx *tx)
{
	char client[ADDR_TEXT_LEN], user[96];

	if (tx->who.why < AUTH_WHY_UNKNOWN_USER || tx->who.why > AUTH_WHY_INTEGRITY ||
	    !log_seldom(&r->n_rejects))
		return;
	log_info(r->lg, NULL, "auth_reject",
		 "client=%s user=%s method=%s code=%u reason=%s n=%llu",
		 addr_print(&tx->tuple.client, client),
		 log_quote(tx->who.username, user, sizeof user),
		 stun_method_name(tx->req->method), tx->code, auth_why_text(tx->who.why),
		 r->n_rejects);
}

static void tell_request(struct relay *r, const struct relay_session *s,
			 const struct turn_tx *tx)
{
	char who[RELAY_WHO_LEN], peer[ADDR_TEXT_LEN] = "none";

	if (!r->shared->conf->verbose || tx->req->method == STUN_BINDING || !tx->session ||
	    !stun_method_name(tx->req->method))
		return;
	if (stun_has(tx->req, STUN_A_XOR_PEER_ADDRESS))
		addr_print(&tx->req->peer, peer);
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
					 addr_is_any(&via->at) ? &tuple->server : NULL, 0 };
	const struct str none = { "", 0 };

	net_fan_add(r->fan, &way, (struct str){ (const char *)out->start, wr_len(out) }, none,
		    NULL);
}

static void send_answer(struct relay *r, const struct relay_path *path,
			const struct turn_tuple *tuple, const struct wr *out)
{
	const struct iovec iov = { out->start, wr_len(out) };

	if (path->dtls) { /* counted as it is sent */
		relay_dtls_send(path->dtls, &iov, 1, 0, (struct relay_tally){ NULL, false, 0 });
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

void relay_request(struct relay *r, const struct relay_path *path,
		   const struct turn_tuple *tuple, struct relay_session *s,
		   const struct stun_msg *msg)
{
	struct turn_tx tx = { .req = msg, .tuple = *tuple, .session = s ? &s->turn : NULL };
	uint8_t buf[TURN_ANSWER_MAX];
	struct wr out = wr_init(buf, sizeof buf);
	enum turn_verdict v;
	unsigned owner;

	if (path->conn && !s && relay_handoff_is_due(r, msg, &owner) &&
	    relay_conn_move(path->conn, owner))
		return;
	r->env.auth.wall_s = tick_wall_s();
	v = turn_server_request(&r->env, &tx, &out);
	if (v == TURN_WANT_RELAY) {
		unsigned code = relay_session_open(r, path, &tx);

		v = code ? turn_alloc_fail(&r->env, &tx, code, &out)
			 : turn_alloc_done(&r->env, &tx, &out);
	}
	if (v == TURN_WANT_CONNECT) {
		unsigned code = relay_splice_connect(r, s, &tx);

		v = code ? turn_reply_error(&r->env, &tx, code, &out) : TURN_DROP;
	}
	tell_rejected(r, &tx);
	tell_denied(r, s, &tx);
	tell_request(r, tx.session ? relay_session_of(tx.session) : NULL, &tx);
	if (v == TURN_REPLY)
		send_answer(r, path, tuple, &out);
	if (tx.bound)
		relay_conn_bind(path->conn, tx.bound);
	turn_tx_fini(&tx);
}

#include "turn/tcp.h"

#include <string.h>

#include "turn/policy.h"
#include "turn/reply.h"
#include "turn/route.h"

static uint64_t id_hash(uint32_t id)
{
	return id * UINT64_C(0x9E3779B97F4A7C15) >> 32;
}

static struct turn_tcp *by_id(const struct turn_env *env, uint32_t id)
{
	struct hnode *n = hmap_find(&env->pools->tcps, id_hash(id));

	for (; n; n = hmap_same(n)) {
		struct turn_tcp *c = container_of(n, struct turn_tcp, by_id);

		if (c->id == id)
			return c;
	}
	return NULL;
}

static bool has_peer(const struct turn_env *env, const struct turn_session *s,
		     const struct addr *peer)
{
	struct hnode *n = hmap_find(&s->tcps, addr_hash(env->hash_key, peer));

	for (; n; n = hmap_same(n))
		if (addr_eq(&container_of(n, struct turn_tcp, by_peer)->peer, peer))
			return true;
	return false;
}

void turn_tcp_forget(struct turn_env *env, struct turn_tcp *c)
{
	wheel_cancel(env->wheel, &c->timer);
	hmap_remove(&c->session->tcps, &c->by_peer);
	if (c->state != TURN_TCP_CONNECTING)
		hmap_remove(&env->pools->tcps, &c->by_id);
}

static void on_timeout(struct wheel_timer *t, tick now, void *arg)
{
	struct turn_tcp *c = container_of(t, struct turn_tcp, timer);
	struct turn_env *env = arg;

	(void)now;
	turn_tcp_forget(env, c);
	env->tcp_ended(env->arg, c,
		       c->state == TURN_TCP_CONNECTING ? TURN_TCP_NO_ANSWER
						       : TURN_TCP_NOT_BOUND);
}

void turn_tcp_drop_family(struct turn_env *env, struct turn_session *s, enum turn_leg_id leg)
{
	struct hnode *next, *n = hmap_take_all(&s->tcps);

	for (; n; n = next) {
		struct turn_tcp *c = container_of(n, struct turn_tcp, by_peer);

		next = n->next;
		hmap_insert(&s->tcps, n, n->hash);
		if (turn_leg_of(&c->peer) != leg)
			continue;
		turn_tcp_forget(env, c);
		env->tcp_ended(env->arg, c, TURN_TCP_SESSION);
	}
}

static void wait_until(struct turn_env *env, struct turn_tcp *c, tick until)
{
	c->until = until;
	wheel_arm(env->wheel, &c->timer, until);
}

static void enter(struct turn_env *env, struct turn_session *s, struct turn_tcp *c,
		  const struct addr *peer)
{
	c->session = s;
	c->peer = *peer;
	wheel_timer_init(&c->timer, on_timeout);
	hmap_insert(&s->tcps, &c->by_peer, addr_hash(env->hash_key, peer));
}

/* s.5.2: the id MUST name this connection alone. It comes from the random generator, so that nobody
 * guesses another's, but for its rest by the number of workers: that names the one that owns it. */
static void become_pending(struct turn_env *env, struct turn_tcp *c)
{
	uint32_t n = env->auth.conf->n_workers;

	do {
		c->id = rng_u32(env->auth.rng);
		c->id += env->index - c->id % n;
	} while (c->id % n != env->index || by_id(env, c->id)); /* the sum may pass 2^32 */
	c->state = TURN_TCP_PENDING;
	hmap_insert(&env->pools->tcps, &c->by_id, id_hash(c->id));
	wait_until(env, c, env->now + SEC(TURN_BIND_S));
}

/* --- Connect --- */

enum turn_verdict turn_tcp_connect(struct turn_env *env, struct turn_tx *tx, struct wr *out)
{
	const struct stun_msg *req = tx->req;
	struct turn_session *s = tx->session;

	if (!s->tcp) /* what connects is a TCP allocation; the same answer as coturn's */
		return turn_reply_error(env, tx, 403, out);
	if (!stun_has(req, STUN_A_XOR_PEER_ADDRESS) || req->bad & STUN_BIT(XOR_PEER_ADDRESS) ||
	    !req->peer.port)
		return turn_reply_error(env, tx, 400, out);
	if (has_peer(env, s, &req->peer)) /* s.5.2: in progress, pending or active */
		return turn_reply_error(env, tx, 446, out);
	if (!turn_session_has(s, turn_leg_of(&req->peer), env->now))
		return turn_reply_error(env, tx, 443, out);
	enum turn_policy verdict = turn_policy_connect(env->auth.conf, env->auth.live, s->realm, &req->peer);
	if (turn_policy_denies(verdict)) {
		turn_tx_denied(tx, &req->peer, verdict);
		return turn_reply_error(env, tx, 403, out);
	}
	if (s->tcps.n >= TURN_MAX_TCP)
		return turn_reply_error(env, tx, 508, out);
	tx->connect_to = turn_policy_inward(env->auth.conf, &req->peer);
	tx->connect_own = verdict == TURN_POLICY_OWN;
	return TURN_WANT_CONNECT;
}

void turn_tcp_begin(struct turn_env *env, struct turn_tx *tx, struct turn_tcp *c)
{
	c->state = TURN_TCP_CONNECTING;
	c->mirrored = tx->req->present & TURN_REPLY_MIRRORED;
	memcpy(c->txid, tx->req->txid, sizeof c->txid);
	enter(env, tx->session, c, &tx->req->peer);
	wait_until(env, c, env->now + SEC(TURN_CONNECT_S));
}

/* The answer comes long after the request: as much of that as answers are made from. */
static struct turn_tx remembered(const struct turn_tcp *c, struct stun_msg *req)
{
	struct turn_session *s = c->session;
	struct turn_tx tx = { .req = req, .tuple = s->tuple, .session = s, .accepted = true };

	*req = (struct stun_msg){ .class = STUN_REQUEST, .method = STUN_CONNECT };
	req->present = c->mirrored;
	memcpy(req->txid, c->txid, sizeof c->txid);
	tx.who.has_key = s->has_key;
	tx.who.key_len = s->key_len;
	memcpy(tx.who.key, s->key, sizeof tx.who.key);
	return tx;
}

enum turn_verdict turn_tcp_connected(struct turn_env *env, struct turn_tcp *c, struct wr *out)
{
	struct stun_msg req;
	struct turn_tx tx = remembered(c, &req);
	enum turn_verdict v;

	become_pending(env, c);
	turn_reply_begin(&tx, STUN_SUCCESS, out);
	stun_add_u32(out, STUN_T_CONNECTION_ID, c->id);
	v = turn_reply_finish(env, &tx, out);
	turn_tx_fini(&tx);
	return v;
}

enum turn_verdict turn_tcp_failed(struct turn_env *env, const struct turn_tcp *c, unsigned code,
				  struct wr *out)
{
	struct stun_msg req;
	struct turn_tx tx = remembered(c, &req);
	enum turn_verdict v = turn_reply_error(env, &tx, code, out);

	turn_tx_fini(&tx);
	return v;
}

/* --- connections from peers --- */

bool turn_tcp_incoming(struct turn_env *env, struct turn_session *s, struct turn_tcp *c,
		       const struct addr *from, struct wr *out)
{
	uint8_t txid[STUN_TXID_LEN];
	struct addr peer;
	uint16_t channel;

	/* s.5.3: without a permission it MUST be closed */
	if (turn_route_peer(env, s, from, &channel, &peer) != TURN_ROUTE_OK ||
	    s->tcps.n >= TURN_MAX_TCP)
		return false;
	enter(env, s, c, &peer);
	become_pending(env, c);
	rng_bytes(env->auth.rng, txid, sizeof txid);
	stun_begin(out, STUN_INDICATION, STUN_CONNECTION_ATTEMPT, txid);
	stun_add_u32(out, STUN_T_CONNECTION_ID, c->id);
	stun_add_xor_addr(out, STUN_T_XOR_PEER_ADDRESS, &peer);
	if (env->auth.conf->fingerprint)
		stun_add_fingerprint(out);
	return true;
}

/* --- ConnectionBind --- */

struct turn_tcp *turn_tcp_find(const struct turn_env *env, const struct stun_msg *req)
{
	struct turn_tcp *c;

	if (!stun_has(req, STUN_A_CONNECTION_ID) || req->bad & STUN_BIT(CONNECTION_ID))
		return NULL;
	c = by_id(env, req->connection_id);
	/* exact, whatever the wheel has got round to */
	if (!c || c->state != TURN_TCP_PENDING || !tick_before(env->now, c->until) ||
	    !turn_session_has(c->session, turn_leg_of(&c->peer), env->now))
		return NULL;
	return c;
}

enum turn_verdict turn_tcp_bind(struct turn_env *env, struct turn_tx *tx, struct wr *out)
{
	bool stream = tx->tuple.transport == TURN_TCP || tx->tuple.transport == TURN_TLS;
	struct turn_tcp *c = turn_tcp_find(env, tx->req);
	enum turn_verdict v;

	/* s.5.4; and a control connection cannot become a data connection, s.4.3 */
	if (!stream || tx->session || !c)
		return turn_reply_error(env, tx, 400, out);
	/* s.4.3, s.4.4: the same credentials as for the control connection */
	if (c->session->has_key && !str_eq(c->session->username, tx->who.username))
		return turn_reply_error(env, tx, 441, out);
	turn_reply_begin(tx, STUN_SUCCESS, out);
	v = turn_reply_finish(env, tx, out);
	if (v != TURN_REPLY)
		return v;
	wheel_cancel(env->wheel, &c->timer);
	c->state = TURN_TCP_BOUND;
	tx->bound = c;
	return v;
}

#include "turn/chan.h"

#include "stun/chan.h"
#include "turn/perm.h"
#include "turn/reply.h"
#include "turn/route.h"

static void destroy(struct turn_env *env, struct turn_chan *c)
{
	struct turn_perm *perm = c->perm;
	struct turn_session *s = perm->session;

	wheel_cancel(env->wheel, &c->timer);
	hmap_remove(&s->chans, &c->by_number);
	hmap_remove(&s->peers, &c->by_peer);
	slab_free(&env->pools->chans, c);
	turn_perm_unref(env, perm);
}

static void on_expiry(struct wheel_timer *t, tick now, void *arg)
{
	(void)now;
	destroy(arg, container_of(t, struct turn_chan, timer));
}

void turn_chan_drop_family(struct turn_env *env, struct turn_session *s, enum turn_leg_id leg)
{
	struct hnode *next, *n = hmap_take_all(&s->chans);

	for (; n; n = next) {
		struct turn_chan *c = container_of(n, struct turn_chan, by_number);

		next = n->next;
		hmap_insert(&s->chans, n, n->hash);
		if (turn_leg_of(&c->peer) == leg)
			destroy(env, c);
	}
}

/* A binding whose time is over is none, though the wheel may not have come by yet. */
static struct turn_chan *alive(struct turn_env *env, struct turn_chan *c)
{
	if (c && !tick_before(env->now, c->expires)) {
		destroy(env, c);
		return NULL;
	}
	return c;
}

/* Fills in a channel that is not there yet, in the memory of `c`. */
static void install(struct turn_env *env, struct turn_session *s, const struct stun_msg *req,
		    struct turn_perm *perm, struct turn_chan *c)
{
	c->number = req->channel;
	c->peer = req->peer;
	c->to = turn_policy_inward(env->auth.conf, &req->peer);
	c->perm = perm;
	turn_perm_ref(perm);
	wheel_timer_init(&c->timer, on_expiry);
	hmap_insert(&s->chans, &c->by_number, turn_route_number_hash(c->number));
	hmap_insert(&s->peers, &c->by_peer, addr_hash(env->hash_key, &c->peer));
}

static bool in_range(const struct turn_env *env, uint16_t number)
{
	uint16_t max =
		env->auth.conf->rfc5766_channel_numbers ? STUN_CHAN_MAX_5766 : STUN_CHAN_MAX;

	return number >= STUN_CHAN_MIN && number <= max;
}

enum turn_verdict turn_chan_bind(struct turn_env *env, struct turn_tx *tx, struct wr *out)
{
	const uint64_t needed = STUN_BIT(CHANNEL_NUMBER) | STUN_BIT(XOR_PEER_ADDRESS);
	const struct stun_msg *req = tx->req;
	struct turn_session *s = tx->session;
	struct turn_chan *c, *of_peer;

	if ((req->present & needed) != needed || req->bad & needed ||
	    !in_range(env, req->channel))
		return turn_reply_error(env, tx, 400, out);
	if (s->tcp) /* RFC 6062 has no channels; the same answer as coturn's */
		return turn_reply_error(env, tx, 403, out);
	c = alive(env, turn_route_by_number(s, req->channel));
	of_peer = alive(env, turn_route_by_peer(env, s, &req->peer));
	if (c != of_peer) /* the number has another peer, or the peer another number */
		return turn_reply_error(env, tx, 400, out);
	if (!turn_session_has(s, turn_leg_of(&req->peer), env->now))
		return turn_reply_error(env, tx, 443, out);
	enum turn_policy verdict = turn_policy_peer(env->auth.conf, env->auth.live, s->realm, &req->peer);
	if (turn_policy_denies(verdict)) {
		turn_tx_denied(tx, &req->peer, verdict);
		return turn_reply_error(env, tx, 403, out);
	}

	/* s.12.2: the binding installs or refreshes the permission too; both or none */
	struct turn_chan *fresh = c ? NULL : slab_alloc(&env->pools->chans);
	struct turn_perm *perm =
		c || fresh ? turn_perm_grant(env, s, &req->peer, verdict == TURN_POLICY_OWN)
			   : NULL;
	if (!perm) {
		slab_free(&env->pools->chans, fresh);
		return turn_reply_error(env, tx, 508, out);
	}
	if (fresh) {
		install(env, s, req, perm, fresh);
		c = fresh;
	}
	c->expires = env->now + SEC((tick)env->auth.conf->channel_lifetime);
	wheel_arm(env->wheel, &c->timer, c->expires);
	turn_reply_begin(tx, STUN_SUCCESS, out);
	return turn_reply_finish(env, tx, out);
}

#include "turn/route.h"

#include "turn/perm.h"
#include "turn/policy.h"
#include "turn/reply.h"

struct turn_chan *turn_route_by_number(const struct turn_session *s, uint16_t number)
{
	struct hnode *n = hmap_find(&s->chans, turn_route_number_hash(number));

	for (; n; n = hmap_same(n)) {
		struct turn_chan *c = container_of(n, struct turn_chan, by_number);

		if (c->number == number)
			return c;
	}
	return NULL;
}

struct turn_chan *turn_route_by_peer(const struct turn_env *env, const struct turn_session *s,
				     const struct addr *peer)
{
	struct hnode *n = hmap_find(&s->peers, addr_hash(env->hash_key, peer));

	for (; n; n = hmap_same(n)) {
		struct turn_chan *c = container_of(n, struct turn_chan, by_peer);

		if (addr_eq(&c->peer, peer))
			return c;
	}
	return NULL;
}

enum turn_route turn_route_channel(const struct turn_session *s, uint16_t number, tick now,
				   struct turn_to_peer *out)
{
	const struct turn_chan *c = turn_route_by_number(s, number);

	if (!c || !tick_before(now, c->expires))
		return TURN_ROUTE_NO_CHANNEL;
	/* s.9: a channel lives 600 s, its permission 300 s, so that a live channel alone proves
	 * nothing */
	if (!turn_perm_alive(c->perm, now))
		return TURN_ROUTE_NO_PERMISSION;
	if (!turn_session_has(s, turn_leg_of(&c->peer), now))
		return TURN_ROUTE_NO_FAMILY;
	out->to = c->to;
	out->own = c->perm->own;
	out->dont_fragment = false;
	return TURN_ROUTE_OK;
}

enum turn_route turn_route_send(const struct turn_env *env, const struct turn_session *s,
				const struct stun_msg *ind, struct turn_to_peer *out)
{
	const uint64_t needed = STUN_BIT(XOR_PEER_ADDRESS) | STUN_BIT(DATA);
	const struct turn_perm *p;

	/* s.11.2; unknown attributes that would have to be understood: RFC 8489 s.6.3.2 */
	if (s->tcp || (ind->present & needed) != needed ||
	    ind->bad & (needed | STUN_BIT(DONT_FRAGMENT)) ||
	    turn_reply_is_unknown(env, ind))
		return TURN_ROUTE_INVALID;
	if (!turn_session_has(s, turn_leg_of(&ind->peer), env->now))
		return TURN_ROUTE_NO_FAMILY;
	p = turn_perm_find(env, s, &ind->peer);
	if (!p || !turn_perm_alive(p, env->now))
		return TURN_ROUTE_NO_PERMISSION;
	out->to = turn_policy_inward(env->auth.conf, &ind->peer);
	out->own = p->own;
	out->dont_fragment = stun_has(ind, STUN_A_DONT_FRAGMENT);
	out->data = ind->data;
	return TURN_ROUTE_OK;
}

/* Is data from `peer`, by this name of its, permitted, and on which channel? */
static bool permitted(const struct turn_env *env, const struct turn_session *s,
		      const struct addr *peer, uint16_t *channel)
{
	const struct turn_chan *c = turn_route_by_peer(env, s, peer);
	const struct turn_perm *p = c ? c->perm : turn_perm_find(env, s, peer);

	if (!p || !turn_perm_alive(p, env->now))
		return false;
	*channel = c && tick_before(env->now, c->expires) ? c->number : 0;
	return true;
}

enum turn_route turn_route_peer(const struct turn_env *env, const struct turn_session *s,
				const struct addr *from, uint16_t *channel, struct addr *peer)
{
	struct addr outer = turn_policy_outward(env->auth.conf, from);

	if (!turn_session_has(s, turn_leg_of(from), env->now))
		return TURN_ROUTE_NO_FAMILY;
	/* Another client of this relay sends from its inner address; here it is known by the one it
	 * was told, unless the client named the inner one itself. */
	if (permitted(env, s, &outer, channel)) {
		*peer = outer;
		return TURN_ROUTE_OK;
	}
	if (addr_eq(&outer, from) || !permitted(env, s, from, channel))
		return TURN_ROUTE_NO_PERMISSION;
	*peer = *from;
	return TURN_ROUTE_OK;
}

size_t turn_route_data_header(const struct addr *peer, size_t len, struct rng *rng,
			      uint8_t *buf)
{
	struct wr w = wr_init(buf, TURN_DATA_HEADER_V6);
	uint8_t txid[STUN_TXID_LEN];
	size_t body;

	rng_bytes(rng, txid, sizeof txid);
	stun_begin(&w, STUN_INDICATION, STUN_DATA, txid);
	stun_add_xor_addr(&w, STUN_T_XOR_PEER_ADDRESS, peer);
	wr_u16(&w, STUN_T_DATA);
	wr_u16(&w, (uint16_t)len);
	body = wr_len(&w) - STUN_HEADER_LEN + (len + 3) / 4 * 4;
	/* cut to 16 bits the length would let a peer say where a stream's next message begins */
	if (body > UINT16_MAX)
		return 0;
	wr_patch16(&w, 2, (uint16_t)body);
	return wr_len(&w);
}

bool turn_route_icmp(const struct turn_env *env, const struct turn_session *s,
		     const struct addr *to, uint8_t type, uint8_t code, uint32_t data,
		     struct wr *out)
{
	uint8_t txid[STUN_TXID_LEN];
	struct addr peer;
	uint16_t channel;

	/* s.11.5: the permission is asked for the address that was sent to */
	if (turn_route_peer(env, s, to, &channel, &peer) != TURN_ROUTE_OK)
		return false;
	rng_bytes(env->auth.rng, txid, sizeof txid);
	stun_begin(out, STUN_INDICATION, STUN_DATA, txid);
	stun_add_xor_addr(out, STUN_T_XOR_PEER_ADDRESS, &peer);
	stun_add_icmp(out, type, code, data);
	return !out->bad;
}

#include "turn/perm.h"

#include "turn/policy.h"
#include "turn/reply.h"

struct turn_perm *turn_perm_find(const struct turn_env *env, const struct turn_session *s,
				 const struct addr *peer)
{
	struct hnode *n = hmap_find(&s->perms, addr_ip_hash(env->hash_key, peer));

	for (; n; n = hmap_same(n)) {
		struct turn_perm *p = container_of(n, struct turn_perm, node);

		if (addr_ip_eq(&p->ip, peer))
			return p;
	}
	return NULL;
}

static void destroy(struct turn_env *env, struct turn_perm *p)
{
	BUG_ON(p->n_chans);
	wheel_cancel(env->wheel, &p->timer);
	hmap_remove(&p->session->perms, &p->node);
	slab_free(&env->pools->perms, p);
}

/* A channel outlives its permission by up to five minutes; it then finds it expired. */
static void on_expiry(struct wheel_timer *t, tick now, void *arg)
{
	struct turn_perm *p = container_of(t, struct turn_perm, timer);

	(void)now;
	if (!p->n_chans)
		destroy(arg, p);
}

void turn_perm_ref(struct turn_perm *p)
{
	p->n_chans++;
}

void turn_perm_unref(struct turn_env *env, struct turn_perm *p)
{
	p->n_chans--;
	if (!p->n_chans && !turn_perm_alive(p, env->now))
		destroy(env, p);
}

/* A permission that is not there yet, in the memory of `p`. */
static void install(struct turn_env *env, struct turn_session *s, const struct addr *peer,
		    struct turn_perm *p)
{
	p->session = s;
	p->ip = *peer;
	p->ip.port = 0;
	wheel_timer_init(&p->timer, on_expiry);
	hmap_insert(&s->perms, &p->node, addr_hash(env->hash_key, &p->ip));
}

static void refresh(struct turn_env *env, struct turn_perm *p, bool own)
{
	p->own = own;
	p->expires = env->now + SEC((tick)env->auth.conf->permission_lifetime);
	wheel_arm(env->wheel, &p->timer, p->expires);
}

struct turn_perm *turn_perm_grant(struct turn_env *env, struct turn_session *s,
				  const struct addr *peer, bool own)
{
	struct turn_perm *p = turn_perm_find(env, s, peer);

	if (!p) {
		p = s->perms.n < TURN_MAX_PERMS ? slab_alloc(&env->pools->perms) : NULL;
		if (!p)
			return NULL;
		install(env, s, peer, p);
	}
	refresh(env, p, own);
	return p;
}

void turn_perm_drop_family(struct turn_env *env, struct turn_session *s, enum turn_leg_id leg)
{
	struct hnode *next, *n = hmap_take_all(&s->perms);

	for (; n; n = next) {
		struct turn_perm *p = container_of(n, struct turn_perm, node);

		next = n->next;
		hmap_insert(&s->perms, n, n->hash);
		if (turn_leg_of(&p->ip) == leg)
			destroy(env, p);
	}
}

/* RFC 8656 s.10.2: all of the peers must be good before any is granted. */
static unsigned judge_peers(const struct turn_env *env, struct turn_tx *tx, unsigned *n_new)
{
	unsigned code = 0, n = 0;
	struct addr peer;
	size_t off = 0;

	*n_new = 0;
	while (stun_peer_next(tx->req, &off, &peer)) {
		n++;
		if (peer.family == ADDR_NONE)
			return 400;
		if (!turn_session_has(tx->session, turn_leg_of(&peer), env->now)) {
			code = code ? code : 443;
			continue;
		}
		enum turn_policy verdict = turn_policy_peer(env->auth.conf, env->auth.live, tx->session->realm, &peer);
		if (turn_policy_denies(verdict) && !code) {
			turn_tx_denied(tx, &peer, verdict);
			code = 403;
		}
		if (!turn_perm_find(env, tx->session, &peer))
			++*n_new;
	}
	return n ? code : 400;
}

static void give_back(struct turn_env *env, struct hnode *chain)
{
	while (chain) {
		struct turn_perm *p = container_of(chain, struct turn_perm, node);

		chain = chain->next;
		slab_free(&env->pools->perms, p);
	}
}

/* Memory for n permissions, chained, so that granting them cannot fail halfway. */
static bool take_memory(struct turn_env *env, unsigned n, struct hnode **chain)
{
	*chain = NULL;
	while (n--) {
		struct turn_perm *p = slab_alloc(&env->pools->perms);

		if (!p) {
			give_back(env, *chain);
			return false;
		}
		p->node.next = *chain;
		*chain = &p->node;
	}
	return true;
}

enum turn_verdict turn_perm_create(struct turn_env *env, struct turn_tx *tx, struct wr *out)
{
	struct turn_session *s = tx->session;
	unsigned n_new, code = judge_peers(env, tx, &n_new);
	struct hnode *chain;
	struct addr peer;
	size_t off = 0;

	if (code)
		return turn_reply_error(env, tx, code, out);
	if (n_new > TURN_MAX_PERMS - s->perms.n || !take_memory(env, n_new, &chain))
		return turn_reply_error(env, tx, 508, out);
	while (stun_peer_next(tx->req, &off, &peer)) {
		struct turn_perm *p = turn_perm_find(env, s, &peer);

		if (!p) {
			p = container_of(chain, struct turn_perm, node);
			chain = chain->next;
			install(env, s, &peer, p);
		}
		refresh(env, p, turn_policy_peer(env->auth.conf, env->auth.live, s->realm, &peer) == TURN_POLICY_OWN);
	}
	give_back(env, chain); /* a peer that stood there twice */
	turn_reply_begin(tx, STUN_SUCCESS, out);
	return turn_reply_finish(env, tx, out);
}

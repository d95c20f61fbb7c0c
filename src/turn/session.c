#include "turn/session.h"

#include <stdlib.h>
#include <string.h>

#include "turn/chan.h"
#include "turn/perm.h"
#include "turn/tcp.h"

const char *turn_end_text(enum turn_end e)
{
	static const char *const text[N_TURN_END] = {
		[TURN_END_DELETED] = "deleted", [TURN_END_EXPIRED] = "expired",
		[TURN_END_CLOSED] = "closed",	[TURN_END_SHUTDOWN] = "shutdown",
		[TURN_END_REFUSED] = "refused", [TURN_END_QUOTA] = "byte_quota",
		[TURN_END_WITHDRAWN] = "withdrawn", [TURN_END_ADMIN] = "admin",
	};

	return (unsigned)e < N_TURN_END ? text[e] : "unknown";
}

const char *turn_transport_text(enum turn_transport t)
{
	static const char *const text[] = { "udp", "tcp", "tls", "dtls" };

	return (unsigned)t < ARRAY_LEN(text) ? text[t] : "unknown";
}

void turn_pools_init(struct turn_pools *p)
{
	slab_init(&p->perms, sizeof(struct turn_perm));
	slab_init(&p->chans, sizeof(struct turn_chan));
	hmap_init(&p->tcps);
}

void turn_pools_fini(struct turn_pools *p)
{
	slab_fini(&p->perms);
	slab_fini(&p->chans);
	hmap_fini(&p->tcps);
}

/* The timer stands at the earliest expiry of the legs that are live. */
static void rearm(struct turn_env *env, struct turn_session *s)
{
	tick at = 0;

	for (int i = 0; i < TURN_N_LEGS; i++)
		if (s->leg[i].live && (!at || tick_before(s->leg[i].expires, at)))
			at = s->leg[i].expires;
	if (at)
		wheel_arm(env->wheel, &s->timer, at);
	else
		wheel_cancel(env->wheel, &s->timer);
}

bool turn_session_expire(struct turn_env *env, struct turn_session *s)
{
	for (int i = 0; i < TURN_N_LEGS; i++)
		if (s->leg[i].live && !tick_before(env->now, s->leg[i].expires) &&
		    turn_session_close_leg(env, s, (enum turn_leg_id)i, TURN_END_EXPIRED))
			return true;
	return false;
}

static void on_expiry(struct wheel_timer *t, tick now, void *arg)
{
	(void)now;
	turn_session_expire(arg, container_of(t, struct turn_session, timer));
}

void turn_session_limit(struct turn_env *env, struct turn_session *s, uint64_t max_bps)
{
	s->max_bps = max_bps;
	bucket_init(&s->up, turn_session_burst(max_bps), env->now);
	bucket_init(&s->down, turn_session_burst(max_bps), env->now);
}

uint64_t turn_session_origin(const struct turn_env *env, const struct stun_msg *req)
{
	uint64_t d;

	if (!stun_has(req, STUN_A_ORIGIN))
		return 0;
	d = addr_siphash(env->hash_key, req->origin.p, req->origin.len);
	return d ? d : 1;
}

static struct str append(char **at, struct str s)
{
	struct str copy = { *at, s.len };

	if (s.len)
		memcpy(*at, s.p, s.len);
	*at += s.len;
	return copy;
}

static bool is_within(struct str part, struct str whole)
{
	return part.len && part.p >= whole.p && part.p + part.len <= whole.p + whole.len;
}

/* The names of an account in one block: the user name first, its realm where that is not the usual one, and the
 * account's name where it is no part of the user name. */
static enum err set_names(struct turn_session *s, const struct auth_who *who, struct str realm, struct str usual)
{
	struct str user = who->user.len ? who->user : who->username;
	bool within = !user.len || is_within(user, who->username), other = realm.p != usual.p;
	char *block = malloc(who->username.len + 1 + (other ? realm.len : 0) + (within ? 0 : user.len)), *at = block;

	if (!block)
		return ERR_NOMEM;
	s->username = append(&at, who->username);
	s->realm = other ? append(&at, realm) : usual;
	if (!within)
		s->user = append(&at, user);
	else if (user.len)
		s->user = (struct str){ block + (user.p - who->username.p), user.len };
	else
		s->user = s->username;
	return OK;
}

static void set_key(struct turn_session *s, const struct auth_who *who)
{
	s->cred_expires_s = who->expires_s;
	s->is_token = who->is_token;
	s->has_key = who->has_key;
	s->key_len = who->key_len;
	memcpy(s->key, who->key, sizeof s->key);
}

enum err turn_session_renew(struct turn_session *s, const struct auth_who *who)
{
	const struct str before = s->username;
	struct auth_who as = *who;
	enum err e = OK;

	if (!str_eq(before, who->username)) {
		const bool own_realm = s->realm.p >= before.p && s->realm.p <= before.p + before.len;

		as.user = s->user;
		e = set_names(s, &as, s->realm, own_realm ? (struct str){ NULL, 0 } : s->realm);
		if (!e)
			free((char *)before.p);
	}
	if (!e)
		set_key(s, who);
	crypto_wipe(&as, sizeof as);
	return e;
}

enum err turn_session_init(struct turn_env *env, struct turn_session *s,
			   const struct turn_tuple *tuple, const struct auth_who *who,
			   const struct stun_msg *req)
{
	struct str usual = str_of(env->auth.conf->realm);

	if (set_names(s, who, str_eq(who->realm, usual) ? usual : who->realm, usual))
		return ERR_NOMEM;
	s->tuple = *tuple;
	s->secret = who->secret;
	s->origin = turn_session_origin(env, req);
	set_key(s, who);
	memcpy(s->alloc_txid, req->txid, sizeof s->alloc_txid);
	s->tcp = req->transport == TURN_PROTO_TCP;
	s->opened = env->now;
	turn_session_limit(env, s, (uint64_t)env->auth.conf->max_bps);
	hmap_init(&s->chans);
	hmap_init(&s->peers);
	hmap_init(&s->perms);
	hmap_init(&s->tcps);
	wheel_timer_init(&s->timer, on_expiry);
	return OK;
}

void turn_session_add_leg(struct turn_env *env, struct turn_session *s, enum turn_leg_id id,
			  const struct addr *relayed, const struct addr *local,
			  uint32_t lifetime_s)
{
	s->leg[id].relayed = *relayed;
	s->leg[id].local = *local;
	s->leg[id].live = true;
	turn_session_set_lifetime(env, s, id, lifetime_s);
}

void turn_session_set_lifetime(struct turn_env *env, struct turn_session *s,
			       enum turn_leg_id id, uint32_t lifetime_s)
{
	s->leg[id].expires = env->now + SEC(lifetime_s);
	rearm(env, s);
}

/* The relayed address goes before its connections (RFC 6062 s.5.5): whoever sees one of them end finds
 * nobody listening there. */
static void close_leg(struct turn_env *env, struct turn_session *s, enum turn_leg_id id)
{
	if (s->leg[id].live) {
		s->leg[id].live = false;
		env->leg_closed(env->arg, s, id);
	}
	turn_tcp_drop_family(env, s, id);
	turn_chan_drop_family(env, s, id);
	turn_perm_drop_family(env, s, id);
}

bool turn_session_close_leg(struct turn_env *env, struct turn_session *s, enum turn_leg_id id,
			    enum turn_end why)
{
	enum turn_leg_id other = id == TURN_LEG_V4 ? TURN_LEG_V6 : TURN_LEG_V4;

	if (!s->leg[other].live) {
		turn_session_end(env, s, why);
		return true;
	}
	/* RFC 8656 s.8.1: the other family's permissions and channels are not affected */
	close_leg(env, s, id);
	rearm(env, s);
	return false;
}

void turn_session_end(struct turn_env *env, struct turn_session *s, enum turn_end why)
{
	wheel_cancel(env->wheel, &s->timer);
	for (int i = 0; i < TURN_N_LEGS; i++)
		close_leg(env, s, (enum turn_leg_id)i);
	hmap_fini(&s->chans);
	hmap_fini(&s->peers);
	hmap_fini(&s->perms);
	hmap_fini(&s->tcps);
	crypto_wipe(s->key, sizeof s->key);
	env->ended(env->arg, s, why);
	free((char *)s->username.p);
	s->username = s->user = s->realm = (struct str){ NULL, 0 };
}

uint32_t turn_session_left_s(const struct turn_session *s, enum turn_leg_id id, tick now)
{
	if (!turn_session_has(s, id, now))
		return 0;
	return (uint32_t)((s->leg[id].expires - now + 999) / 1000);
}

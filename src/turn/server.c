#include "turn/server.h"

#include "auth/realm.h"
#include "auth/throttle.h"
#include "turn/alloc.h"
#include "turn/binding.h"
#include "turn/chan.h"
#include "turn/perm.h"
#include "turn/reply.h"
#include "turn/tcp.h"

void turn_tx_fini(struct turn_tx *tx)
{
	auth_who_wipe(&tx->who);
}

/* Whose request it is, if it is its owner's: the session of the 5-tuple; a data connection has none yet,
 * but names one (RFC 6062 s.4.3: the same credentials). */
static const struct turn_session *session_of(const struct turn_env *env,
					     const struct turn_tx *tx)
{
	const struct turn_tcp *c;

	if (tx->req->method != STUN_CONNECTION_BIND)
		return tx->session;
	c = turn_tcp_find(env, tx->req);
	return c ? c->session : NULL;
}

/* Who asks? False: *v is the answer. */
static bool authenticate(struct turn_env *env, struct turn_tx *tx, struct wr *out,
			 enum turn_verdict *v)
{
	const struct turn_session *s = session_of(env, tx);
	const struct auth_known known =
		s ? (struct auth_known){ s->username, s->user, s->cred_expires_s, s->secret,
					 s->is_token,
					 { (const char *)s->key, s->key_len } }
		  : (struct auth_known){ 0 };
	enum auth_verdict found;

	/* the realm of a token's account is no matter of its client's */
	tx->realm = s && s->has_key && !s->is_token ? s->realm : auth_realm_pick(&env->auth, tx->req);
	tx->who.realm = env->auth.realm = tx->realm;
	if (env->auth.conf->no_auth)
		return tx->accepted = true;
	env->auth.starved = turn_reply_is_rationed(env, tx) &&
			    !auth_throttle_has(env->auth.throttle, &tx->tuple.client,
					       auth_throttle_share(env->auth.conf), env->now);
	found = auth_check(&env->auth, tx->req, &tx->tuple.client,
			   s && s->has_key ? &known : NULL, tx->given, &tx->who);
	if (found != AUTH_WANT_KEY && found != AUTH_FAIL && !tx->again)
		count(env->cnt, judged[tx->who.why]);
	switch (found) {
	case AUTH_ACCEPT:
		count_n(env->cnt, auth_ok, !tx->again);
		if (env->auth.throttle && !tx->again)
			auth_throttle_give(env->auth.throttle, &tx->tuple.client,
					   auth_throttle_share(env->auth.conf));
		return tx->accepted = true;
	case AUTH_CHALLENGE:
		count(env->cnt, auth_challenge);
		*v = turn_reply_error(env, tx, 401, out);
		return false;
	case AUTH_WANT_KEY:
		*v = TURN_WANT_KEY;
		return false;
	case AUTH_BAD:
		*v = turn_reply_error(env, tx, 400, out);
		return false;
	case AUTH_REJECT:
		count(env->cnt, auth_reject);
		*v = turn_reply_error(env, tx, 401, out);
		return false;
	case AUTH_STALE:
		count(env->cnt, auth_stale);
		*v = turn_reply_error(env, tx, 438, out);
		return false;
	default:
		count(env->cnt, auth_error);
		*v = turn_reply_error(env, tx, 500, out);
		return false;
	}
}

typedef enum turn_verdict handler_fn(struct turn_env *env, struct turn_tx *tx, struct wr *out);

/* A request in an allocation's 5-tuple: there must be one, and it must be this user's. */
static enum turn_verdict in_session(struct turn_env *env, struct turn_tx *tx,
				    handler_fn *handler, struct wr *out)
{
	struct turn_session *s = tx->session;

	if (!s)
		return turn_reply_error(env, tx, 437, out);
	/* RFC 7635 s.9: a new token refreshes what an older one opened, be it sealed with another key */
	if (s->is_token && tx->req->method == STUN_REFRESH && tx->who.is_token &&
	    stun_has(tx->req, STUN_A_ACCESS_TOKEN)) {
		if (turn_session_renew(s, &tx->who))
			return turn_reply_error(env, tx, 508, out);
		return handler(env, tx, out);
	}
	/* RFC 8656 s.5: all requests after the initial Allocate must use the same user name; and a token's, which is
	 * the name of a key, is nobody's who has a password */
	if (s->has_key && (!str_eq(s->username, tx->who.username) || s->is_token != tx->who.is_token))
		return turn_reply_error(env, tx, 441, out);
	if (env->auth.conf->check_origin_consistency && s->origin &&
	    s->origin != turn_session_origin(env, tx->req))
		return turn_reply_error(env, tx, 441, out);
	return handler(env, tx, out);
}

static void count_request(struct turn_env *env, uint16_t method)
{
	switch (method) {
	case STUN_ALLOCATE:
		count(env->cnt, req_allocate);
		break;
	case STUN_REFRESH:
		count(env->cnt, req_refresh);
		break;
	case STUN_CREATE_PERMISSION:
		count(env->cnt, req_permission);
		break;
	case STUN_CHANNEL_BIND:
		count(env->cnt, req_channel);
		break;
	case STUN_CONNECT:
		count(env->cnt, req_connect);
		break;
	case STUN_CONNECTION_BIND:
		count(env->cnt, req_connection_bind);
		break;
	default:
		break;
	}
}

/* Who handles requests in a session. False: nobody knows the method. */
static bool find_handler(uint16_t method, handler_fn **handler)
{
	*handler = NULL;
	switch (method) {
	case STUN_ALLOCATE:
	case STUN_CONNECTION_BIND: /* these need none */
		return true;
	case STUN_REFRESH:
		*handler = turn_alloc_refresh;
		return true;
	case STUN_CREATE_PERMISSION:
		*handler = turn_perm_create;
		return true;
	case STUN_CHANNEL_BIND:
		*handler = turn_chan_bind;
		return true;
	case STUN_CONNECT:
		*handler = turn_tcp_connect;
		return true;
	default:
		return false;
	}
}

static enum turn_verdict turn_method(struct turn_env *env, struct turn_tx *tx, struct wr *out)
{
	enum turn_verdict v = TURN_DROP;
	handler_fn *handler;

	if (!find_handler(tx->req->method, &handler)) {
		count(env->cnt, drop_method); /* RFC 8489 s.6.3: discarded in silence */
		return TURN_DROP;
	}
	if (!tx->again && !tx->given)
		count_request(env, tx->req->method);
	/* an allocation whose time is over is none: 437, and a new one may take its place */
	if (tx->session && turn_session_expire(env, tx->session))
		tx->session = NULL;
	if (!authenticate(env, tx, out, &v))
		return v;
	if (turn_reply_is_unknown(env, tx->req)) /* after authentication: RFC 8489 s.6.3 */
		return turn_reply_unknown(env, tx, out);
	if (tx->req->method == STUN_CONNECTION_BIND)
		return turn_tcp_bind(env, tx, out);
	return handler ? in_session(env, tx, handler, out) : turn_alloc_request(env, tx, out);
}

enum turn_verdict turn_server_request(struct turn_env *env, struct turn_tx *tx, struct wr *out)
{
	const struct stun_msg *req = tx->req;

	if (!stun_fingerprint_ok(req)) {
		count(env->cnt, drop_fingerprint);
		return TURN_DROP;
	}
	/* RFC 8489 s.6.3.2: a Binding indication keeps a NAT's mapping alive and wants nothing */
	if (req->class == STUN_INDICATION && req->method == STUN_BINDING)
		return TURN_DROP;
	if (req->class != STUN_REQUEST) {
		count(env->cnt, drop_method);
		return TURN_DROP;
	}
	if (req->method == STUN_BINDING)
		return turn_binding_request(env, tx, out);
	if (env->auth.conf->stun_only) {
		count(env->cnt, drop_method);
		return TURN_DROP;
	}
	return turn_method(env, tx, out);
}

#include "auth/check.h"

#include <string.h>

#include "auth/nonce.h"
#include "auth/rest.h"
#include "auth/token.h"
#include "base/addr.h"
#include "base/bug.h"

enum {
	FIRST_EXPIRY_S = 1000000000, /* 2001: a smaller number is somebody's name, as telephones have */
	CLOCKS_DIFFER_S = 60,	     /* between here and whoever makes credentials */
};

const char *auth_why_text(enum auth_why why)
{
	static const char *const text[N_AUTH_WHY] = {
		[AUTH_WHY_NONE] = "none",
		[AUTH_WHY_NO_CREDENTIALS] = "no_credentials",
		[AUTH_WHY_INCOMPLETE] = "incomplete",
		[AUTH_WHY_UNKNOWN_USER] = "unknown_user",
		[AUTH_WHY_WRONG_REALM] = "wrong_realm",
		[AUTH_WHY_EXPIRED] = "expired",
		[AUTH_WHY_TOO_LONG] = "lives_too_long",
		[AUTH_WHY_REVOKED] = "revoked",
		[AUTH_WHY_TOKEN] = "bad_token",
		[AUTH_WHY_INTEGRITY] = "bad_integrity",
		[AUTH_WHY_STALE_NONCE] = "stale_nonce",
		[AUTH_WHY_FOREIGN_NONCE] = "foreign_nonce",
	};

	return (unsigned)why < N_AUTH_WHY ? text[why] : "none";
}

void auth_who_wipe(struct auth_who *who)
{
	crypto_wipe(who->key, sizeof who->key);
	who->has_key = false;
}

static struct str key_str(const uint8_t key[AUTH_KEY_LEN])
{
	return (struct str){ (const char *)key, AUTH_KEY_LEN };
}

/* RFC 8489 s.9.2.4: the SHA-256 attribute decides where there is one. */
static bool integrity_ok(const struct auth_env *env, const struct stun_msg *req, struct str key)
{
	if (req->integrity256_off)
		return stun_integrity256_ok(env->crypto, req, key);
	return stun_integrity_ok(env->crypto, req, key);
}

static enum auth_verdict reject(struct auth_who *who, enum auth_why why)
{
	auth_who_wipe(who);
	who->why = why;
	return AUTH_REJECT;
}

static enum auth_verdict accept_key(struct auth_who *who, struct str key, struct str user,
				    int64_t expires_s)
{
	if (key.p != (const char *)who->key)
		memcpy(who->key, key.p, key.len);
	who->key_len = (uint8_t)key.len;
	who->has_key = true;
	who->user = user;
	who->expires_s = expires_s;
	return AUTH_ACCEPT;
}

/* When a name was revoked that is good in every realm: in one of them is in all, or an ORIGIN would lead around
 * it. 0: in none. */
static int64_t revoked_anywhere(const struct auth_env *env, struct str user)
{
	const struct conf_live *live = env->live;
	int64_t before = conf_live_revoked_before(live, env->realm, user);
	int64_t usual = conf_live_revoked_before(live, str_of(env->conf->realm), user);

	if (before < usual)
		before = usual;
	for (size_t i = 0; live && live->revoked.n && i < live->n_origin_realms; i++) {
		int64_t other = conf_live_revoked_before(live, live->origin_realms[i], user);

		if (before < other)
			before = other;
	}
	return before;
}

static bool has_digest(const struct auth_env *env, const struct str *secrets, size_t n, uint64_t digest)
{
	for (size_t i = 0; i < n; i++)
		if (auth_check_digest(env->digest_key, secrets[i]) == digest)
			return true;
	return false;
}

/* Is it a secret of the configuration's, or of the databases' for all realms? */
static bool is_of_all_realms(const struct auth_env *env, uint64_t digest)
{
	const struct conf_live_realm *all = conf_live_find_realm(env->live, STR_LIT(""));

	return has_digest(env, env->conf->secrets, env->conf->n_secrets, digest) ||
	       (all && has_digest(env, all->secrets, all->n_secrets, digest));
}

/*
 * Was it withdrawn? A credential says when it ends, not when it was made: with credential-max-ttl it was
 * made no longer than that before its end, and one that is surely younger than the revocation is good;
 * without, nothing is sure, and the user stays out until the revocation is taken back.
 */
static bool is_revoked(const struct auth_env *env, uint64_t secret, struct str user, int64_t expires_s)
{
	int64_t max_ttl = env->conf->credential_max_ttl, before;

	if (!env->live || !env->live->revoked.n)
		return false;
	before = is_of_all_realms(env, secret) ? revoked_anywhere(env, user) :
						 conf_live_revoked_before(env->live, env->realm, user);
	return before && (!max_ttl || expires_s - max_ttl < before);
}

/* The session's own client: its key is at hand. Its credential may have expired since; only
 * strict-expiry ends it for that. */
static enum auth_verdict check_known(const struct auth_env *env, const struct stun_msg *req,
				     const struct auth_known *known, struct auth_who *who)
{
	if (!integrity_ok(env, req, known->key))
		return reject(who, AUTH_WHY_INTEGRITY);
	if (env->conf->strict_expiry && known->expires_s && known->expires_s < env->wall_s)
		return reject(who, AUTH_WHY_EXPIRED);
	if (known->is_token && known->expires_s < env->wall_s)
		return reject(who, AUTH_WHY_EXPIRED);
	if (known->secret && is_revoked(env, known->secret, known->user, known->expires_s))
		return reject(who, AUTH_WHY_REVOKED);
	who->secret = known->secret;
	who->is_token = known->is_token;
	return accept_key(who, known->key, known->user, known->expires_s);
}

static enum auth_verdict check_static(const struct auth_env *env, const struct stun_msg *req,
				      const struct conf_user *user, struct auth_who *who)
{
	if (!integrity_ok(env, req, key_str(user->key)))
		return reject(who, AUTH_WHY_INTEGRITY);
	return accept_key(who, key_str(user->key), req->username, 0);
}

uint64_t auth_check_digest(const uint64_t key[2], struct str secret)
{
	uint64_t d = addr_siphash(key, secret.p, secret.len);

	return d ? d : 1;
}

/* The secrets that may have made a credential, in the order they are tried. */
struct secrets {
	const struct str *list[3];
	size_t n[3];
};

static void add_live(struct secrets *s, size_t i, const struct conf_live_realm *realm)
{
	s->list[i] = realm ? realm->secrets : NULL;
	s->n[i] = realm ? realm->n_secrets : 0;
}

/* The configuration's, the databases' for this realm, and theirs for all realms. */
static size_t collect_secrets(const struct auth_env *env, struct secrets *s)
{
	const struct conf *conf = env->conf;
	struct str realm = env->realm;

	s->list[0] = conf->secrets;
	s->n[0] = conf->n_secrets;
	add_live(s, 1, conf_live_find_realm(env->live, realm));
	add_live(s, 2, realm.len ? conf_live_find_realm(env->live, STR_LIT("")) : NULL);
	return s->n[0] + s->n[1] + s->n[2];
}

/* Any of the secrets may have made the credential: they are rotated without a gap. */
static enum auth_verdict try_secrets(const struct auth_env *env, const struct stun_msg *req,
				     const struct secrets *s, struct auth_who *who)
{
	for (size_t k = 0; k < ARRAY_LEN(s->list); k++)
		for (size_t i = 0; i < s->n[k]; i++) {
			if (auth_rest_key(env->crypto, s->list[k][i], req->username,
					  env->realm, who->key))
				return AUTH_FAIL;
			if (!integrity_ok(env, req, key_str(who->key)))
				continue;
			who->secret = auth_check_digest(env->digest_key, s->list[k][i]);
			return AUTH_ACCEPT;
		}
	return reject(who, AUTH_WHY_INTEGRITY);
}

static enum auth_verdict check_rest(const struct auth_env *env, const struct stun_msg *req,
				    const struct secrets *s, const struct auth_rest *rest,
				    struct auth_who *who)
{
	int64_t max_ttl = env->conf->credential_max_ttl;
	/* nobody is named in an expiry alone: such a credential is an account of its own */
	struct str account = rest->user.len ? rest->user : req->username;
	enum auth_verdict v;

	if (rest->expires_s < env->wall_s)
		return reject(who, AUTH_WHY_EXPIRED);
	if (max_ttl && rest->expires_s > env->wall_s + max_ttl + CLOCKS_DIFFER_S)
		return reject(who, AUTH_WHY_TOO_LONG);
	v = try_secrets(env, req, s, who);
	if (v != AUTH_ACCEPT)
		return v;
	if (is_revoked(env, who->secret, account, rest->expires_s))
		return reject(who, AUTH_WHY_REVOKED);
	return accept_key(who, key_str(who->key), account, rest->expires_s);
}

/* Somebody whom only the database may know. */
static enum auth_verdict check_given(const struct auth_env *env, const struct stun_msg *req,
				     const struct auth_given *given, struct auth_who *who)
{
	if (!env->has_users || (given && given->state == AUTH_GIVEN_NONE))
		return reject(who, AUTH_WHY_UNKNOWN_USER);
	if (!given) /* whoever asks for ever new names in vain has no answers left, and no look-ups */
		return env->starved ? reject(who, AUTH_WHY_UNKNOWN_USER) : AUTH_WANT_KEY;
	if (given->state == AUTH_GIVEN_FAILED)
		return AUTH_FAIL;
	if (!integrity_ok(env, req, key_str(given->key)))
		return reject(who, AUTH_WHY_INTEGRITY);
	return accept_key(who, key_str(given->key), req->username, 0);
}

/* A good token: the client has to have the key in it. */
static enum auth_verdict check_sealed(const struct auth_env *env, const struct stun_msg *req,
				      const struct conf_live_oauth *key, const struct auth_token *token,
				      struct auth_who *who)
{
	struct str mac_key = { (const char *)token->mac_key, sizeof token->mac_key };
	int64_t left_s = auth_token_left_s(token, env->wall_s);

	if (left_s <= 0)
		return reject(who, AUTH_WHY_EXPIRED);
	if (!integrity_ok(env, req, mac_key))
		mac_key.len = AUTH_KEY_LEN; /* coturn, and clients made for it, sign with as much of it */
	if (mac_key.len == AUTH_KEY_LEN && !integrity_ok(env, req, mac_key))
		return reject(who, AUTH_WHY_INTEGRITY);
	if (key->realm.len) /* its users are those of a realm */
		who->realm = key->realm;
	if (token->made_s < (key->realm.len ? conf_live_revoked_before(env->live, key->realm, req->username) :
					      revoked_anywhere(env, req->username)))
		return reject(who, AUTH_WHY_REVOKED);
	who->is_token = true;
	/* RFC 7635 s.9: no longer than the token lives */
	if (left_s > token->lifetime_s)
		left_s = token->lifetime_s;
	return accept_key(who, mac_key, req->username, env->wall_s + left_s);
}

/* RFC 7635 s.7: the user name is the identifier of the key that the token is sealed with. */
static enum auth_verdict check_token(const struct auth_env *env, const struct stun_msg *req,
				     struct auth_who *who)
{
	const struct conf_live_oauth *key = conf_live_find_oauth(env->live, req->username);
	struct auth_token token;
	enum auth_verdict v;

	if (!key || !auth_token_key_holds(key, env->wall_s))
		return reject(who, AUTH_WHY_UNKNOWN_USER);
	if (auth_token_open(key, conf_server_name(env->conf), req->access_token, &token))
		return reject(who, AUTH_WHY_TOKEN);
	v = check_sealed(env, req, key, &token, who);
	crypto_wipe(&token, sizeof token);
	return v;
}

/* s.9: in Allocate and Refresh only. */
static bool has_token(const struct auth_env *env, const struct stun_msg *req)
{
	return env->conf->oauth && stun_has(req, STUN_A_ACCESS_TOKEN) &&
	       (req->method == STUN_ALLOCATE || req->method == STUN_REFRESH);
}

static enum auth_verdict check_user(const struct auth_env *env, const struct stun_msg *req,
				    const struct auth_known *known,
				    const struct auth_given *given, struct auth_who *who)
{
	const struct conf_user *user;
	struct secrets secrets;
	struct auth_rest rest;

	if (req->bad & STUN_BIT(REALM) || !str_eq(req->realm, env->realm))
		return reject(who, AUTH_WHY_WRONG_REALM);
	if (has_token(env, req))
		return check_token(env, req, who);
	if (known && str_eq(known->username, req->username))
		return check_known(env, req, known, who);
	/* the configuration's accounts are of its realm */
	user = str_eq(env->realm, str_of(env->conf->realm)) ? conf_user_find(env->conf, req->username)
							     : NULL;
	if (user)
		return check_static(env, req, user, who);
	if (collect_secrets(env, &secrets) &&
	    auth_rest_parse(req->username, env->conf->rest_api_separator[0], &rest) &&
	    (rest.expires_s >= FIRST_EXPIRY_S || !env->has_users))
		return check_rest(env, req, &secrets, &rest, who);
	return check_given(env, req, given, who);
}

/* s.9.2.4: a nonce that says that password algorithms were offered is never ours, so that a choice of one
 * cannot agree with the offer; without a choice the request is treated as any other. */
static bool is_bid_down(const struct stun_msg *req)
{
	const uint64_t choice = STUN_BIT(PASSWORD_ALGORITHM) | STUN_BIT(PASSWORD_ALGORITHMS);

	return req->present & choice && auth_nonce_offers_algorithms(req->nonce);
}

enum auth_verdict auth_check(const struct auth_env *env, const struct stun_msg *req,
			     const struct addr *client, const struct auth_known *known,
			     const struct auth_given *given, struct auth_who *who)
{
	const uint64_t needed = STUN_BIT(REALM) | STUN_BIT(NONCE);
	const uint64_t names = STUN_BIT(USERNAME) | STUN_BIT(USERHASH);
	const uint64_t macs = STUN_BIT(MESSAGE_INTEGRITY) | STUN_BIT(MESSAGE_INTEGRITY_SHA256);
	enum auth_nonce_state state;
	enum auth_verdict v;

	memset(who, 0, sizeof *who);
	who->realm = env->realm;
	if (!(req->present & macs)) {
		who->why = AUTH_WHY_NO_CREDENTIALS;
		return AUTH_CHALLENGE;
	}
	if ((req->present & needed) != needed || !(req->present & names) || req->bad & macs ||
	    is_bid_down(req)) {
		who->why = AUTH_WHY_INCOMPLETE;
		return AUTH_BAD;
	}
	state = auth_nonce_check(env->nonce, env->crypto, env->realm, client,
				 env->wall_s, env->conf->stale_nonce, req->nonce);
	who->own_nonce = state != AUTH_NONCE_FOREIGN;
	if (env->starved && state != AUTH_NONCE_FRESH) {
		who->why = AUTH_WHY_FOREIGN_NONCE;
		return AUTH_STALE;
	}
	who->username = req->username;
	/* The nonces offered here have no security features set, so that PASSWORD-ALGORITHM is not
	 * looked at, and a USERHASH is nobody's. Neither is a name that is none: 400 is for those who give
	 * none at all, "not valid" is 401. */
	if (!req->username.len)
		return reject(who, AUTH_WHY_UNKNOWN_USER);
	v = check_user(env, req, known, given, who);
	if (state == AUTH_NONCE_FRESH || (v != AUTH_ACCEPT && v != AUTH_WANT_KEY))
		return v;
	auth_who_wipe(who);
	who->why = state == AUTH_NONCE_STALE ? AUTH_WHY_STALE_NONCE : AUTH_WHY_FOREIGN_NONCE;
	return AUTH_STALE;
}

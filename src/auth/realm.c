#include "auth/realm.h"

enum { MAX_ORIGINS = 8 }; /* that are looked at: nobody nests frames as deep */

static const struct str *of_origins(const struct auth_env *env, const struct stun_msg *req)
{
	const struct str *realm = NULL;
	struct str origin;
	size_t off = 0;

	for (int i = 0; i < MAX_ORIGINS && !realm && stun_origin_next(req, &off, &origin); i++)
		realm = conf_live_find_origin(env->live, origin);
	return realm;
}

struct str auth_realm_pick(const struct auth_env *env, const struct stun_msg *req)
{
	struct str usual = str_of(env->conf->realm);
	const struct str *realm = NULL;

	if (!env->live || !env->live->n_origins)
		return usual;
	if (stun_has(req, STUN_A_ORIGIN))
		realm = of_origins(env, req);
	else if (stun_has(req, STUN_A_REALM) && !str_eq(req->realm, usual))
		realm = conf_live_find_origin_realm(env->live, req->realm);
	return realm ? *realm : usual;
}

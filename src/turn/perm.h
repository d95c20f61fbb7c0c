/* Permissions (RFC 8656 s.9, s.10): which peer addresses may exchange data with the client. */
#pragma once

#include "turn/server.h"

/* CreatePermission (s.10.2). */
enum turn_verdict turn_perm_create(struct turn_env *env, struct turn_tx *tx, struct wr *out);

/* The permission for the IP of `peer`, expired or not, or NULL. */
struct turn_perm *turn_perm_find(const struct turn_env *env, const struct turn_session *s,
				 const struct addr *peer);

static inline bool turn_perm_alive(const struct turn_perm *p, tick now)
{
	return tick_before(now, p->expires);
}

/* Installs or refreshes the permission for the IP of `peer`, for 300 seconds; `own` as the
 * policy said. NULL when the session has too many, or memory is short. */
struct turn_perm *turn_perm_grant(struct turn_env *env, struct turn_session *s,
				  const struct addr *peer, bool own);

/* A channel points to the permission now, or no longer. */
void turn_perm_ref(struct turn_perm *p);
void turn_perm_unref(struct turn_env *env, struct turn_perm *p);

/* Forgets all permissions of one family; no channel may point to them. */
void turn_perm_drop_family(struct turn_env *env, struct turn_session *s, enum turn_leg_id leg);

/* Which realm a request is for, where a server has several: the databases lead origins to realms. */
#pragma once

#include "auth/env.h"
#include "stun/msg.h"

/*
 * By its ORIGIN, as coturn does (draft-ietf-tram-stun-origin); of several by the first that leads anywhere. A client that tells its ORIGIN only at first is
 * known by the REALM that it got for it: a realm of some origin, and the nonce proves that it was offered. Else
 * it is the configuration's. Borrowed of the configuration or of env->live.
 */
struct str auth_realm_pick(const struct auth_env *env, const struct stun_msg *req);

/* Who may: the Authorization header against the tokens of the configuration. Pure; any thread. */
#pragma once

#include "admin/route.h"
#include "conf/conf.h"

/* The role of the header's bearer token; CONF_ROLE_NONE: no header (NULL), or not one of ours. Every token
 * is compared, in constant time. */
enum conf_role admin_token_role(const struct conf *conf, const char *header);

/* May `has` do what needs `needed`? (not for ADMIN_ROLE_METRICS) */
bool admin_token_may(enum conf_role has, enum admin_role needed);

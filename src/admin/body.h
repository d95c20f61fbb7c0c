/* What the bodies of requests say: JSON objects of strangers, to plain data. Pure; any thread. Each returns
 * NULL, or what is wrong, for the answer; then the results mean nothing. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/str.h"

/* POST /drain: {"drain":…,"exit":…}; what is left out, or an empty body, leaves the defaults. */
const char *admin_body_drain(struct str body, bool *drain, bool *exit);

/* POST /credentials: {"user":…,"ttl":…}; what is left out stays as it was. *user is borrowed from *json, which
 * the caller drops in any case. */
const char *admin_body_mint(struct str body, json_t **json, struct str *user, int64_t *ttl_s);

enum { ADMIN_BODY_LIMITS = 128 };

/* PUT /users/…/quota: the limits as the databases keep them, "max_bps=1000 period=day", into `value`; "" takes
 * all back. *json, the object, is the caller's to drop. */
const char *admin_body_limits(struct str body, json_t **json, char value[ADMIN_BODY_LIMITS]);

/* What authentication is given by its caller: nothing here does I/O or reads a clock. */
#pragma once

#include <stdint.h>

#include "base/crypto.h"
#include "base/rng.h"
#include "conf/conf.h"
#include "conf/live.h"

struct auth_nonce;
struct auth_throttle;

/* One per worker; the worker sets `wall_s`, `conf` and `live` before it hands the struct down. */
struct auth_env {
	const struct conf *conf;
	const struct conf_live *live; /* what the databases say; NULL: there are none, or they said nothing yet */
	struct str realm; /* that this request is for: auth_realm_pick(), or its session's */
	bool has_users;		      /* there is a database of users: whom nobody here knows may be in it */
	uint64_t digest_key[2];	      /* of auth_who.secret: the same in all workers */
	struct crypto *crypto;
	struct rng *rng;
	struct auth_nonce *nonce;
	struct auth_throttle *throttle; /* NULL: answers are not rationed */
	int64_t wall_s;			/* seconds since 1970 */
	bool starved; /* the source of this request has no answer left in its ration: without a nonce of ours
		       * it gets no look at its password either, which costs more than the answer */
};

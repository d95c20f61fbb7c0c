/*
 * One connection to a Redis, kept up: resolved, connected, logged in, its role checked, watched, and begun
 * again with growing pauses when it breaks. With Sentinel the master is asked for each time. The store thread.
 */
#pragma once

#include <hiredis/async.h>

#include "store/backend.h"
#include "store/redis_args.h"
#include "store/redis_conninfo.h"
#include "store/redis_tls.h"

struct store_redis_link;

/* A reply, lent for the call; NULL: the connection broke before it came. */
typedef void store_redis_reply_fn(void *arg, const redisReply *reply);
/* It came up, went, failed to come up for a reason that is new, or is young no more. */
typedef void store_redis_link_fn(void *arg, bool is_up, const char *why);

/* Begins to connect, with `tls` unless that is NULL. `env`, `ci` and `tls` outlive the link. */
must_check enum err store_redis_link_new(struct store_redis_link **out, const struct store_env *env,
					 const struct store_redis_conninfo *ci, struct store_redis_tls *tls,
					 store_redis_link_fn *fn, void *arg);
/* Every reply that is waited for is NULL now; it stays down. Not from within a reply. */
void store_redis_link_close(struct store_redis_link *l);
/* After it was closed. NULL is fine. */
void store_redis_link_free(struct store_redis_link *l);

bool store_redis_link_is_up(const struct store_redis_link *l);
/* It never was up, and there is an address or a Sentinel that was not tried: to wait makes sense. */
bool store_redis_link_is_young(const struct store_redis_link *l);
/* Why it is not up, for the operator. */
const char *store_redis_link_why(const struct store_redis_link *l);

/* Sends a command; fn is called once, after those of earlier commands. False: it is not up, fn is never called.
 * The arguments are copied. */
bool store_redis_link_send(struct store_redis_link *l, const struct store_redis_args *a, store_redis_reply_fn *fn,
			   void *arg);
/* Gives this connection up and begins another, at the end of this turn: it leads to the wrong server. */
void store_redis_link_renew(struct store_redis_link *l, const char *why);

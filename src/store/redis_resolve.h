/* Names to addresses without making the store thread wait: a short-lived thread for each question. */
#pragma once

#include <event2/event.h>

#include "base/err.h"

struct store_redis_resolve;

/* ip: numeric, or "" when there is none and `why` has a line. Lent for the call. */
typedef void store_redis_resolve_fn(void *arg, const char *ip, const char *why);

/* Asks for an address of `host`, the `turn`th of them modulo their number; fn is called once in the loop, unless
 * cancelled before. */
must_check enum err store_redis_resolve_start(struct store_redis_resolve **out, struct event_base *base,
					      const char *host, unsigned turn, store_redis_resolve_fn *fn, void *arg);
/* Frees; fn is not called any more. The thread ends by itself. NULL is fine. */
void store_redis_resolve_free(struct store_redis_resolve *r);

/*
 * TLS on connections to Redis, where hiredis has it: from 1.0 on, with hiredis_ssl. Without it every function says
 * so. The store thread.
 */
#pragma once

#include "store/redis_conninfo.h"

struct redisAsyncContext;
struct store_redis_tls;

/* Does this build have it? */
bool store_redis_tls_is_built(void);

/* Reads the certificates that `ci` names. ERR_CONF: `why` has a line. *out is NULL when it asks for no TLS. */
must_check enum err store_redis_tls_new(struct store_redis_tls **out, const struct store_redis_conninfo *ci, char *why,
					size_t why_len);
void store_redis_tls_free(struct store_redis_tls *t); /* NULL is fine */

/* Puts TLS on a connection that has just begun, with a server that has to be `host`. ERR_SYS: `why` has a line. */
must_check enum err store_redis_tls_begin(struct store_redis_tls *t, struct redisAsyncContext *ac, const char *host,
					  char *why, size_t why_len);

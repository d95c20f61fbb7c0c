/* The arguments of one Redis command: bytes with a length each, so that nothing in them is syntax. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct store_redis_args {
	char *bytes; /* all arguments, one behind the other */
	size_t len, cap;
	size_t *ends; /* where each argument ends in `bytes` */
	size_t n, ends_cap;
	bool failed; /* sticky: no memory */
};

void store_redis_args_init(struct store_redis_args *a);
/* Wipes and frees. */
void store_redis_args_fini(struct store_redis_args *a);

/* One more argument. */
void store_redis_args_add(struct store_redis_args *a, struct str s);
void store_redis_args_u64(struct store_redis_args *a, uint64_t v);
void store_redis_args_i64(struct store_redis_args *a, int64_t v);

/* Bytes of an argument that end() finishes. */
void store_redis_args_put(struct store_redis_args *a, struct str s);
/* The same of a realm or a user in a key of ours: % { } and control bytes become %NN, so that the hash tag
 * {REALM} ends where it should. */
void store_redis_args_put_coded(struct store_redis_args *a, struct str s);
/* The same in a pattern of SCAN: what is special in it is escaped. */
void store_redis_args_put_literal(struct store_redis_args *a, struct str s, bool coded);
void store_redis_args_end(struct store_redis_args *a);

/* A whole argument: taciturn:{REALM}:WHAT, or with a user (p not NULL) taciturn:{REALM}:WHAT:USER. */
void store_redis_args_own(struct store_redis_args *a, struct str realm, const char *what, struct str user);
/* A whole argument: turn/realm/REALM/WHAT. */
void store_redis_args_coturn(struct store_redis_args *a, struct str realm, const char *what);

/* Undoes put_coded(); `out` has room for s.len bytes. */
struct str store_redis_args_decode(struct str s, char *out);

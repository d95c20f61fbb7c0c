/*
 * Connects to PostgreSQL on a thread of its own, for libpq blocks while it resolves names, reads certificates
 * and walks a list of hosts. One attempt at a time; the connection is handed over to the store thread.
 */
#pragma once

#include "net/loop.h"

enum { STORE_PGSQL_DIAL_WHY = 200 };

struct store_pgsql_dial;
struct pg_conn; /* libpq's PGconn */

/* `conn` is up and now the receiver's; or NULL, and `why` says what is wrong. The store thread. */
typedef void store_pgsql_dial_fn(void *arg, struct pg_conn *conn, const char *why);

/* Begins; fn is called once, from the loop, unless the attempt is cancelled. `conninfo` is copied. */
must_check enum err store_pgsql_dial_start(struct store_pgsql_dial **out, struct net_loop *loop,
					   const char *conninfo, store_pgsql_dial_fn *fn, void *arg);
/*
 * Forgets the attempt. Waits for its thread, a second at most; one that hangs longer ends by itself. NULL is fine.
 * After fn was called, it is over already.
 */
void store_pgsql_dial_cancel(struct store_pgsql_dial *d);

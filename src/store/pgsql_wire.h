/*
 * One connection to PostgreSQL in pipeline mode, and the runs that are under way on it. The store thread.
 */
#pragma once

#include "store/backend.h"
#include "store/sql_run.h"

struct store_pgsql_wire;
struct pg_conn; /* libpq's PGconn */

struct store_pgsql_wire_owner {
	/* It is of no use any more, and is to be freed. Called from the loop or from send. */
	void (*broken)(void *arg, const char *why);
	void (*room)(void *arg); /* there is room for more runs */
	void *arg;
};

/* Takes `conn` over, on success only. */
must_check enum err store_pgsql_wire_new(struct store_pgsql_wire **out, const struct store_env *env, struct pg_conn *conn,
					 const struct store_pgsql_wire_owner *owner);
/* Ends the connection; what is under way is done with STORE_DOWN. NULL is fine. */
void store_pgsql_wire_free(struct store_pgsql_wire *w, const char *why);

/* Prepares what is asked often, on the server. */
void store_pgsql_wire_prepare(struct store_pgsql_wire *w);

/* Plans the run and sends it; it is finished when its answer is there. */
void store_pgsql_wire_send(struct store_pgsql_wire *w, struct store_sql_run *r);

bool store_pgsql_wire_has_room(const struct store_pgsql_wire *w);
/* NULL: false. */
bool store_pgsql_wire_is_busy(const struct store_pgsql_wire *w);
/* Something is under way, and nothing came for that long. */
bool store_pgsql_wire_is_silent(const struct store_pgsql_wire *w, unsigned ms);

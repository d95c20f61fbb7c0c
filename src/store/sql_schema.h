/*
 * The tables that taciturn uses in an SQL database: coturn's, as coturn makes them, and its own. The same
 * text holds for PostgreSQL and SQLite. contrib/sql/ has it as a file, compared by a test.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { STORE_SQL_SCHEMA_VERSION = 1 }; /* in taciturn_schema; grows with each change of our tables */

struct store_sql_schema_table {
	const char *name;
	const char *create; /* harmless when it is there */
	bool is_ours;	    /* not coturn's: users work without it */
	bool may_be_absent; /* from before coturn had it: as good as empty */
};

/* All tables, in the order in which they are made; *n of them. Any thread. */
const struct store_sql_schema_table *store_sql_schema_tables(size_t *n);

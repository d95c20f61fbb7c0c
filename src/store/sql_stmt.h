/*
 * Every statement that changes or reads the tables of sql_schema.h, for PostgreSQL and SQLite alike. $1, $2
 * … are parameters, all of them text; no statement is ever put together from values. Pure.
 */
#pragma once

#include <stdbool.h>

enum store_sql_stmt {
	/* hot: prepared on every connection */
	STORE_SQL_STMT_KEY,
	STORE_SQL_STMT_LEASE,
	STORE_SQL_STMT_USAGE_ADD,
	STORE_SQL_STMT_RECORD,
	STORE_SQL_STMT_HOT, /* how many */
	STORE_SQL_STMT_BATCH_LOCK = STORE_SQL_STMT_HOT,
	STORE_SQL_STMT_BATCH_DONE,
	STORE_SQL_STMT_USAGE_PURGE,
	STORE_SQL_STMT_BATCH_PURGE,
	STORE_SQL_STMT_VERSION,
	STORE_SQL_STMT_VERSION_SET,
	/* everything of struct conf_live; the lists of STORE_ADMIN too */
	STORE_SQL_STMT_SECRETS,
	STORE_SQL_STMT_OPTIONS,
	STORE_SQL_STMT_ORIGINS,
	STORE_SQL_STMT_ALLOWED,
	STORE_SQL_STMT_DENIED,
	STORE_SQL_STMT_OAUTH,
	STORE_SQL_STMT_REVOKED,
	STORE_SQL_STMT_WITHDRAWN,
	STORE_SQL_STMT_USERS,
	STORE_SQL_STMT_ADMINS,
	STORE_SQL_STMT_LIMITS,
	STORE_SQL_STMT_USAGE,
	/* STORE_ADMIN_SET and STORE_ADMIN_DEL, in the order of enum store_admin_what */
	STORE_SQL_STMT_SET,
	STORE_SQL_STMT_SET_LIMIT = STORE_SQL_STMT_SET + 8,
	STORE_SQL_STMT_SET_REVOKED,
	STORE_SQL_STMT_SET_WITHDRAWN,
	STORE_SQL_STMT_DEL,
	STORE_SQL_STMT_DEL_LIMIT = STORE_SQL_STMT_DEL + 8,
	STORE_SQL_STMT_DEL_REVOKED,
	STORE_SQL_STMT_DEL_WITHDRAWN,
	STORE_SQL_STMT_WITHDRAWN_PURGE,
	N_STORE_SQL_STMT
};

/* Its text. With `legacy`, for tables that an old coturn made without a realm; NULL: there is no such. */
const char *store_sql_stmt_text(enum store_sql_stmt s, bool pgsql, bool legacy);

#include "store/sql_live.h"

#include <stdio.h>

#include "base/bug.h"

/* In the order in which they are asked. */
static const struct {
	enum store_sql_stmt stmt;
	bool may_be_absent; /* its table: from before coturn, or we, had it */
} calls[] = {
	{ STORE_SQL_STMT_SECRETS, false }, { STORE_SQL_STMT_ALLOWED, false },
	{ STORE_SQL_STMT_DENIED, false },  { STORE_SQL_STMT_OPTIONS, true },
	{ STORE_SQL_STMT_ORIGINS, true },  { STORE_SQL_STMT_OAUTH, true },
	{ STORE_SQL_STMT_VERSION, true },  { STORE_SQL_STMT_REVOKED, true },
	{ STORE_SQL_STMT_WITHDRAWN, true }, /* after the secrets: whose end is seen, its mark is */
};

static bool plan(struct store_sql_run *r, unsigned phase)
{
	if (phase > 0)
		return false;
	r->alone = true;
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		store_sql_run_call(r, calls[i].stmt, NULL, 0);
	return true;
}

static enum err add_oauth(struct conf_live *live, const struct str *cells)
{
	const struct conf_live_oauth key = {
		.realm = cells[0],
		.kid = cells[1],
		.alg = cells[5],
		.timestamp_s = store_sql_run_cell(cells[3], 0),
		.lifetime_s = store_sql_run_cell(cells[4], 0),
	};

	return conf_live_add_oauth(live, &key, cells[2]);
}

static enum err add(struct store_sql_run *r, enum store_sql_stmt stmt, const struct str *cells)
{
	struct conf_live *live = r->op->live;

	switch (stmt) {
	case STORE_SQL_STMT_SECRETS:
		return conf_live_add_secret(live, cells[0], cells[1]);
	case STORE_SQL_STMT_ALLOWED:
	case STORE_SQL_STMT_DENIED:
		return conf_live_add_peer(live, cells[0], stmt == STORE_SQL_STMT_ALLOWED, cells[1]);
	case STORE_SQL_STMT_OPTIONS:
		return conf_live_add_option(live, cells[0], cells[1], cells[2]);
	case STORE_SQL_STMT_ORIGINS:
		return conf_live_add_origin(live, cells[1], cells[2]);
	case STORE_SQL_STMT_OAUTH:
		return add_oauth(live, cells);
	case STORE_SQL_STMT_VERSION:
		r->facts->has_ours = true;
		r->facts->version = (int)store_sql_run_cell(cells[0], 0);
		return OK;
	case STORE_SQL_STMT_WITHDRAWN:
		return conf_live_add_withdrawn(live, cells[1]);
	default:
		return conf_live_add_revoked(live, cells[0], cells[1], store_sql_run_cell(cells[2], 0));
	}
}

static void row(struct store_sql_run *r, size_t call, const struct str *cells)
{
	static const char *const of[] = { "turn_secret",       "allowed_peer_ip",      "denied_peer_ip",
					  "turn_realm_option", "turn_origin_to_realm", "oauth_key",
					  "taciturn_schema",   "taciturn_revoked",     "taciturn_withdrawn" };
	enum err e = add(r, calls[call].stmt, cells);

	if (e == ERR_MALFORMED) {
		/* the second cell is a range, an option or a kid; a secret is never wrong */
		snprintf(r->note, sizeof r->note, "%s has a row that is wrong and was left out: realm '%.*s' %.*s",
			 of[call], STR_ARG(cells[0]), STR_ARG(cells[1]));
	} else if (e && r->status == STORE_OK) {
		r->status = STORE_DOWN;
		snprintf(r->op->why, sizeof r->op->why, "%s", err_text(e));
	}
}

static bool excuse(struct store_sql_run *r, size_t call, enum store_sql_fault fault)
{
	if (fault != STORE_SQL_NO_TABLE || !calls[call].may_be_absent)
		return false;
	if (calls[call].stmt == STORE_SQL_STMT_VERSION)
		r->facts->has_ours = false;
	return true;
}

const struct store_sql_plan store_sql_live = { plan, row, excuse };

#include "store/sql_schema.h"

#include "base/bug.h"

/* coturn's first, column by column as in its schema.sql, so that its own programs go on working. */
static const struct store_sql_schema_table tables[] = {
	{ "turnusers_lt",
	  "CREATE TABLE IF NOT EXISTS turnusers_lt (\n"
	  "\trealm varchar(127) DEFAULT '',\n"
	  "\tname varchar(512),\n"
	  "\thmackey char(128),\n"
	  "\tPRIMARY KEY (realm, name)\n)",
	  false, false },
	{ "turn_secret",
	  "CREATE TABLE IF NOT EXISTS turn_secret (\n"
	  "\trealm varchar(127) DEFAULT '',\n"
	  "\tvalue varchar(256),\n"
	  "\tPRIMARY KEY (realm, value)\n)",
	  false, false },
	{ "allowed_peer_ip",
	  "CREATE TABLE IF NOT EXISTS allowed_peer_ip (\n"
	  "\trealm varchar(127) DEFAULT '',\n"
	  "\tip_range varchar(256),\n"
	  "\tPRIMARY KEY (realm, ip_range)\n)",
	  false, false },
	{ "denied_peer_ip",
	  "CREATE TABLE IF NOT EXISTS denied_peer_ip (\n"
	  "\trealm varchar(127) DEFAULT '',\n"
	  "\tip_range varchar(256),\n"
	  "\tPRIMARY KEY (realm, ip_range)\n)",
	  false, false },
	{ "turn_origin_to_realm",
	  "CREATE TABLE IF NOT EXISTS turn_origin_to_realm (\n"
	  "\torigin varchar(127),\n"
	  "\trealm varchar(127),\n"
	  "\tPRIMARY KEY (origin)\n)",
	  false, true },
	{ "turn_realm_option",
	  "CREATE TABLE IF NOT EXISTS turn_realm_option (\n"
	  "\trealm varchar(127) DEFAULT '',\n"
	  "\topt varchar(32),\n"
	  "\tvalue varchar(128),\n"
	  "\tPRIMARY KEY (realm, opt)\n)",
	  false, true },
	{ "oauth_key",
	  "CREATE TABLE IF NOT EXISTS oauth_key (\n"
	  "\tkid varchar(128),\n"
	  "\tikm_key varchar(256),\n"
	  "\ttimestamp bigint DEFAULT 0,\n"
	  "\tlifetime integer DEFAULT 0,\n"
	  "\tas_rs_alg varchar(64) DEFAULT '',\n"
	  "\trealm varchar(127),\n"
	  "\tPRIMARY KEY (kid)\n)",
	  false, true },
	{ "admin_user",
	  "CREATE TABLE IF NOT EXISTS admin_user (\n"
	  "\tname varchar(32),\n"
	  "\trealm varchar(127),\n"
	  "\tpassword varchar(127),\n"
	  "\tPRIMARY KEY (name)\n)",
	  false, true },
	{ "taciturn_schema",
	  "CREATE TABLE IF NOT EXISTS taciturn_schema (\n"
	  "\tversion integer NOT NULL\n)",
	  true, false },
	{ "taciturn_quota",
	  "CREATE TABLE IF NOT EXISTS taciturn_quota (\n"
	  "\trealm text NOT NULL,\n"
	  "\tname text NOT NULL,\n"
	  "\tmax_allocations bigint,\n"
	  "\tmax_bps bigint,\n"
	  "\tmax_bytes bigint,\n"
	  "\tperiod text NOT NULL DEFAULT '',\n"
	  "\tPRIMARY KEY (realm, name)\n)",
	  true, false },
	{ "taciturn_usage",
	  "CREATE TABLE IF NOT EXISTS taciturn_usage (\n"
	  "\trealm text NOT NULL,\n"
	  "\tname text NOT NULL,\n"
	  "\tperiod text NOT NULL,\n"
	  "\trx_bytes bigint NOT NULL DEFAULT 0,\n"
	  "\ttx_bytes bigint NOT NULL DEFAULT 0,\n"
	  "\trx_packets bigint NOT NULL DEFAULT 0,\n"
	  "\ttx_packets bigint NOT NULL DEFAULT 0,\n"
	  "\tsessions bigint NOT NULL DEFAULT 0,\n"
	  "\tupdated_s bigint NOT NULL DEFAULT 0,\n"
	  "\tPRIMARY KEY (realm, name, period)\n)",
	  true, false },
	{ "taciturn_sessions",
	  "CREATE TABLE IF NOT EXISTS taciturn_sessions (\n"
	  "\tid text NOT NULL PRIMARY KEY,\n"
	  "\tnode text NOT NULL,\n"
	  "\trealm text NOT NULL,\n"
	  "\tname text NOT NULL,\n"
	  "\tclient text NOT NULL,\n"
	  "\ttransport text NOT NULL,\n"
	  "\trelayed text NOT NULL,\n"
	  "\topened_ms bigint NOT NULL,\n"
	  "\tclosed_ms bigint NOT NULL,\n"
	  "\treason text NOT NULL,\n"
	  "\trx_packets bigint NOT NULL,\n"
	  "\trx_bytes bigint NOT NULL,\n"
	  "\ttx_packets bigint NOT NULL,\n"
	  "\ttx_bytes bigint NOT NULL,\n"
	  "\tpeers text NOT NULL,\n"
	  "\tdropped bigint NOT NULL,\n"
	  "\tdrops text NOT NULL,\n"
	  "\tquality text NOT NULL\n)",
	  true, false },
	{ "taciturn_batches",
	  "CREATE TABLE IF NOT EXISTS taciturn_batches (\n"
	  "\tnode text NOT NULL,\n"
	  "\tepoch bigint NOT NULL,\n"
	  "\tseq bigint NOT NULL,\n"
	  "\tPRIMARY KEY (node, epoch)\n)",
	  true, false },
	{ "taciturn_revoked",
	  "CREATE TABLE IF NOT EXISTS taciturn_revoked (\n"
	  "\trealm text NOT NULL,\n"
	  "\tname text NOT NULL,\n"
	  "\tbefore_s bigint NOT NULL,\n"
	  "\tPRIMARY KEY (realm, name)\n)",
	  true, false },
	{ "taciturn_withdrawn",
	  "CREATE TABLE IF NOT EXISTS taciturn_withdrawn (\n"
	  "\trealm text NOT NULL,\n"
	  "\tmark text NOT NULL,\n"
	  "\twithdrawn_s bigint NOT NULL,\n"
	  "\tPRIMARY KEY (realm, mark)\n)",
	  true, false },
};

const struct store_sql_schema_table *store_sql_schema_tables(size_t *n)
{
	*n = ARRAY_LEN(tables);
	return tables;
}

#include "store/sql_stmt.h"

#include <stddef.h>

#define PEERS(table) "SELECT coalesce(realm, ''), ip_range FROM " table
/* An unqualified realm is the table's, and where it has none, that of the empty one beside it. */
#define PEERS_PGSQL(table)                                                                            \
	"SELECT coalesce(p.realm, ''), p.ip_range FROM (SELECT CAST('' AS text) AS realm) AS d "      \
	"CROSS JOIN LATERAL (SELECT realm, ip_range FROM " table ") AS p"
#define PEERS_LEGACY(table) "SELECT '', ip_range FROM " table
#define SET_PEER(table)                                                                               \
	"INSERT INTO " table " (realm, ip_range) VALUES ($1, $2) ON CONFLICT (realm, ip_range) DO NOTHING"
#define DEL_PEER(table) "DELETE FROM " table " WHERE realm = $1 AND ip_range = $2 RETURNING 1"

/* What is known of a process may go once another of its node has followed and that is long ago ($3: whose epoch is
 * before it), or when it began still longer ago ($4); never that of the batch just applied ($1, $2), whose answer
 * may yet be lost. */
#define BATCH_IS_OLD                                                                                  \
	"NOT (o.node = $1 AND o.epoch = CAST($2 AS bigint)) AND (o.epoch < CAST($4 AS bigint) OR "    \
	"EXISTS (SELECT 1 FROM taciturn_batches AS b WHERE b.node = o.node AND b.epoch > o.epoch "    \
	"AND b.epoch < CAST($3 AS bigint)))"
#define BATCH_PURGE(lock)                                                                             \
	"DELETE FROM taciturn_batches WHERE (node, epoch) IN (SELECT o.node, o.epoch "                \
	"FROM taciturn_batches AS o WHERE " BATCH_IS_OLD lock ")"

/* The row of the batch is locked first; what a batch adds counts only when its number is a new one. */
#define USAGE_ADD                                                                                     \
	"INSERT INTO taciturn_usage (realm, name, period, rx_bytes, tx_bytes, rx_packets, "           \
	"tx_packets, sessions, updated_s) "                                                           \
	"SELECT $4, $5, $6, CAST($7 AS bigint) * b.n, CAST($8 AS bigint) * b.n, "                     \
	"CAST($9 AS bigint) * b.n, CAST($10 AS bigint) * b.n, CAST($11 AS bigint) * b.n, "            \
	"CAST($12 AS bigint) "                                                                        \
	"FROM (SELECT CASE WHEN seq < CAST($3 AS bigint) THEN 1 ELSE 0 END AS n "                     \
	"FROM taciturn_batches WHERE node = $1 AND epoch = CAST($2 AS bigint)) AS b WHERE true "      \
	"ON CONFLICT (realm, name, period) DO UPDATE SET "                                            \
	"rx_bytes = taciturn_usage.rx_bytes + excluded.rx_bytes, "                                    \
	"tx_bytes = taciturn_usage.tx_bytes + excluded.tx_bytes, "                                    \
	"rx_packets = taciturn_usage.rx_packets + excluded.rx_packets, "                              \
	"tx_packets = taciturn_usage.tx_packets + excluded.tx_packets, "                              \
	"sessions = taciturn_usage.sessions + excluded.sessions, updated_s = excluded.updated_s "     \
	"RETURNING rx_bytes + tx_bytes, "                                                             \
	"(SELECT coalesce(q.max_allocations, -1) || ' ' || coalesce(q.max_bps, -1) || ' ' || "        \
	"coalesce(q.max_bytes, -1) || ' ' || q.period FROM taciturn_quota AS q "                      \
	"WHERE q.realm = $4 AND q.name = $5)"

#define LEASE                                                                                         \
	"SELECT q.max_allocations, q.max_bps, q.max_bytes, q.period, "                                \
	"(SELECT u.rx_bytes + u.tx_bytes FROM taciturn_usage AS u "                                   \
	"WHERE u.realm = $1 AND u.name = $2 AND u.period = CASE q.period WHEN 'month' THEN $4 "       \
	"WHEN 'day' THEN $5 WHEN '30d' THEN $6 ELSE $3 END), "                                        \
	"(SELECT r.before_s FROM taciturn_revoked AS r WHERE r.realm = $1 AND r.name = $2) "          \
	"FROM (SELECT 1 AS one) AS o LEFT JOIN taciturn_quota AS q ON q.realm = $1 AND q.name = $2"

static const struct {
	const char *text, *pgsql, *legacy;
} stmts[N_STORE_SQL_STMT] = {
	[STORE_SQL_STMT_KEY] = { .text = "SELECT hmackey FROM turnusers_lt WHERE realm = $1 AND name = $2" },
	[STORE_SQL_STMT_LEASE] = { .text = LEASE },
	[STORE_SQL_STMT_USAGE_ADD] = { .text = USAGE_ADD },
	[STORE_SQL_STMT_RECORD] = { .text = "INSERT INTO taciturn_sessions (id, node, realm, name, client, transport, "
				    "relayed, opened_ms, closed_ms, reason, rx_packets, rx_bytes, tx_packets, "
				    "tx_bytes, peers, dropped, drops, quality) VALUES ($1, $2, $3, $4, $5, $6, "
				    "$7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) "
				    "ON CONFLICT (id) DO NOTHING" },
	[STORE_SQL_STMT_BATCH_LOCK] = { .text = "INSERT INTO taciturn_batches (node, epoch, seq) VALUES ($1, $2, 0) "
					"ON CONFLICT (node, epoch) DO UPDATE SET seq = taciturn_batches.seq" },
	[STORE_SQL_STMT_BATCH_DONE] = { .text = "UPDATE taciturn_batches SET seq = CAST($3 AS bigint) WHERE node = $1 "
					"AND epoch = CAST($2 AS bigint) AND seq < CAST($3 AS bigint)" },
	[STORE_SQL_STMT_USAGE_PURGE] = { .text = "DELETE FROM taciturn_usage WHERE updated_s < CAST($1 AS bigint)" },
	/* nodes do this at any time: none waits for another's rows, nor the other way round */
	[STORE_SQL_STMT_BATCH_PURGE] = { .text = BATCH_PURGE(""), BATCH_PURGE(" FOR UPDATE SKIP LOCKED") },
	[STORE_SQL_STMT_VERSION] = { .text = "SELECT max(version) FROM taciturn_schema" },
	[STORE_SQL_STMT_VERSION_SET] = { .text = "INSERT INTO taciturn_schema (version) SELECT CAST($1 AS integer) "
					 "WHERE NOT EXISTS (SELECT 1 FROM taciturn_schema)" },
	[STORE_SQL_STMT_SECRETS] = { .text = "SELECT coalesce(realm, ''), value FROM turn_secret" },
	[STORE_SQL_STMT_OPTIONS] = { .text = "SELECT coalesce(realm, ''), opt, value FROM turn_realm_option" },
	[STORE_SQL_STMT_ORIGINS] = { .text = "SELECT '', origin, realm FROM turn_origin_to_realm" },
	[STORE_SQL_STMT_ALLOWED] = { .text = PEERS("allowed_peer_ip"), PEERS_PGSQL("allowed_peer_ip"),
				     PEERS_LEGACY("allowed_peer_ip") },
	[STORE_SQL_STMT_DENIED] = { .text = PEERS("denied_peer_ip"), PEERS_PGSQL("denied_peer_ip"),
				    PEERS_LEGACY("denied_peer_ip") },
	[STORE_SQL_STMT_OAUTH] = { .text = "SELECT coalesce(realm, ''), kid, ikm_key, timestamp, lifetime, as_rs_alg "
				   "FROM oauth_key" },
	[STORE_SQL_STMT_REVOKED] = { .text = "SELECT realm, name, before_s FROM taciturn_revoked" },
	[STORE_SQL_STMT_WITHDRAWN] = { .text = "SELECT realm, mark, withdrawn_s FROM taciturn_withdrawn" },
	[STORE_SQL_STMT_USERS] = { .text = "SELECT coalesce(realm, ''), name, hmackey FROM turnusers_lt" },
	[STORE_SQL_STMT_ADMINS] = { .text = "SELECT coalesce(realm, ''), name, password FROM admin_user" },
	[STORE_SQL_STMT_LIMITS] = { .text = "SELECT realm, name, max_allocations, max_bps, max_bytes, period "
				    "FROM taciturn_quota" },
	[STORE_SQL_STMT_USAGE] = { .text = "SELECT realm, period, rx_bytes, tx_bytes, rx_packets, tx_packets, sessions "
				   "FROM taciturn_usage WHERE ($1 = '' OR realm = $1) AND name = $2 "
				   "ORDER BY period" },
	[STORE_SQL_STMT_SET + 0] = { .text = "INSERT INTO turnusers_lt (realm, name, hmackey) VALUES ($1, $2, $3) "
				     "ON CONFLICT (realm, name) DO UPDATE SET hmackey = excluded.hmackey" },
	[STORE_SQL_STMT_SET + 1] = { .text = "INSERT INTO turn_secret (realm, value) VALUES ($1, $2) "
				     "ON CONFLICT (realm, value) DO NOTHING" },
	[STORE_SQL_STMT_SET + 2] = { .text = "INSERT INTO turn_realm_option (realm, opt, value) VALUES ($1, $2, $3) "
				     "ON CONFLICT (realm, opt) DO UPDATE SET value = excluded.value" },
	[STORE_SQL_STMT_SET + 3] = { .text = "INSERT INTO turn_origin_to_realm (origin, realm) VALUES ($1, $2) "
				     "ON CONFLICT (origin) DO UPDATE SET realm = excluded.realm" },
	[STORE_SQL_STMT_SET + 4] = { .text = SET_PEER("allowed_peer_ip") },
	[STORE_SQL_STMT_SET + 5] = { .text = SET_PEER("denied_peer_ip") },
	[STORE_SQL_STMT_SET + 6] = { .text = "INSERT INTO oauth_key (realm, kid, ikm_key, timestamp, lifetime, "
				     "as_rs_alg) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (kid) DO UPDATE "
				     "SET realm = excluded.realm, ikm_key = excluded.ikm_key, "
				     "timestamp = excluded.timestamp, lifetime = excluded.lifetime, "
				     "as_rs_alg = excluded.as_rs_alg" },
	[STORE_SQL_STMT_SET + 7] = { .text = "INSERT INTO admin_user (realm, name, password) VALUES ($1, $2, $3) "
				     "ON CONFLICT (name) DO UPDATE SET realm = excluded.realm, "
				     "password = excluded.password" },
	[STORE_SQL_STMT_SET_LIMIT] = { .text = "INSERT INTO taciturn_quota (realm, name, max_allocations, max_bps, "
				       "max_bytes, period) VALUES ($1, $2, CAST($3 AS bigint), "
				       "CAST($4 AS bigint), CAST($5 AS bigint), $6) "
				       "ON CONFLICT (realm, name) DO UPDATE SET "
				       "max_allocations = excluded.max_allocations, max_bps = excluded.max_bps, "
				       "max_bytes = excluded.max_bytes, period = excluded.period" },
	[STORE_SQL_STMT_SET_REVOKED] = { .text = "INSERT INTO taciturn_revoked (realm, name, before_s) VALUES "
					 "($1, $2, $3) ON CONFLICT (realm, name) DO UPDATE "
					 "SET before_s = excluded.before_s" },
	[STORE_SQL_STMT_SET_WITHDRAWN] = { .text = "INSERT INTO taciturn_withdrawn (realm, mark, withdrawn_s) VALUES "
					   "($1, $2, $3) ON CONFLICT (realm, mark) DO UPDATE "
					   "SET withdrawn_s = excluded.withdrawn_s" },
	[STORE_SQL_STMT_DEL + 0] = { .text = "DELETE FROM turnusers_lt WHERE realm = $1 AND name = $2 RETURNING 1" },
	[STORE_SQL_STMT_DEL + 1] = { .text = "DELETE FROM turn_secret WHERE realm = $1 AND value = $2 RETURNING 1" },
	[STORE_SQL_STMT_DEL + 2] = { .text = "DELETE FROM turn_realm_option WHERE realm = $1 AND opt = $2 RETURNING 1" },
	[STORE_SQL_STMT_DEL + 3] = { .text = "DELETE FROM turn_origin_to_realm WHERE origin = $1 RETURNING 1" },
	[STORE_SQL_STMT_DEL + 4] = { .text = DEL_PEER("allowed_peer_ip") },
	[STORE_SQL_STMT_DEL + 5] = { .text = DEL_PEER("denied_peer_ip") },
	[STORE_SQL_STMT_DEL + 6] = { .text = "DELETE FROM oauth_key WHERE kid = $1 RETURNING 1" },
	[STORE_SQL_STMT_DEL + 7] = { .text = "DELETE FROM admin_user WHERE name = $1 RETURNING 1" },
	[STORE_SQL_STMT_DEL_LIMIT] = { .text = "DELETE FROM taciturn_quota WHERE realm = $1 AND name = $2 RETURNING 1" },
	[STORE_SQL_STMT_DEL_REVOKED] = { .text = "DELETE FROM taciturn_revoked WHERE realm = $1 AND name = $2 "
					 "RETURNING 1" },
	[STORE_SQL_STMT_DEL_WITHDRAWN] = { .text = "DELETE FROM taciturn_withdrawn WHERE realm = $1 AND mark = $2 "
					   "RETURNING 1" },
	[STORE_SQL_STMT_WITHDRAWN_PURGE] = { .text = "DELETE FROM taciturn_withdrawn "
					     "WHERE withdrawn_s < CAST($1 AS bigint)" },
};

const char *store_sql_stmt_text(enum store_sql_stmt s, bool pgsql, bool legacy)
{
	if (legacy)
		return stmts[s].legacy;
	return pgsql && stmts[s].pgsql ? stmts[s].pgsql : stmts[s].text;
}

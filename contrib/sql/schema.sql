-- The tables of taciturn, for PostgreSQL and SQLite: what `taciturnctl db init` makes, for those who make
-- tables by other means. Harmless where they are already. src/store/sql_schema.c has the same text.
--
--   psql -d turn -f schema.sql        sqlite3 /var/lib/taciturn/turndb < schema.sql

-- coturn's: users, secrets, realms and peers
CREATE TABLE IF NOT EXISTS turnusers_lt (
	realm varchar(127) DEFAULT '',
	name varchar(512),
	hmackey char(128),
	PRIMARY KEY (realm, name)
);

CREATE TABLE IF NOT EXISTS turn_secret (
	realm varchar(127) DEFAULT '',
	value varchar(256),
	PRIMARY KEY (realm, value)
);

CREATE TABLE IF NOT EXISTS allowed_peer_ip (
	realm varchar(127) DEFAULT '',
	ip_range varchar(256),
	PRIMARY KEY (realm, ip_range)
);

CREATE TABLE IF NOT EXISTS denied_peer_ip (
	realm varchar(127) DEFAULT '',
	ip_range varchar(256),
	PRIMARY KEY (realm, ip_range)
);

CREATE TABLE IF NOT EXISTS turn_origin_to_realm (
	origin varchar(127),
	realm varchar(127),
	PRIMARY KEY (origin)
);

CREATE TABLE IF NOT EXISTS turn_realm_option (
	realm varchar(127) DEFAULT '',
	opt varchar(32),
	value varchar(128),
	PRIMARY KEY (realm, opt)
);

CREATE TABLE IF NOT EXISTS oauth_key (
	kid varchar(128),
	ikm_key varchar(256),
	timestamp bigint DEFAULT 0,
	lifetime integer DEFAULT 0,
	as_rs_alg varchar(64) DEFAULT '',
	realm varchar(127),
	PRIMARY KEY (kid)
);

CREATE TABLE IF NOT EXISTS admin_user (
	name varchar(32),
	realm varchar(127),
	password varchar(127),
	PRIMARY KEY (name)
);

-- taciturn's own: limits, usage, session records, what was withdrawn. Rows of taciturn_usage go 62 days after the
-- last that was added; those of taciturn_batches, by which a batch counts once though it is sent again, 30 days
-- after the next process of their node began, or a year after their own did. The server's user needs SELECT,
-- INSERT, UPDATE and DELETE.
CREATE TABLE IF NOT EXISTS taciturn_schema (
	version integer NOT NULL
);

CREATE TABLE IF NOT EXISTS taciturn_quota (
	realm text NOT NULL,
	name text NOT NULL,
	max_allocations bigint,
	max_bps bigint,
	max_bytes bigint,
	period text NOT NULL DEFAULT '',
	PRIMARY KEY (realm, name)
);

CREATE TABLE IF NOT EXISTS taciturn_usage (
	realm text NOT NULL,
	name text NOT NULL,
	period text NOT NULL,
	rx_bytes bigint NOT NULL DEFAULT 0,
	tx_bytes bigint NOT NULL DEFAULT 0,
	rx_packets bigint NOT NULL DEFAULT 0,
	tx_packets bigint NOT NULL DEFAULT 0,
	sessions bigint NOT NULL DEFAULT 0,
	updated_s bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (realm, name, period)
);

CREATE TABLE IF NOT EXISTS taciturn_sessions (
	id text NOT NULL PRIMARY KEY,
	node text NOT NULL,
	realm text NOT NULL,
	name text NOT NULL,
	client text NOT NULL,
	transport text NOT NULL,
	relayed text NOT NULL,
	opened_ms bigint NOT NULL,
	closed_ms bigint NOT NULL,
	reason text NOT NULL,
	rx_packets bigint NOT NULL,
	rx_bytes bigint NOT NULL,
	tx_packets bigint NOT NULL,
	tx_bytes bigint NOT NULL,
	peers text NOT NULL,
	dropped bigint NOT NULL,
	drops text NOT NULL,
	quality text NOT NULL
);

CREATE TABLE IF NOT EXISTS taciturn_batches (
	node text NOT NULL,
	epoch bigint NOT NULL,
	seq bigint NOT NULL,
	PRIMARY KEY (node, epoch)
);

CREATE TABLE IF NOT EXISTS taciturn_revoked (
	realm text NOT NULL,
	name text NOT NULL,
	before_s bigint NOT NULL,
	PRIMARY KEY (realm, name)
);

CREATE TABLE IF NOT EXISTS taciturn_withdrawn (
	realm text NOT NULL,
	mark text NOT NULL,
	withdrawn_s bigint NOT NULL,
	PRIMARY KEY (realm, mark)
);

INSERT INTO taciturn_schema (version) SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM taciturn_schema);

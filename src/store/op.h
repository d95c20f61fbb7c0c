/*
 * One question to a database, or one thing it is told: the interface between the store thread and its
 * backends (redis.c, pgsql.c, sqlite.c, memory.c). Everything here happens on the store thread, but for what
 * sqlite.c does on its neighbour.
 *
 * An op is made by the store (or by taciturnctl), given to a backend with start(), and belongs to the backend
 * until it calls op->done(), exactly once, whatever happens: at once, later, with STORE_DOWN when the
 * connection breaks, or from close(). All text in an op is data, never syntax: backends bind it as parameters
 * or arguments, so that SQL, Redis' protocol and format strings in a user name are carried as they are.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/tick.h"
#include "conf/live.h"
#include "conf/period.h"

enum store_status {
	STORE_OK,
	STORE_NONE,	   /* the database answered: there is no such thing */
	STORE_FULL_USER,   /* lease: the user has as many allocations as it may */
	STORE_FULL_REALM,  /* lease: so has the realm */
	STORE_FULL_BYTES,  /* lease: the user's bytes of this period are used up */
	STORE_REVOKED,	   /* lease: the user's credentials were withdrawn */
	STORE_DOWN,	   /* no answer: not connected, timed out, broke */
	STORE_REFUSED,	   /* the database refused it: permissions, no memory, a missing table */
	STORE_UNSUPPORTED, /* this backend does not keep such things */
	N_STORE_STATUS
};

/* "ok", "none", … for the log and labels; never NULL. */
const char *store_status_text(enum store_status s);

enum store_op_kind {
	STORE_KEY,     /* the long-term key of a user */
	STORE_LIVE,    /* everything of struct conf_live */
	STORE_LEASE,   /* one more allocation of a user; with its limits */
	STORE_RENEW,   /* leases live on */
	STORE_RELEASE, /* leases end */
	STORE_USAGE,   /* bytes and sessions of users, added once */
	STORE_RECORD,  /* one ended session, kept once */
	STORE_EVENT,   /* coturn's pub/sub and status keys */
	STORE_ADMIN,   /* taciturnctl's and the stats port's */
	N_STORE_OP
};

enum {
	STORE_KEY_LEN = 16,
	STORE_ID_LEN = 128,	/* a public session id NODE.EPOCH.COUNTER, terminated */
	STORE_NAME_MAX = 513,	/* bytes of a user name or realm; longer ones are refused before */
};

/* Limits of one user; CONF_LIVE_UNSET: the database has none, the realm's or the configuration's holds. */
struct store_limits {
	int64_t max_allocations;
	int64_t max_bps;   /* bytes per second of the user, each direction */
	int64_t max_bytes; /* per period */
	char period[8];	   /* "day", "month", "30d"; empty: the configuration's */
};

/* STORE_LEASE. The backend that counts over nodes (Redis) takes the lease; others answer with limits and
 * usage and leave the counting to this node. */
struct store_lease {
	/* in */
	char id[STORE_ID_LEN];
	int64_t user_max, total_max; /* the configuration's; 0: no limit */
	int64_t bytes_max;	     /* the configuration's; 0: no limit */
	int64_t ttl_ms;
	char period[CONF_PERIOD_NAME]; /* by the configuration's kind; a user's own kind goes before it */
	int64_t made_s; /* when the credential was made at the earliest, seconds since 1970 */
	/* out */
	struct store_limits limits;
	uint64_t used_bytes; /* both directions, in the period */
	bool counted;	     /* the database holds a lease: it is to be renewed and released */
};

/* No limits of one's own. */
struct store_limits store_limits_none(void);
/* The limits in "max_allocations=N max_bps=N max_bytes=N period=P"; what is not named
 * is unset. False: `why` (of 128 bytes) says what is wrong. */
bool store_limits_parse(struct str text, struct store_limits *out, char *why);
/* The other way round, into buf; returns its length. */
size_t store_limits_print(const struct store_limits *l, char *buf, size_t cap);
bool store_limits_eq(const struct store_limits *a, const struct store_limits *b);

/* The window that a user's bytes count in now: of its own kind of period, or else `otherwise`. */
const char *store_limits_window(const struct store_limits *l, const char *otherwise, int64_t wall_s,
				char out[CONF_PERIOD_NAME]);

/* One lease that is held, for STORE_RENEW and STORE_RELEASE. */
struct store_held {
	struct str realm, user;
	char id[STORE_ID_LEN];
};

/* One row of STORE_USAGE. */
struct store_usage {
	struct str realm, user;
	char period[CONF_PERIOD_NAME];
	uint64_t rx_bytes, tx_bytes, rx_packets, tx_packets, sessions; /* to be added */
	int64_t ttl_s; /* how long it is kept after the last that was added; 0: for ever (Redis: EXPIRE) */
	uint64_t total_bytes; /* out: rx + tx of the user and period after it */
	struct store_limits limits; /* out: the user's own, as of now, when has_limits */
	bool has_limits;
};

/* An ended session (design: the session record). Text is owned by whoever made the op. */
struct store_record {
	char id[STORE_ID_LEN];
	struct str node, realm, user, client, transport, relayed, reason, peers; /* as printed, log-ip applied */
	int64_t opened_ms, closed_ms; /* since 1970 */
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes, dropped;
	struct str drops;   /* "why=n why=n", may be empty */
	struct str quality; /* a JSON object of both legs, may be empty */
};

/* What coturn does for an allocation's life; channel and key are the same. */
struct store_event {
	enum { STORE_EVENT_SET, STORE_EVENT_DEL, STORE_EVENT_PUBLISH } kind;
	struct str key;	  /* turn/realm/R/user/U/allocation/ID/status … */
	struct str value; /* SET stores and publishes it; DEL deletes the key and publishes it */
};

/* STORE_ADMIN: what to do, on which table, with which texts. */
enum store_admin_do { STORE_ADMIN_LIST, STORE_ADMIN_SET, STORE_ADMIN_DEL, STORE_ADMIN_INIT, STORE_ADMIN_CHECK };
enum store_admin_what {
	STORE_ADMIN_USER,    /* realm, name, value: 32 hex digits of the key */
	STORE_ADMIN_SECRET,  /* realm, name: the secret */
	STORE_ADMIN_OPTION,  /* realm, name: max-bps, total-quota, user-quota; value */
	STORE_ADMIN_ORIGIN,  /* name: the origin; value: the realm */
	STORE_ADMIN_ALLOWED, /* realm, name: a range */
	STORE_ADMIN_DENIED,
	STORE_ADMIN_OAUTH,   /* name: kid; value: ikm_key in base64; realm */
	STORE_ADMIN_ADMIN,   /* coturn's admin_user: name, value: password, realm */
	STORE_ADMIN_LIMIT,   /* realm, name: a user; value: "max_allocations=N max_bps=N max_bytes=N period=P" */
	STORE_ADMIN_USAGE,   /* LIST only: realm, name: a user; rows: PERIOD, "rx_bytes=N tx_bytes=N …" */
	STORE_ADMIN_REVOKED, /* realm, name: a user; value: seconds since 1970 */
	STORE_ADMIN_WITHDRAWN, /* realm, name: the mark of a secret; value: seconds since 1970 */
	STORE_ADMIN_SCHEMA,  /* INIT and CHECK: the tables, made or looked at */
};

/* One row of a list: handed to op->row() as it comes; text is lent for the call. */
struct store_row {
	struct str realm, name, value;
};

struct store_op;
typedef void store_done_fn(struct store_op *op, enum store_status status);
typedef void store_row_fn(struct store_op *op, const struct store_row *row);

struct store_op {
	enum store_op_kind kind;
	store_done_fn *done;
	void *arg;	     /* the maker's */
	void *backend_state; /* the backend's, while it has the op */
	struct str realm, user; /* KEY, LEASE; owned by the maker */
	/* KEY, out. Wiped by the maker. */
	uint8_t key[STORE_KEY_LEN];
	/* LIVE: in: an empty snapshot, the maker's; out: filled */
	struct conf_live *live;
	struct store_lease lease;
	/* RENEW, RELEASE */
	struct store_held *held;
	size_t n_held;
	int64_t ttl_ms;
	/* USAGE and RECORD: a batch that is applied once, though it may be sent again: NODE and EPOCH name the
	 * process that made it (NODE~ what it filed), `seq` grows. A backend remembers the last seq of NODE and
	 * EPOCH in the transaction that applies it, and answers STORE_OK to what it has already. */
	struct str node;
	int64_t epoch;
	uint64_t seq;
	struct store_usage *usage;
	size_t n_usage;
	struct store_record *records;
	size_t n_records;
	struct store_event *events;
	size_t n_events;
	/* ADMIN */
	enum store_admin_do admin_do;
	enum store_admin_what admin_what;
	struct store_row admin;
	store_row_fn *row;
	/* out, on STORE_DOWN and STORE_REFUSED: one line that tells the operator what to do, in a buffer */
	char why[256];
};

struct store_backend; /* the backend's own */
struct store_env;     /* store/backend.h: loop, log, configuration */

/* A kind of database. */
struct store_kind {
	const char *name; /* "redis", "postgresql", "sqlite", "memory" */
	/* Parses `conninfo` and begins to connect; does not wait. ERR_CONF: it is wrong, `why` says how. */
	enum err (*open)(struct store_backend **out, const struct store_env *env, const char *conninfo,
			 char *why, size_t why_len);
	/* Ends everything: what is under way is done with STORE_DOWN first. */
	void (*close)(struct store_backend *b);
	void (*start)(struct store_backend *b, struct store_op *op);
	/* Connected, and the last answer was no failure. */
	bool (*is_up)(const struct store_backend *b);
	bool counts_leases; /* over nodes: leases are taken, renewed and released there */
};

extern const struct store_kind store_redis, store_pgsql, store_sqlite, store_memory;

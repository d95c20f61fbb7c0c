/* The connection string of redis-userdb and redis-statsdb: coturn's keys, and redis:// URIs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum {
	STORE_REDIS_TEXT = 256,	   /* a value of the string, terminated */
	STORE_REDIS_SENTINELS = 8, /* more of them add nothing */
};

struct store_redis_at {
	char host[STORE_REDIS_TEXT]; /* a name, an address, or with a leading '/' a socket's path */
	int port;
};

struct store_redis_conninfo {
	struct store_redis_at server; /* unused with Sentinel */
	char user[STORE_REDIS_TEXT], password[STORE_REDIS_TEXT];
	int db;
	unsigned connect_ms; /* 0: as long as an answer may take */
	struct store_redis_at sentinels[STORE_REDIS_SENTINELS];
	size_t n_sentinels; /* 0: the server is named itself */
	char master[STORE_REDIS_TEXT];
	char sentinel_password[STORE_REDIS_TEXT];
	bool tls;	/* to Sentinels, too */
	bool no_verify; /* verify=none: whoever answers is believed */
	char ca[STORE_REDIS_TEXT], ca_path[STORE_REDIS_TEXT]; /* both empty: the system's */
	char cert[STORE_REDIS_TEXT], pkey[STORE_REDIS_TEXT]; /* ours; empty: none */
	char server_name[STORE_REDIS_TEXT]; /* empty: the host's */
};

/*
 * "host=… port=… dbname=… user=… password=… connect_timeout=…" with coturn's aliases, values with spaces in
 * single quotes; "sentinel=HOST[:PORT],… master=NAME sentinel-password=…"; "redis://[user:password@]host[:port][/db]",
 * rediss:// with TLS; "tls=yes ca=FILE capath=DIR cert=FILE tls-key=FILE servername=NAME verify=peer|none".
 * ERR_CONF: `why` has one line without any of the values; ERR_UNSUPPORTED: it asks for TLS, which this
 * build's hiredis does not have. Any thread.
 */
must_check enum err store_redis_conninfo_parse(struct store_redis_conninfo *out, const char *text, char *why,
					       size_t why_len);
/* Wipes the passwords. */
void store_redis_conninfo_wipe(struct store_redis_conninfo *ci);

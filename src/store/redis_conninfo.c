#include "store/redis_conninfo.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/crypto.h"
#include "store/redis_tls.h"

enum { REDIS_PORT = 6379, SENTINEL_PORT = 26379 };

static const char no_tls[] =
	"TLS to Redis needs hiredis 1.0 with hiredis_ssl, and this build has an older one: drop tls and rediss://, put "
	"stunnel or a unix socket between, or build with a newer hiredis";

enum field {
	F_HOST,
	F_DB,
	F_USER,
	F_PASSWORD,
	F_PORT,
	F_TIMEOUT,
	F_TLS,
	F_CA,
	F_CAPATH,
	F_CERT,
	F_PKEY,
	F_SERVER_NAME,
	F_VERIFY,
	F_SENTINEL,
	F_MASTER,
	F_SENTINEL_PASSWORD
};

static const struct {
	const char *key;
	enum field field;
} keys[] = {
	{ "host", F_HOST },	      { "ip", F_HOST },
	{ "addr", F_HOST },	      { "ipaddr", F_HOST },
	{ "hostaddr", F_HOST },	      { "sock", F_HOST },
	{ "dbname", F_DB },	      { "db", F_DB },
	{ "database", F_DB },	      { "user", F_USER },
	{ "uname", F_USER },	      { "name", F_USER },
	{ "username", F_USER },	      { "password", F_PASSWORD },
	{ "pwd", F_PASSWORD },	      { "passwd", F_PASSWORD },
	{ "secret", F_PASSWORD },     { "port", F_PORT },
	{ "p", F_PORT },	      { "connect_timeout", F_TIMEOUT },
	{ "timeout", F_TIMEOUT },     { "tls", F_TLS },
	{ "ssl", F_TLS },	      { "ca", F_CA },
	{ "cacert", F_CA },	      { "tls-ca", F_CA },
	{ "capath", F_CAPATH },	      { "cert", F_CERT },
	{ "clientkey", F_PKEY },	      { "tls-key", F_PKEY },
	{ "sni", F_SERVER_NAME },	      { "servername", F_SERVER_NAME },
	{ "verify", F_VERIFY },	      { "sentinel", F_SENTINEL },
	{ "sentinels", F_SENTINEL },  { "master", F_MASTER },
	{ "sentinel-password", F_SENTINEL_PASSWORD }, { "sentinel_password", F_SENTINEL_PASSWORD },
};

static bool number(const char *text, int max, int *out)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (!isdigit((unsigned char)text[0]) || *end || v > max)
		return false;
	*out = (int)v;
	return true;
}

/* HOST, HOST:PORT, [IPV6]:PORT; without a port the one that is there stays. */
static bool endpoint(char *text, struct store_redis_at *at)
{
	char *colon = strrchr(text, ':');

	if (text[0] == '[') {
		char *close = strchr(text, ']');

		if (!close || (close[1] && close[1] != ':'))
			return false;
		colon = close[1] ? close + 1 : NULL;
		*close = '\0';
		text++;
	} else if (colon && strchr(text, ':') != colon) {
		colon = NULL; /* an IPv6 address without brackets */
	}
	if (colon) {
		*colon = '\0';
		if (!number(colon + 1, 65535, &at->port) || at->port == 0)
			return false;
	}
	if (!text[0] || strlen(text) >= sizeof at->host)
		return false;
	strcpy(at->host, text);
	return true;
}

static bool sentinels(struct store_redis_conninfo *ci, char *list)
{
	char *save = NULL;

	for (char *one = strtok_r(list, ",", &save); one; one = strtok_r(NULL, ",", &save)) {
		if (ci->n_sentinels == STORE_REDIS_SENTINELS)
			return false;
		ci->sentinels[ci->n_sentinels].port = SENTINEL_PORT;
		if (!endpoint(one, &ci->sentinels[ci->n_sentinels]))
			return false;
		ci->n_sentinels++;
	}
	return ci->n_sentinels > 0;
}

static bool copy(char out[STORE_REDIS_TEXT], const char *value)
{
	if (strlen(value) >= STORE_REDIS_TEXT)
		return false;
	strcpy(out, value);
	return true;
}

static bool wants_tls(const char *value)
{
	return !(strcmp(value, "0") == 0 || strcmp(value, "no") == 0 || strcmp(value, "off") == 0 ||
		 strcmp(value, "false") == 0);
}

static enum err set_field(struct store_redis_conninfo *ci, enum field field, char *value)
{
	int seconds = 0;
	bool good = false;

	switch (field) {
	case F_HOST:
		good = value[0] && copy(ci->server.host, value);
		break;
	case F_DB:
		good = number(value, 1 << 20, &ci->db);
		break;
	case F_USER:
		good = copy(ci->user, value);
		break;
	case F_PASSWORD:
		good = copy(ci->password, value);
		break;
	case F_PORT:
		good = number(value, 65535, &ci->server.port) && ci->server.port > 0;
		break;
	case F_TIMEOUT:
		good = number(value, 3600, &seconds);
		ci->connect_ms = (unsigned)seconds * 1000;
		break;
	case F_TLS:
		ci->tls = wants_tls(value);
		return OK;
	case F_CA:
		good = copy(ci->ca, value);
		break;
	case F_CAPATH:
		good = copy(ci->ca_path, value);
		break;
	case F_CERT:
		good = copy(ci->cert, value);
		break;
	case F_PKEY:
		good = copy(ci->pkey, value);
		break;
	case F_SERVER_NAME:
		good = copy(ci->server_name, value);
		break;
	case F_VERIFY:
		ci->no_verify = strcmp(value, "none") == 0;
		good = ci->no_verify || strcmp(value, "peer") == 0;
		break;
	case F_SENTINEL:
		good = sentinels(ci, value);
		break;
	case F_MASTER:
		good = copy(ci->master, value);
		break;
	case F_SENTINEL_PASSWORD:
		good = copy(ci->sentinel_password, value);
		break;
	}
	return good ? OK : ERR_CONF;
}

/* Cuts one key=value off; false at the end. `value` loses its quotes in place. */
static bool pair(char **at, char **key, char **value)
{
	char *p = *at, *to;
	bool quoted = false;

	while (isspace((unsigned char)*p))
		p++;
	if (!*p)
		return false;
	*key = p;
	p += strcspn(p, "= \t\r\n");
	*value = p;
	if (*p == '=') {
		*p++ = '\0';
		*value = to = p;
		for (; *p && (quoted || !isspace((unsigned char)*p)); p++) {
			if (*p == '\'') {
				quoted = !quoted;
				continue;
			}
			if (*p == '\\' && quoted && p[1])
				p++;
			*to++ = *p;
		}
		if (*p)
			p++;
		*to = '\0';
	} else if (*p) {
		*p++ = '\0';
	}
	*at = p;
	return true;
}

static enum err parse_pairs(struct store_redis_conninfo *ci, char *text, char *why, size_t why_len)
{
	char *key, *value;

	while (pair(&text, &key, &value)) {
		size_t i = 0;
		enum err e;

		while (i < ARRAY_LEN(keys) && strcasecmp(keys[i].key, key) != 0)
			i++;
		if (i == ARRAY_LEN(keys)) {
			snprintf(why, why_len, "the Redis connection string has a key that is not known: %.40s", key);
			return ERR_CONF;
		}
		e = set_field(ci, keys[i].field, value);
		if (e)
			snprintf(why, why_len, "the Redis connection string has a bad value for %s", keys[i].key);
		if (e)
			return e;
	}
	return OK;
}

static void percent_decode(char *text)
{
	char *to = text;

	for (; *text; text++) {
		unsigned byte;

		if (text[0] == '%' && isxdigit((unsigned char)text[1]) && isxdigit((unsigned char)text[2]) &&
		    sscanf(text + 1, "%2x", &byte) == 1 && byte) {
			*to++ = (char)byte;
			text += 2;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

static bool parse_uri(struct store_redis_conninfo *ci, char *text)
{
	char *at = strrchr(text, '@'), *path, *colon;

	if (at) {
		*at = '\0';
		colon = strchr(text, ':');
		if (colon)
			*colon = '\0';
		percent_decode(text);
		if (colon)
			percent_decode(colon + 1);
		if (!copy(ci->user, text) || (colon && !copy(ci->password, colon + 1)))
			return false;
		text = at + 1;
	}
	path = strchr(text, '/');
	if (path) {
		*path = '\0';
		if (path[1] && !number(path + 1, 1 << 20, &ci->db))
			return false;
	}
	return !text[0] || endpoint(text, &ci->server);
}

enum err store_redis_conninfo_parse(struct store_redis_conninfo *out, const char *text, char *why, size_t why_len)
{
	struct store_redis_conninfo ci = { .server = { "127.0.0.1", REDIS_PORT } };
	char *copy_of = strdup(text);
	size_t len = strlen(text);
	enum err e = OK;

	if (!copy_of)
		return ERR_NOMEM;
	ci.tls = strncmp(text, "rediss://", 9) == 0;
	if (ci.tls || strncmp(text, "redis://", 8) == 0) {
		e = parse_uri(&ci, copy_of + 8 + ci.tls) ? OK : ERR_CONF;
		if (e)
			snprintf(why, why_len, "the Redis URI is none: redis://[user:password@]host[:port][/db]");
	} else {
		e = parse_pairs(&ci, copy_of, why, why_len);
	}
	if (!e && (ci.n_sentinels > 0) != (ci.master[0] != '\0')) {
		e = ERR_CONF;
		snprintf(why, why_len, "Redis by Sentinel needs both sentinel=HOST:PORT,… and master=NAME");
	}
	if (!e && !ci.tls && (ci.ca[0] || ci.ca_path[0] || ci.cert[0] || ci.pkey[0] || ci.server_name[0] || ci.no_verify)) {
		e = ERR_CONF;
		snprintf(why, why_len, "the Redis connection string has what is for TLS alone: add tls=yes");
	} else if (!e && ci.tls && !store_redis_tls_is_built()) {
		e = ERR_UNSUPPORTED;
		snprintf(why, why_len, "%s", no_tls);
	}
	crypto_wipe(copy_of, len);
	free(copy_of);
	if (!e)
		*out = ci;
	store_redis_conninfo_wipe(&ci);
	return e;
}

void store_redis_conninfo_wipe(struct store_redis_conninfo *ci)
{
	crypto_wipe(ci->password, sizeof ci->password);
	crypto_wipe(ci->sentinel_password, sizeof ci->sentinel_password);
}

#include "conf/check.h"

#include <string.h>

enum { SERVER_NAME_MAX = 255 }; /* bytes, as in coturn; every 401 carries it */

static void check_ports(struct conf_reader *r)
{
	const struct conf *c = r->conf;

	if (c->min_port > c->max_port)
		conf_reader_error(r, r->at[CONF_ROW_min_port], "min-port",
				  "%lld is above max-port, which is %lld",
				  (long long)c->min_port, (long long)c->max_port);
}

static bool has_database(const struct conf *c)
{
	return c->userdb || c->psql_userdb || c->redis_userdb;
}

/* Whoever names a database means it to be asked: one that this build has no library for is an error. */
static void check_databases(struct conf_reader *r)
{
	const struct conf *c = r->conf;

	if (!!c->userdb + !!c->psql_userdb + !!c->redis_userdb > 1)
		conf_reader_error(r, CONF_AT_NOWHERE, NULL,
				  "userdb, psql-userdb and redis-userdb exclude each other: keep one (redis-statsdb "
				  "may stand beside it)");
#ifndef HAVE_STORE_SQLITE
	if (c->userdb)
		conf_reader_error(r, r->at[CONF_ROW_userdb], "userdb",
				  "this build has no SQLite: install libsqlite3-dev and run ./configure again");
#endif
#ifndef HAVE_STORE_PGSQL
	if (c->psql_userdb)
		conf_reader_error(r, r->at[CONF_ROW_psql_userdb], "psql-userdb",
				  "this build has no PostgreSQL: install libpq-dev and run ./configure again");
#endif
#ifndef HAVE_STORE_REDIS
	if (c->redis_userdb || c->redis_statsdb)
		conf_reader_error(r, r->at[c->redis_userdb ? CONF_ROW_redis_userdb : CONF_ROW_redis_statsdb],
				  c->redis_userdb ? "redis-userdb" : "redis-statsdb",
				  "this build has no Redis: install libhiredis-dev and run ./configure again");
#endif
}

static void check_auth(struct conf_reader *r)
{
	const struct conf *c = r->conf;

	if (c->no_auth && c->lt_cred_mech)
		conf_reader_error(r, r->at[CONF_ROW_no_auth], "no-auth",
				  "contradicts lt-cred-mech: take one of them out");
	if (c->use_auth_secret && c->static_auth_secret.n == 0 && !has_database(c))
		conf_reader_error(r, r->at[CONF_ROW_use_auth_secret], "use-auth-secret",
				  "needs a secret: add static-auth-secret=SECRET");
	if (c->oauth && !has_database(c))
		conf_reader_error(r, r->at[CONF_ROW_oauth], "oauth",
				  "has no keys: name the database of them with userdb, psql-userdb or redis-userdb");
	if (c->server_name && !c->oauth)
		conf_reader_warn(r, r->at[CONF_ROW_server_name], "server-name", "has no effect without oauth");
	if (c->oauth && conf_server_name(c).len > SERVER_NAME_MAX)
		conf_reader_error(r, r->at[CONF_ROW_server_name], "server-name", "longer than %d bytes",
				  SERVER_NAME_MAX);
	if (c->no_auth && c->has_credentials)
		conf_reader_warn(r, r->at[CONF_ROW_no_auth], "no-auth",
				 "everybody may relay; users and secrets are not asked for");
	if (c->no_auth || c->stun_only || c->has_credentials || c->use_auth_secret)
		return;
	if (c->user.n) /* each of them was wrong, and that was said */
		return;
	conf_reader_error(r, CONF_AT_NOWHERE, NULL,
			  "nobody could relay: add static-auth-secret=SECRET or "
			  "user=NAME:PASSWORD (or no-auth, to let everybody, or stun-only)");
}

static void check_relay(struct conf_reader *r)
{
	const struct conf *c = r->conf;

	if (c->no_udp_relay && c->no_tcp_relay && !c->stun_only)
		conf_reader_error(r, r->at[CONF_ROW_no_udp_relay], "no-udp-relay",
				  "with no-tcp-relay nothing could be relayed: take one of them out, or add stun-only");
}

/* As coturn means it, it counts what max-bps promises. */
static void check_capacity(struct conf_reader *r)
{
	const struct conf *c = r->conf;
	int at = r->at[CONF_ROW_bps_capacity];

	if (c->bps_capacity && !c->max_bps)
		conf_reader_error(r, at, "bps-capacity",
				  "counts the max-bps of each session: add max-bps=BYTES");
	else if (c->bps_capacity && c->bps_capacity < c->max_bps)
		conf_reader_error(r, at, "bps-capacity",
				  "is below max-bps, so that nobody could relay");
}

static void check_separator(struct conf_reader *r)
{
	const char *s = r->conf->rest_api_separator;

	if (strlen(s) != 1)
		conf_reader_error(r, r->at[CONF_ROW_rest_api_separator], "rest-api-separator",
				  "'%s' is not exactly one character", s);
	else if (*s >= '0' && *s <= '9')
		conf_reader_error(r, r->at[CONF_ROW_rest_api_separator], "rest-api-separator",
				  "a digit would be part of the expiry");
}

static void check_ranges(struct conf_reader *r, const char *name, const struct conf_list *list,
			 struct prefix_set *set)
{
	for (size_t i = 0; i < list->n; i++) {
		struct prefix_range range;

		/* a rule that cannot be understood must not be left out: fail closed */
		if (prefix_parse(str_of(list->v[i]), &range))
			conf_reader_error(r, list->line[i], name,
					  "'%s' is none of IP, IP-IP and IP/LEN", list->v[i]);
		else if (prefix_add(set, &range))
			r->no_memory = true;
	}
}

/* A header from just anybody would let them choose their address. */
static void check_proxy(struct conf_reader *r)
{
	struct conf *c = r->conf;
	int at = r->at[CONF_ROW_tcp_proxy_port];

	check_ranges(r, "proxy-protocol-from", &c->proxy_protocol_from, &c->proxies);
	if (!c->tcp_proxy_port && c->proxy_protocol_from.n)
		conf_reader_warn(r, r->at[CONF_ROW_proxy_protocol_from], "proxy-protocol-from",
				 "has no effect without tcp-proxy-port");
	if (!c->tcp_proxy_port)
		return;
	if (!c->proxy_protocol_from.n)
		conf_reader_error(r, at, "tcp-proxy-port",
				  "nobody could connect: add proxy-protocol-from with the "
				  "balancer's address");
	if (c->tcp_proxy_port == c->listening_port ||
	    c->tcp_proxy_port == c->tls_listening_port)
		conf_reader_error(r, at, "tcp-proxy-port",
				  "is a port of clients that come by themselves; give it a "
				  "port of its own");
}

static bool is_stdout(const char *log_file)
{
	return !log_file || strcmp(log_file, "-") == 0 || strcmp(log_file, "stdout") == 0;
}

static void check_log(struct conf_reader *r)
{
	struct conf *c = r->conf;

	if (c->log_file && strcmp(c->log_file, "syslog") == 0)
		c->syslog = true;
	if (c->daemon && !c->syslog && is_stdout(c->log_file)) {
		c->syslog = true;
		conf_reader_warn(r, r->at[CONF_ROW_daemon], "daemon",
				 "has no standard output: the log goes to syslog; "
				 "log-file=PATH names another place");
	}
	if (log_facility(c->syslog_facility) < 0)
		conf_reader_error(r, r->at[CONF_ROW_syslog_facility], "syslog-facility",
				  "'%s' is not one: user, daemon, auth, local0 to local7 ...",
				  c->syslog_facility);
}

static void check_workers(struct conf_reader *r)
{
	struct conf *c = r->conf;

	if (c->relay_threads < 0)
		c->n_workers = conf_cpus_count();
	else
		c->n_workers = c->relay_threads == 0 ? 1 : (unsigned)c->relay_threads;
	if (c->n_workers > 128) /* as many as the option allows */
		c->n_workers = 128;
}

void conf_check(struct conf_reader *r)
{
	struct conf *c = r->conf;

	check_ports(r);
	check_relay(r);
	check_capacity(r);
	check_databases(r);
	check_separator(r);
	check_log(r);
	check_workers(r);
	check_ranges(r, "denied-peer-ip", &c->denied_peer_ip, &c->denied);
	check_ranges(r, "allowed-peer-ip", &c->allowed_peer_ip, &c->allowed);
	check_proxy(r);
	conf_users_build(r);
	check_auth(r);
	conf_hosts_build(r);
	conf_backend_build(r);
	conf_alternates_build(r);
	conf_http_build(r);
	if (r->for_server)
		conf_files_check(r);
}

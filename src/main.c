/* The daemon: stages up, wait for a signal, stages down. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/bug.h"
#include "worker/bridge.h"
#include "worker/certs.h"
#include "worker/control.h"
#include "worker/listen.h"
#include "worker/pool.h"
#include "worker/process.h"

struct app {
	int argc;
	char **argv;
	enum conf_action action;
	int ready_fd; /* of daemon mode; -1: foreground */
	int pid_fd;   /* the pid file; -1: none */
	struct conf *conf;
	struct log *log;
	struct logger *lg;
	struct worker_sockets sockets;
	struct net_tickets *tickets;
	struct net_cert *cert; /* NULL: no TLS */
	struct relay_shared *shared;
	struct worker_bridge *bridge;
	struct worker_pool pool;
	struct worker_control control;
	struct worker_renew renew;
	struct worker_drain drain;
	struct worker_trim trim;
	struct admin_bound http;
	struct admin *admin; /* NULL: the stats port is not served */
};

/* Before there is a log, and for what must be seen by whoever typed the command. */
static void to_stderr(bool is_error, const char *text, void *arg)
{
	(void)arg;
	fprintf(stderr, "taciturn: %s%s\n", is_error ? "" : "warning: ", text);
}

static enum err app_conf_load(struct app *a)
{
	return conf_load(a->argc, a->argv, to_stderr, NULL, &a->action, &a->conf);
}

static void app_conf_free(struct app *a)
{
	conf_drop(a->conf);
}

static enum err app_background(struct app *a)
{
	worker_process_prepare();
	return a->conf->daemon ? worker_process_daemonize(&a->ready_fd) : OK;
}

static enum err app_log_start(struct app *a)
{
	const struct conf *c = a->conf;
	struct log_options o = {
		.file = c->log_file,
		.use_syslog = c->syslog || (c->log_file && strcmp(c->log_file, "syslog") == 0),
		.facility = c->syslog_facility,
		.format = (enum log_format)c->log_format,
		.level = c->verbose ? LOG_DEBUG_ : LOG_INFO_,
	};
	struct worker_ids ids;
	enum err e = worker_process_ids(c, &ids, to_stderr, NULL);

	if (e)
		return e;
	o.owner = ids.uid;
	o.group = ids.gid;
	e = log_start(&a->log, &o);
	if (e) {
		fprintf(stderr, "taciturn: cannot open log-file %s: %s\n",
			c->log_file ? c->log_file : "-", strerror(errno));
		return e;
	}
	return log_logger(a->log, &a->lg);
}

static void app_log_stop(struct app *a)
{
	if (a->log)
		log_stop(a->log);
	a->log = NULL;
}

/* Read while the files may still need a privilege. */
static enum err app_certs_load(struct app *a)
{
	return worker_certs_load(a->conf, &a->tickets, &a->cert, to_stderr, NULL);
}

static void app_certs_free(struct app *a)
{
	net_cert_drop(a->cert);
	net_tickets_free(a->tickets);
}

static enum err app_bind(struct app *a)
{
	return worker_listen_open(a->conf, &a->sockets, to_stderr, NULL);
}

static void app_unbind(struct app *a)
{
	worker_listen_close(&a->sockets);
}

static enum err app_http_bind(struct app *a)
{
	return admin_bind(a->conf, &a->http, to_stderr, NULL);
}

static void app_http_unbind(struct app *a)
{
	admin_unbind(&a->http);
}

static enum err app_pid(struct app *a)
{
	return worker_process_write_pid(a->conf, &a->pid_fd, to_stderr, NULL);
}

static void app_unpid(struct app *a)
{
	worker_process_remove_pid(a->conf, a->pid_fd);
}

static enum err app_drop_root(struct app *a)
{
	return worker_process_drop(a->conf, to_stderr, NULL);
}

static enum err app_share(struct app *a)
{
	return relay_shared_new(&a->shared, a->conf);
}

static void app_unshare(struct app *a)
{
	relay_shared_free(a->shared);
}

/* The store opens nothing that needs a privilege. */
static enum err app_store_start(struct app *a)
{
	enum err e = worker_bridge_new(&a->bridge, a->shared);

	if (e)
		return e;
	e = worker_bridge_start(a->bridge, a->log, to_stderr, NULL);
	if (e)
		worker_bridge_free(a->bridge);
	return e;
}

static void app_store_stop(struct app *a)
{
	worker_bridge_stop(a->bridge);
	worker_bridge_free(a->bridge);
}

static enum err app_control(struct app *a)
{
	enum err e = worker_control_init(&a->control, a->log, a->lg);

	if (e)
		return e;
	e = worker_control_guard(&a->control, worker_bridge_failure_fd(a->bridge));
	if (e)
		worker_control_fini(&a->control);
	return e;
}

static void app_uncontrol(struct app *a)
{
	worker_control_fini(&a->control);
}

static enum err app_workers_start(struct app *a)
{
	enum err e = worker_pool_listen(&a->pool);

	return e ? e : worker_pool_start(&a->pool, a->shared, &a->sockets, a->cert, a->log,
					 a->bridge);
}

static void app_workers_stop(struct app *a)
{
	worker_process_stopping();
	worker_pool_stop(&a->pool);
}

/* After the privileges are gone: what cannot be read any more is noticed now. */
static enum err app_renew(struct app *a)
{
	worker_renew_init(&a->renew, a->conf, &a->tickets, a->cert, &a->pool, a->lg);
	return worker_control_renew(&a->control, &a->renew);
}

/* --- what the stats port knows of the rest --- */

static const struct counters *http_counters(void *arg, unsigned worker)
{
	const struct app *a = arg;

	return &a->pool.workers[worker].relay->cnt;
}

static bool http_send(void *arg, unsigned worker, const struct worker_msg *msg)
{
	struct app *a = arg;

	return !worker_pool_send(&a->pool, worker, msg);
}

static size_t http_ports(void *arg, struct admin_ports *out, size_t max)
{
	const struct relay_shared *s = ((struct app *)arg)->shared;
	size_t n = s->n_ips < max ? s->n_ips : max;

	for (size_t i = 0; i < n; i++)
		out[i] = (struct admin_ports){ s->ips[i], relay_ports_used_of(s->ports, i),
					       relay_ports_total(s->ports) };
	return n;
}

static size_t http_realms(void *arg, struct str *out, size_t max)
{
	return relay_realms_names(((struct app *)arg)->shared->realms, out, max);
}

static void http_users(void *arg, void (*fn)(void *to, const struct relay_peruser_row *row), void *to)
{
	relay_perusers_walk(((struct app *)arg)->shared->perusers, fn, to);
}

static time_t http_cert_expires(void *arg)
{
	const struct app *a = arg;

	return a->cert ? a->renew.expires : 0;
}

static void http_drain(void *arg, bool on, bool exit)
{
	worker_drain_set(&((struct app *)arg)->drain, on, exit, "api");
}

static bool http_draining(void *arg, bool *exit)
{
	const struct app *a = arg;

	*exit = a->drain.exit;
	return a->drain.on;
}

static size_t http_stores(void *arg, struct store_health *out, size_t max)
{
	return store_health(worker_bridge_store(((struct app *)arg)->bridge), out, max);
}

static bool http_order(void *arg, struct store_op *op)
{
	return !store_send_op(worker_bridge_store(((struct app *)arg)->bridge), op);
}

static void http_revoked(void *arg, struct str realm, struct str user)
{
	struct app *a = arg;

	if (worker_bridge_revoke(a->bridge, realm, user))
		log_warn(a->lg, NULL, "revoke_failed",
			 "note=\"running sessions of a revoked user go on: too many orders at once\"");
}

static void http_reload(void *arg)
{
	worker_control_reload(&((struct app *)arg)->control, "api");
}

static enum err app_http_start(struct app *a)
{
	static const struct admin_stores none;
	const struct admin_stores stores = { http_stores, http_order, http_revoked, a };
	const struct admin_host host = {
		.conf = a->conf,
		.loop = a->control.loop,
		.lg = a->lg,
		.n_workers = a->pool.n,
		.prefix = a->shared->prefix,
		.notes = a->pool.notes,
		.listen_fds = a->sockets.fds,
		.n_listen_fds = a->sockets.n,
		.counters = http_counters,
		.send = http_send,
		.ports = http_ports,
		.realms = http_realms,
		.users = http_users,
		.cert_expires = http_cert_expires,
		.drain = http_drain,
		.draining = http_draining,
		.reload = http_reload,
		.stores = worker_bridge_store(a->bridge) ? stores : none,
		.arg = a,
	};

	return admin_start(&a->admin, &host, &a->http);
}

static void app_http_stop(struct app *a)
{
	admin_stop(a->admin);
}

static enum err app_watch(struct app *a)
{
	worker_drain_init(&a->drain, &a->pool, (uint64_t)a->conf->drain_min_allocations, a->lg);
	worker_control_drain(&a->control, &a->drain);
	worker_trim_init(&a->trim, &a->pool, a->lg);
	worker_control_trim(&a->control, &a->trim);
	return OK;
}

struct stage {
	const char *name;
	enum err (*up)(struct app *a);
	void (*down)(struct app *a);
};

/* Up in order, down in reverse; a failure at n unwinds n-1 to 0. */
static const struct stage stages[] = {
	{ "configuration", app_conf_load, app_conf_free },
	{ "certificates", app_certs_load, app_certs_free },
	{ "background", app_background, NULL },
	{ "listeners", app_bind, app_unbind }, /* may need privileges */
	{ "stats port's socket", app_http_bind, app_http_unbind },
	{ "pid file", app_pid, app_unpid },
	{ "log", app_log_start, app_log_stop },
	{ "shared state", app_share, app_unshare }, /* likes a privilege: relay/hops.h */
	{ "privileges", app_drop_root, NULL },
	{ "store", app_store_start, app_store_stop },
	{ "control", app_control, app_uncontrol },
	{ "certificates' renewal", app_renew, NULL },
	{ "workers", app_workers_start, app_workers_stop },
	{ "watching the sessions", app_watch, NULL },
	{ "stats port", app_http_start, app_http_stop },
};

static void log_started(struct app *a)
{
	const struct conf *c = a->conf;
	char text[ADDR_TEXT_LEN];

	for (size_t i = 0; i < c->n_udp_listeners; i++)
		log_info(a->lg, NULL, "listening", "address=%s transport=udp dtls=%s",
			 addr_print(&c->udp_listeners[i], text), c->has_dtls ? "yes" : "no");
	for (size_t i = 0; i < c->n_stream_listeners; i++)
		log_info(a->lg, NULL, "listening", "address=%s transport=tcp tls=%s",
			 addr_print(&c->stream_listeners[i], text), c->has_tls ? "yes" : "no");
	if (a->admin)
		log_info(a->lg, NULL, "listening", "address=%s transport=%s service=stats",
			 addr_print(&c->http, text), c->http_cert_file ? "https" : "http");
	if (c->no_auth)
		log_warn(a->lg, NULL, "no_auth",
			 "note=\"everybody may relay: no-auth is set\"");
	log_info(a->lg, NULL, "started", "version=%s workers=%u realm=%s pid=%ld",
		 PACKAGE_VERSION, c->n_workers, c->realm, (long)getpid());
}

static int serve(struct app *a)
{
	log_started(a);
	worker_process_ready(a->ready_fd);
	return worker_control_run(&a->control) ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --check-config: what the table cannot know, the files, the databases and the addresses that it names. */
static int check_outside(struct app *a)
{
	enum err certs = app_certs_load(a), stores = store_check(a->conf, to_stderr, NULL);

	app_certs_free(a);
	worker_listen_check(a->conf, to_stderr, NULL);
	if (certs || stores)
		return EXIT_FAILURE;
	puts("the configuration is good");
	return EXIT_SUCCESS;
}

/* What needs no server. False: go on and run. */
static bool only_tell(struct app *a, int *status)
{
	switch (a->action) {
	case CONF_HELP:
		conf_print_help();
		*status = EXIT_SUCCESS;
		return true;
	case CONF_VERSION:
		conf_print_version();
		*status = EXIT_SUCCESS;
		return true;
	case CONF_CHECK:
		*status = check_outside(a);
		return true;
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	struct app a = { .argc = argc, .argv = argv, .ready_fd = -1, .pid_fd = -1, .http.fd = -1 };
	int status = EXIT_FAILURE;
	enum err e = OK;
	size_t up = 0;

	for (; up < ARRAY_LEN(stages) && !e; up++) {
		e = stages[up].up(&a);
		if (!e && up == 0 && only_tell(&a, &status)) {
			app_conf_free(&a);
			return status;
		}
	}
	if (e) {
		up--;
		if (e != ERR_CONF && up != 0)
			fprintf(stderr, "taciturn: cannot start (%s): %s\n", stages[up].name,
				err_text(e));
	} else {
		status = serve(&a);
	}
	while (up-- > 0)
		if (stages[up].down)
			stages[up].down(&a);
	return status;
}

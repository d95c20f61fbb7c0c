#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "admin/state.h"
#include "admin/token.h"
#include "base/mbox.h"

/* In the order of route.def. */
static admin_handler_fn *const handlers[ADMIN_N_ROUTES] = {
	[ADMIN_ROUTE_healthz] = admin_health_live,
	[ADMIN_ROUTE_readyz] = admin_health_ready,
	[ADMIN_ROUTE_metrics] = admin_metrics_serve,
	[ADMIN_ROUTE_status] = admin_status_serve,
	[ADMIN_ROUTE_history] = admin_history_serve,
	[ADMIN_ROUTE_sessions] = admin_sessions_list,
	[ADMIN_ROUTE_session] = admin_sessions_one,
	[ADMIN_ROUTE_session_end] = admin_sessions_end,
	[ADMIN_ROUTE_user] = admin_sessions_user,
	[ADMIN_ROUTE_user_quota] = admin_order_quota,
	[ADMIN_ROUTE_events] = admin_events_serve,
	[ADMIN_ROUTE_drain] = admin_control_drain,
	[ADMIN_ROUTE_reload] = admin_control_reload,
	[ADMIN_ROUTE_credentials] = admin_mint_serve,
	[ADMIN_ROUTE_check] = admin_mint_check,
	[ADMIN_ROUTE_revoke] = admin_order_revoke,
	[ADMIN_ROUTE_turn] = admin_mint_rest,
};

/* --- one request --- */

/* Before anything of the request is interpreted: the URI as it was sent. */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *conn)
{
	size_t len = strlen(uri);
	struct admin_request *q = calloc(1, sizeof *q + len + 1);

	if (!q)
		return NULL;
	q->a = cls;
	q->conn = conn;
	q->uri_len = len;
	memcpy(q->uri, uri, len);
	return q;
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **state,
			 enum MHD_RequestTerminationCode why)
{
	struct admin_request *q = *state;

	(void)cls;
	(void)conn;
	(void)why;
	if (!q)
		return;
	admin_ask_drop(q->ask);
	admin_order_drop(q->order);
	free(q->body);
	free(q);
	*state = NULL;
}

static enum MHD_Result refuse_method(struct admin_request *q, unsigned allowed)
{
	static const char *const names[] = { "GET", "POST", "PUT", "DELETE", "HEAD" };
	char allow[64] = "";

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (allowed & 1u << i) {
			strcat(allow, *allow ? ", " : "");
			strcat(allow, names[i]);
		}
	return admin_reply_problem_with(q, 405, "this path has other methods", "Allow", allow);
}

/* True: the request may go on. */
static bool authorize(struct admin_request *q, enum MHD_Result *result)
{
	const struct admin *a = q->a;
	const struct conf *conf = a->host.conf;
	const char *header = MHD_lookup_connection_value(q->conn, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_AUTHORIZATION);
	enum admin_role needed = q->route->role;
	enum conf_role has;

	if (needed == ADMIN_ROLE_OPEN || (needed == ADMIN_ROLE_METRICS && conf->http_open))
		return true;
	has = admin_token_role(conf, header);
	if (admin_token_may(has, needed))
		return true;
	if (has != CONF_ROLE_NONE) {
		*result = admin_reply_problem(q, 403, "the token's role does not allow this");
		return false;
	}
	if (header && log_seldom(&q->a->n_bad_tokens))
		log_info(a->host.lg, NULL, "token_rejected", "n=%llu", q->a->n_bad_tokens);
	*result = admin_reply_problem_with(
		q, 401, header ? "no such token" : "a token is needed", "WWW-Authenticate",
		header ? "Bearer error=\"invalid_token\"" : "Bearer");
	return false;
}

/* Without tokens there is no interface: not even to say what it would have. */
static bool is_closed(const struct admin *a, struct str path)
{
	bool api = path.len >= 4 && memcmp(path.p, "/api", 4) == 0;
	bool check = str_eq(path, STR_LIT("/api/v1/check"));

	if (check)
		return !a->host.conf->check_page;
	return a->host.conf->n_tokens == 0 && (api || str_eq(path, STR_LIT("/turn")));
}

/* The head is here. False: it was answered at once. */
static bool begin(struct admin_request *q, const char *method, enum MHD_Result *result)
{
	const char *mark = memchr(q->uri, '?', q->uri_len);
	size_t n = mark ? (size_t)(mark - q->uri) : q->uri_len;
	struct str path = { q->uri, n };
	struct str rest = { q->uri + n + 1, mark ? q->uri_len - n - 1 : 0 };
	unsigned m = admin_route_method(method);
	struct admin_found f =
		admin_route_find(path, m, str_of(q->a->host.conf->prometheus_path));

	q->begun = true;
	q->route = f.route;
	if (!f.allowed && m & (ADMIN_GET | ADMIN_HEAD) && admin_assets_serve(q, path, result))
		return false;
	if (!f.allowed || is_closed(q->a, path)) {
		*result = admin_reply_problem(q, 404, "no such path");
		return false;
	}
	if (!f.route) {
		*result = refuse_method(q, f.allowed);
		return false;
	}
	if (!authorize(q, result))
		return false;
	if (admin_route_decode(f.arg, q->arg, sizeof q->arg, &q->arg_len) ||
	    admin_route_query(rest, &q->query)) {
		*result = admin_reply_problem(q, 400,
					      "the path or the query is not well-formed, holds "
					      "a name twice, or is too long");
		return false;
	}
	return true;
}

static void collect(struct admin_request *q, const char *data, size_t len)
{
	char *body;

	if (q->too_large || q->body_len + len > ADMIN_BODY_MAX) {
		q->too_large = true;
		return;
	}
	body = realloc(q->body, q->body_len + len);
	if (!body) {
		q->too_large = true;
		return;
	}
	memcpy(body + q->body_len, data, len);
	q->body = body;
	q->body_len += len;
}

/* What is known to be too large before it comes is not read. */
static bool announces_too_much(struct admin_request *q)
{
	const char *len = MHD_lookup_connection_value(q->conn, MHD_HEADER_KIND,
						      MHD_HTTP_HEADER_CONTENT_LENGTH);

	return len && strtoull(len, NULL, 10) > ADMIN_BODY_MAX;
}

static bool brings_body(struct MHD_Connection *conn)
{
	const char *len =
		MHD_lookup_connection_value(conn, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return (len && strcmp(len, "0") != 0) ||
	       MHD_lookup_connection_value(conn, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *len, void **state)
{
	struct admin_request *q = *state;
	enum MHD_Result result;
	bool first;

	(void)cls;
	(void)conn;
	(void)url;
	(void)version;
	if (!q)
		return MHD_NO;
	first = !q->seen;
	q->seen = true;
	/* an answer before the body costs the connection: what has none waits for the next call */
	if (first && !brings_body(conn))
		return MHD_YES;
	if (!q->begun && !begin(q, method, &result))
		return result;
	if (announces_too_much(q))
		return admin_reply_problem(q, 413, "the body is larger than 16 KiB");
	if (first)
		return MHD_YES;
	if (*len) {
		collect(q, data, *len);
		*len = 0;
		return MHD_YES;
	}
	if (q->too_large)
		return admin_reply_problem(q, 413, "the body is larger than 16 KiB");
	return handlers[q->route->id](q);
}

/* Decoding is ours, after the path was cut. */
static size_t leave_escaped(void *cls, struct MHD_Connection *conn, char *text)
{
	(void)cls;
	(void)conn;
	return strlen(text);
}

/* --- libmicrohttpd in our loop --- */

/* Its own deadlines; 0 is at once. */
static void arm(struct admin *a)
{
	MHD_UNSIGNED_LONG_LONG ms = 0;
	struct itimerspec t = { { 0, 0 }, { 0, 0 } };

	if (MHD_get_timeout(a->daemon, &ms) == MHD_YES) {
		t.it_value.tv_sec = (time_t)(ms / 1000);
		t.it_value.tv_nsec = (long)(ms % 1000) * 1000000 + 1; /* 0 would disarm it */
	}
	timerfd_settime(a->timer_fd, 0, &t, NULL);
}

void admin_http_turn(struct admin *a)
{
	MHD_run(a->daemon);
	arm(a);
}

static void on_daemon(int fd, void *arg)
{
	(void)fd;
	admin_http_turn(arg);
}

static void on_timer(int fd, void *arg)
{
	uint64_t laps;

	(void)!read(fd, &laps, sizeof laps);
	admin_http_turn(arg);
}

static void on_second(int fd, void *arg)
{
	struct admin *a = arg;
	uint64_t laps;

	(void)!read(fd, &laps, sizeof laps);
	admin_sessions_second(a);
	admin_order_second(a);
	admin_history_second(a);
	admin_events_second(a);
	admin_http_turn(a);
}

static void on_notes(int fd, void *arg)
{
	struct admin *a = arg;
	struct worker_note note;

	(void)fd;
	while (!mbox_recv(a->host.notes, &note)) {
		if (note.kind == WORKER_NOTE_LISTED) {
			admin_sessions_answered(a, note.listing);
			note.listing = NULL;
		} else {
			admin_events_session(a, &note);
		}
		worker_note_dispose(&note);
	}
	admin_http_turn(a);
}

static void on_orders(int fd, void *arg)
{
	(void)fd;
	admin_order_turn(arg);
	admin_http_turn(arg);
}

/* --- up and down --- */

static enum err start_daemon(struct admin *a, const struct admin_bound *b)
{
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, b->cert },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, b->pkey },
		{ MHD_OPTION_END, 0, NULL },
	};

	if (b->cert)
		flags |= MHD_USE_TLS;
	else
		tls[0].option = MHD_OPTION_END;
	a->daemon = MHD_start_daemon(
		flags, 0, NULL, NULL, on_request, a, MHD_OPTION_LISTEN_SOCKET, b->fd,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)ADMIN_CONNECTIONS,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)ADMIN_IDLE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)16384, MHD_OPTION_URI_LOG_CALLBACK,
		on_uri, a, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_ARRAY, tls,
		MHD_OPTION_END);
	return a->daemon ? OK : ERR_SYS;
}

static int timer_new(unsigned every_s)
{
	const struct itimerspec t = { { every_s, 0 }, { every_s, 0 } };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd >= 0)
		timerfd_settime(fd, 0, &t, NULL);
	return fd;
}

static enum err watch_all(struct admin *a)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(a->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	struct net_loop *loop = a->host.loop;
	enum err e;

	a->timer_fd = timer_new(0);
	a->second_fd = timer_new(1);
	if (!info || a->timer_fd < 0 || a->second_fd < 0)
		return ERR_SYS;
	e = net_loop_watch(loop, &a->daemon_watch, info->epoll_fd, on_daemon, a);
	if (!e)
		e = net_loop_watch(loop, &a->timer_watch, a->timer_fd, on_timer, a);
	if (!e)
		e = net_loop_watch(loop, &a->second_watch, a->second_fd, on_second, a);
	if (!e)
		e = net_loop_watch(loop, &a->notes_watch, mbox_fd(a->host.notes), on_notes, a);
	if (!e)
		e = net_loop_watch(loop, &a->orders_watch, admin_order_fd(a), on_orders, a);
	return e;
}

static void unwatch(struct net_watch *w)
{
	if (w->fn)
		net_loop_unwatch(w);
}

enum err admin_start(struct admin **out, const struct admin_host *host,
		     struct admin_bound *bound)
{
	struct admin *a;
	enum err e;

	*out = NULL;
	if (bound->fd < 0)
		return OK;
	a = calloc(1, sizeof *a);
	if (!a)
		return ERR_NOMEM;
	a->host = *host;
	a->timer_fd = a->second_fd = -1;
	a->started = tick_now();
	list_init(&a->asks);
	list_init(&a->streams);
	list_init(&a->orders);
	e = admin_order_start(a);
	if (!e)
		e = start_daemon(a, bound);
	if (!e) {
		bound->fd = -1; /* MHD closes it */
		e = watch_all(a);
	}
	if (e) {
		log_error(host->lg, NULL, "http_failed",
			  "note=\"the stats port does not start: are http-cert and http-pkey a pair "
			  "of PEM files?\"");
		admin_stop(a);
		return e;
	}
	*out = a;
	return OK;
}

void admin_stop(struct admin *a)
{
	if (!a)
		return;
	unwatch(&a->orders_watch);
	unwatch(&a->notes_watch);
	unwatch(&a->second_watch);
	unwatch(&a->timer_watch);
	unwatch(&a->daemon_watch);
	admin_events_stop(a);
	admin_sessions_stop(a);
	admin_order_stop(a);
	if (a->daemon)
		MHD_stop_daemon(a->daemon);
	admin_order_end(a);
	if (a->timer_fd >= 0)
		close(a->timer_fd);
	if (a->second_fd >= 0)
		close(a->second_fd);
	free(a);
}

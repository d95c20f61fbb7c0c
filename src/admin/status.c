#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/figures.h"
#include "base/bug.h"

enum { MAX_PORTS = 64 };

static json_t *pair(uint64_t packets, uint64_t bytes)
{
	return json_pack("{s:I, s:I}", "packets", (json_int_t)packets, "bytes",
			 (json_int_t)bytes);
}

static json_t *traffic(const struct counters *c)
{
	return json_pack(
		"{s:o, s:o, s:o, s:o}", "from_clients",
		pair(counter_get(c, rx_client_packets), counter_get(c, rx_client_bytes)),
		"to_clients",
		pair(counter_get(c, tx_client_packets), counter_get(c, tx_client_bytes)),
		"from_peers", pair(counter_get(c, rx_peer_packets), counter_get(c, rx_peer_bytes)),
		"to_peers", pair(counter_get(c, tx_peer_packets), counter_get(c, tx_peer_bytes)));
}

static json_t *direction(const struct counters *c, unsigned transport, bool down)
{
	struct admin_relayed all = admin_figures_relayed(c, transport, down);

	return pair(all.packets, all.bytes);
}

static json_t *by_transport(const struct counters *c)
{
	json_t *all = json_object();

	for (unsigned t = 0; t < COUNTER_TRANSPORTS; t++)
		json_object_set_new(all, turn_transport_text(t),
				    json_pack("{s:o, s:o}", "up", direction(c, t, false), "down",
					      direction(c, t, true)));
	return all;
}

static json_t *sessions(const struct counters *c)
{
	json_t *kinds = json_object();

	for (unsigned t = 0; t < COUNTER_TRANSPORTS; t++)
		json_object_set_new(kinds, turn_transport_text(t),
				    json_integer((json_int_t)(counter_get(c, opened[t]) -
							      counter_get(c, closed[t]))));
	return json_pack("{s:I, s:I, s:I, s:o}", "now", (json_int_t)admin_figures_sessions(c),
			 "opened", (json_int_t)counter_get(c, alloc_opened), "ended",
			 (json_int_t)counter_get(c, alloc_closed), "by_transport", kinds);
}

/* Rows of counters.def whose name begins so: drop_junk is "junk" of the drops. */
static json_t *rows_of(const struct counters *c, const char *prefix)
{
	json_t *all = json_object();
	size_t n = strlen(prefix);

#define COUNTER(name, unit, help)                                      \
	if (strncmp(#name, prefix, n) == 0)                            \
		json_object_set_new(all, &#name[0] + n,                \
				    json_integer((json_int_t)counter_get(c, name)));
#include "base/counters.def"
#undef COUNTER
	return all;
}

static json_t *ports(const struct admin *a)
{
	struct admin_ports p[MAX_PORTS];
	size_t n = a->host.ports(a->host.arg, p, MAX_PORTS);
	char text[ADDR_IP_TEXT];
	json_t *all = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(all,
				      json_pack("{s:s, s:I, s:I}", "address",
						addr_print_ip(&p[i].ip, text), "used",
						(json_int_t)p[i].used, "total",
						(json_int_t)p[i].total));
	return all;
}

static json_t *lags(const struct admin *a)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < a->host.n_workers; i++)
		json_array_append_new(all, json_real(admin_figures_lag_s(a, i)));
	return all;
}

static json_t *process(void)
{
	struct admin_process p;

	admin_figures_process(&p);
	return json_pack("{s:i, s:I, s:I, s:I}", "pid", (int)getpid(), "fds",
			 (json_int_t)p.fds, "max_fds", (json_int_t)p.max_fds, "resident_bytes",
			 (json_int_t)p.resident);
}

static json_t *certificate(const struct admin *a)
{
	time_t at = a->host.cert_expires(a->host.arg);

	return at ? json_pack("{s:I}", "expires_at", (json_int_t)at) : json_null();
}

static json_t *stores(const struct admin *a)
{
	const struct admin_stores *s = &a->host.stores;
	struct store_health h[ADMIN_STORES];
	size_t n = s->health ? s->health(s->arg, h, ADMIN_STORES) : 0;
	json_t *all = json_array();

	for (size_t i = 0; i < n && i < ADMIN_STORES; i++)
		json_array_append_new(
			all, json_pack("{s:s, s:s, s:b, s:b, s:I, s:s}", "kind", h[i].kind,
				       "used_for", h[i].used_for, "up", h[i].up, "needed",
				       h[i].needed, "waiting", (json_int_t)h[i].waiting, "why",
				       h[i].why));
	return all;
}

static void add_listeners(json_t *all, const struct addr *v, size_t n, const char *transport)
{
	char text[ADDR_TEXT_LEN];

	for (size_t i = 0; i < n; i++)
		json_array_append_new(all, json_pack("{s:s, s:s}", "address",
						     addr_print(&v[i], text), "transport",
						     transport));
}

static json_t *listeners(const struct conf *c)
{
	json_t *all = json_array();

	add_listeners(all, c->udp_listeners, c->n_udp_listeners, "udp");
	add_listeners(all, c->stream_listeners, c->n_stream_listeners, "tcp");
	return all;
}

/* NODE.EPOCH. is the prefix of every id; a node's name may hold dots. */
static void add_node(json_t *all, const char *prefix)
{
	size_t n = strlen(prefix) - 1, dot = n;

	while (dot && prefix[dot - 1] != '.')
		dot--;
	json_object_set_new(all, "node", admin_reply_string(prefix, dot ? dot - 1 : 0));
	json_object_set_new(all, "epoch", json_integer(strtoll(prefix + dot, NULL, 10)));
}

static void add_figures(json_t *all, const struct admin *a, const struct counters *c)
{
	json_object_set_new(all, "sessions", sessions(c));
	json_object_set_new(all, "connections",
			    json_pack("{s:I, s:I, s:I}", "now",
				      (json_int_t)admin_figures_streams(c), "opened",
				      (json_int_t)counter_get(c, conn_opened), "refused",
				      (json_int_t)counter_get(c, conn_refused)));
	json_object_set_new(all, "traffic", traffic(c));
	json_object_set_new(all, "by_transport", by_transport(c));
	json_object_set_new(all, "drops", rows_of(c, "drop_"));
	json_object_set_new(all, "errors", rows_of(c, "err_"));
	json_object_set_new(all, "auth", rows_of(c, "auth_"));
	json_object_set_new(all, "ports", ports(a));
	json_object_set_new(all, "workers_lag_s", lags(a));
	json_object_set_new(all, "process", process());
	json_object_set_new(all, "certificate", certificate(a));
	json_object_set_new(all, "streams", json_pack("{s:i, s:i}", "now", (int)a->n_streams,
						      "max", (int)ADMIN_STREAMS));
}

json_t *admin_status_json(struct admin *a, bool whole)
{
	struct counters sum;
	bool leaves, draining = a->host.draining(a->host.arg, &leaves);
	json_t *all = json_pack("{s:s, s:s, s:f, s:f, s:i, s:s}", "version", PACKAGE_VERSION,
				"realm", a->host.conf->realm, "now_at", admin_figures_now(),
				"uptime_s", (double)(tick_now() - a->started) / 1000, "workers",
				(int)a->host.n_workers, "state",
				draining ? "draining" : "serving");

	if (!all)
		return NULL;
	admin_figures_sum(a, &sum);
	add_node(all, a->host.prefix);
	add_figures(all, a, &sum);
	if (whole) {
		json_object_set_new(all, "stores", stores(a));
		json_object_set_new(all, "listeners", listeners(a->host.conf));
	}
	return all;
}

enum MHD_Result admin_status_serve(struct admin_request *q)
{
	return admin_reply_json(q, MHD_HTTP_OK, admin_status_json(q->a, true));
}

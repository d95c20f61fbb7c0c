#include "admin/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"

enum { MAX_PORTS = 64 };

enum metric {
#define METRIC(name, type, help) METRIC_##name,
#include "admin/metrics.def"
#undef METRIC
	N_METRICS
};

static const struct {
	const char *name, *type, *help;
} metrics[N_METRICS] = {
#define METRIC(name, type, help) { #name, #type, help },
#include "admin/metrics.def"
#undef METRIC
};

static const char *const ways[] = { "up", "down" };

static void head(FILE *f, enum metric m)
{
	fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", metrics[m].name, metrics[m].help,
		metrics[m].name, metrics[m].type);
}

static void number(FILE *f, enum metric m, uint64_t v)
{
	head(f, m);
	fprintf(f, "%s %llu\n", metrics[m].name, (unsigned long long)v);
}

/* A label's value, of text that others chose: what is no UTF-8 becomes U+FFFD. */
void admin_metrics_label(FILE *f, struct str text)
{
	json_t *safe = admin_reply_string(text.p, text.len);
	const char *p = json_string_value(safe);

	for (; p && *p; p++) {
		if (*p == '\n') {
			fputs("\\n", f);
			continue;
		}
		if (*p == '"' || *p == '\\')
			fputc('\\', f);
		fputc(*p, f);
	}
	json_decref(safe);
}

/* --- counters.def, a series each --- */

static void write_table(FILE *f, const struct counters *c)
{
#define COUNTER(name, unit, help)                                                             \
	fprintf(f,                                                                            \
		"# HELP taciturn_" #name "_total " help "\n"                                  \
		"# TYPE taciturn_" #name "_total counter\n"                                   \
		"taciturn_" #name "_total %llu\n",                                            \
		(unsigned long long)counter_get(c, name));
#include "base/counters.def"
#undef COUNTER
}

/* --- with labels --- */

static void relayed_in(FILE *f, enum metric m, struct str realm, const struct counter_traffic of[][2][2], bool bytes)
{
	static const char *const families[] = { "ipv4", "ipv6" };

	for (unsigned i = 0; i < COUNTER_TRANSPORTS * 4; i++) {
		const struct counter_traffic *t = &of[i / 4][i / 2 % 2][i % 2];

		fprintf(f, "%s{transport=\"%s\",family=\"%s\",direction=\"%s\",realm=\"", metrics[m].name,
			turn_transport_text((enum turn_transport)(i / 4)), families[i / 2 % 2], ways[i % 2]);
		admin_metrics_label(f, realm);
		fprintf(f, "\"} %llu\n",
			(unsigned long long)(bytes ? counter_get(t, bytes) : counter_get(t, packets)));
	}
}

static void write_relayed(FILE *f, enum metric m, const struct admin *a, const struct counters *c, bool bytes)
{
	struct str realms[COUNTER_REALMS];
	size_t n = a->host.realms(a->host.arg, realms, COUNTER_REALMS);

	head(f, m);
	for (size_t i = 0; i < n; i++)
		relayed_in(f, m, realms[i], c->relayed[i], bytes);
	if (n == RELAY_REALM_OTHERS) /* no place is left: there may be others */
		relayed_in(f, m, STR_LIT("(others)"), c->relayed[n], bytes);
}

static void write_path(FILE *f, const struct counters *c)
{
	uint64_t all = 0, in_kernel = counter_get(c, in_kernel);

	for (unsigned i = 0; i < COUNTER_TRANSPORTS * 2; i++)
		all += admin_figures_relayed(c, i / 2, i % 2).packets;
	head(f, METRIC_taciturn_path_packets_total);
	fprintf(f, "taciturn_path_packets_total{path=\"user\"} %llu\n"
		   "taciturn_path_packets_total{path=\"kernel\"} %llu\n",
		(unsigned long long)(all > in_kernel ? all - in_kernel : 0), (unsigned long long)in_kernel);
}

static void write_auth(FILE *f, const struct counters *c)
{
	_Static_assert((int)N_AUTH_WHY <= (int)COUNTER_WHYS, "each has a counter");
	static const char *const results[N_AUTH_WHY] = {
		[AUTH_WHY_NONE] = "ok",
		[AUTH_WHY_NO_CREDENTIALS] = "challenge",
		[AUTH_WHY_INCOMPLETE] = "bad",
		[AUTH_WHY_STALE_NONCE] = "stale",
		[AUTH_WHY_FOREIGN_NONCE] = "stale",
	};

	head(f, METRIC_taciturn_auth_results_total);
	for (unsigned i = 0; i < N_AUTH_WHY; i++)
		fprintf(f, "taciturn_auth_results_total{result=\"%s\",reason=\"%s\"} %llu\n",
			results[i] ? results[i] : "reject", auth_why_text((enum auth_why)i),
			(unsigned long long)counter_get(c, judged[i]));
	fprintf(f, "taciturn_auth_results_total{result=\"error\",reason=\"unavailable\"} %llu\n",
		(unsigned long long)counter_get(c, auth_error));
}

static void write_refusals(FILE *f, const struct counters *c)
{
	head(f, METRIC_taciturn_allocations_refused_total);
	for (unsigned i = 0; i < N_RELAY_REFUSAL; i++)
		fprintf(f, "taciturn_allocations_refused_total{reason=\"%s\"} %llu\n",
			relay_refusal_text((enum relay_refusal)i), (unsigned long long)counter_get(c, refused[i]));
}

static void write_handshakes(FILE *f, const struct counters *c)
{
	const struct {
		const char *transport, *version, *result;
		uint64_t n;
	} rows[] = {
		{ "tls", "TLSv1.2", "ok", counter_get(c, tls12_ok) },
		{ "tls", "TLSv1.3", "ok", counter_get(c, tls13_ok) },
		{ "tls", "none", "failed", counter_get(c, tls_failed) },
		{ "dtls", "DTLSv1.2", "ok", counter_get(c, dtls_ok) },
		{ "dtls", "none", "failed", counter_get(c, dtls_failed) },
	};

	head(f, METRIC_taciturn_handshakes_total);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		fprintf(f, "taciturn_handshakes_total{transport=\"%s\",version=\"%s\",result=\"%s\"} %llu\n",
			rows[i].transport, rows[i].version, rows[i].result, (unsigned long long)rows[i].n);
}

/* --- histograms --- */

static const struct {
	enum metric metric; /* those of one are neighbours */
	const char *label;  /* with a comma behind it */
} histograms[N_HISTOGRAMS] = {
	[HISTOGRAM_setup] = { METRIC_taciturn_setup_seconds, "" },
	[HISTOGRAM_delay_up] = { METRIC_taciturn_relay_delay_seconds, "direction=\"up\"," },
	[HISTOGRAM_delay_down] = { METRIC_taciturn_relay_delay_seconds, "direction=\"down\"," },
	[HISTOGRAM_loss_client] = { METRIC_taciturn_leg_loss_ratio, "leg=\"client\"," },
	[HISTOGRAM_loss_peer] = { METRIC_taciturn_leg_loss_ratio, "leg=\"peer\"," },
	[HISTOGRAM_jitter_client] = { METRIC_taciturn_leg_jitter_seconds, "leg=\"client\"," },
	[HISTOGRAM_jitter_peer] = { METRIC_taciturn_leg_jitter_seconds, "leg=\"peer\"," },
	[HISTOGRAM_rtt_client] = { METRIC_taciturn_leg_rtt_seconds, "leg=\"client\"," },
	[HISTOGRAM_rtt_peer] = { METRIC_taciturn_leg_rtt_seconds, "leg=\"peer\"," },
};

static void write_histogram(FILE *f, enum histogram_id id, const struct histogram *h)
{
	const char *name = metrics[histograms[id].metric].name, *label = histograms[id].label;
	const uint64_t *bounds = histogram_bounds(id);
	double unit = (double)histogram_unit(id);
	int n = (int)strlen(label) - 1; /* without the comma */
	uint64_t sum = 0;

	for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
		sum += counter_get(h, bucket[i]);
		fprintf(f, "%s_bucket{%sle=\"%g\"} %llu\n", name, label, (double)bounds[i] / unit,
			(unsigned long long)sum);
	}
	sum += counter_get(h, bucket[HISTOGRAM_BOUNDS]);
	fprintf(f, "%s_bucket{%sle=\"+Inf\"} %llu\n", name, label, (unsigned long long)sum);
	fprintf(f, "%s_sum%s%.*s%s %.6f\n", name, n > 0 ? "{" : "", n > 0 ? n : 0, label, n > 0 ? "}" : "",
		(double)counter_get(h, sum) / unit);
	fprintf(f, "%s_count%s%.*s%s %llu\n", name, n > 0 ? "{" : "", n > 0 ? n : 0, label, n > 0 ? "}" : "",
		(unsigned long long)sum);
}

static void write_histograms(FILE *f, const struct counters *c)
{
	for (unsigned i = 0; i < N_HISTOGRAMS; i++) {
		if (i == 0 || histograms[i].metric != histograms[i - 1].metric)
			head(f, histograms[i].metric);
		write_histogram(f, (enum histogram_id)i, &c->histograms[i]);
	}
}

/* --- users --- */

/* Where the three series of users go, until all are known: each has to stand by itself. */
struct user_series {
	FILE *packets, *bytes, *sessions;
};

static void user_labels(FILE *f, enum metric m, const struct relay_peruser_row *row)
{
	fprintf(f, "%s{user=\"", metrics[m].name);
	admin_metrics_label(f, row->user);
	fputs("\",realm=\"", f);
	admin_metrics_label(f, row->realm);
}

static void user_traffic(FILE *f, enum metric m, const struct relay_peruser_row *row, const uint64_t v[2])
{
	for (int i = 0; i < 2; i++) {
		user_labels(f, m, row);
		fprintf(f, "\",direction=\"%s\"} %llu\n", ways[i], (unsigned long long)v[i]);
	}
}

static void on_user(void *arg, const struct relay_peruser_row *row)
{
	const struct user_series *s = arg;

	user_traffic(s->packets, METRIC_taciturn_user_relayed_packets_total, row,
		     (uint64_t[]){ row->up.packets, row->down.packets });
	user_traffic(s->bytes, METRIC_taciturn_user_relayed_bytes_total, row,
		     (uint64_t[]){ row->up.bytes, row->down.bytes });
	user_labels(s->sessions, METRIC_taciturn_user_sessions, row);
	fprintf(s->sessions, "\"} %llu\n", (unsigned long long)row->sessions);
}

static void write_users(FILE *f, const struct admin *a)
{
	struct user_series s = { f, NULL, NULL };
	char *bytes = NULL, *sessions = NULL;
	size_t n_bytes = 0, n_sessions = 0;

	if (!a->host.conf->metrics_user_labels)
		return;
	s.bytes = open_memstream(&bytes, &n_bytes);
	s.sessions = open_memstream(&sessions, &n_sessions);
	if (s.bytes && s.sessions) {
		head(s.packets, METRIC_taciturn_user_relayed_packets_total);
		head(s.bytes, METRIC_taciturn_user_relayed_bytes_total);
		head(s.sessions, METRIC_taciturn_user_sessions);
		a->host.users(a->host.arg, on_user, &s);
	}
	if (s.bytes)
		fclose(s.bytes);
	if (s.sessions)
		fclose(s.sessions);
	fwrite(bytes ? bytes : "", 1, n_bytes, f);
	fwrite(sessions ? sessions : "", 1, n_sessions, f);
	free(bytes);
	free(sessions);
}

static void write_answers(FILE *f, const struct counters *c)
{
	head(f, METRIC_taciturn_answers_total);
	for (unsigned m = 0; m < COUNTER_METHODS; m++)
		for (unsigned i = 0; i < COUNTER_CODES && admin_figures_method(m); i++) {
			uint64_t n = counter_get(c, answers[m][i]);

			if (n || i == 0)
				fprintf(f,
					"taciturn_answers_total{method=\"%s\",code=\"%u\"} %llu\n",
					admin_figures_method(m), admin_figures_codes[i],
					(unsigned long long)n);
		}
}

static void write_sessions(FILE *f, const struct counters *c)
{
	head(f, METRIC_taciturn_sessions);
	for (unsigned t = 0; t < COUNTER_TRANSPORTS; t++) {
		uint64_t opened = counter_get(c, opened[t]), closed = counter_get(c, closed[t]);

		fprintf(f, "taciturn_sessions{transport=\"%s\"} %llu\n",
			turn_transport_text((enum turn_transport)t),
			(unsigned long long)(opened > closed ? opened - closed : 0));
	}
	head(f, METRIC_taciturn_sessions_ended_total);
	for (unsigned i = 0; i < N_TURN_END; i++)
		if (i != TURN_END_REFUSED)
			fprintf(f, "taciturn_sessions_ended_total{reason=\"%s\"} %llu\n",
				turn_end_text((enum turn_end)i),
				(unsigned long long)counter_get(c, ended[i]));
}

static void write_ports(FILE *f, const struct admin *a)
{
	struct admin_ports p[MAX_PORTS];
	size_t n = a->host.ports(a->host.arg, p, MAX_PORTS);
	char text[ADDR_IP_TEXT];

	head(f, METRIC_taciturn_ports_used);
	for (size_t i = 0; i < n; i++)
		fprintf(f, "taciturn_ports_used{address=\"%s\"} %llu\n",
			addr_print_ip(&p[i].ip, text), (unsigned long long)p[i].used);
	head(f, METRIC_taciturn_ports);
	for (size_t i = 0; i < n; i++)
		fprintf(f, "taciturn_ports{address=\"%s\"} %llu\n",
			addr_print_ip(&p[i].ip, text), (unsigned long long)p[i].total);
}

/* --- databases --- */

static void store_value(FILE *f, enum metric m, const struct store_health *h, uint64_t v)
{
	fprintf(f, "%s{store=\"%s\",used_for=\"%s\"} %llu\n", metrics[m].name, h->kind, h->used_for,
		(unsigned long long)v);
}

static void store_latency(FILE *f, const struct store_health *h)
{
	static const char *const bounds[] = { "0.00025", "0.0005", "0.001", "0.0025",
					      "0.005",	 "0.01",   "0.025", "0.05",
					      "0.1",	 "0.25",   "1",	    "+Inf" };
	uint64_t sum = 0;

	_Static_assert(ARRAY_LEN(bounds) == ARRAY_LEN(h->latency_bucket), "a bound each");
	for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
		sum += h->latency_bucket[i];
		fprintf(f,
			"taciturn_store_latency_seconds_bucket{store=\"%s\",used_for=\"%s\","
			"le=\"%s\"} %llu\n",
			h->kind, h->used_for, bounds[i], (unsigned long long)sum);
	}
	fprintf(f, "taciturn_store_latency_seconds_sum{store=\"%s\",used_for=\"%s\"} %.6f\n",
		h->kind, h->used_for, (double)h->latency_us_sum / 1e6);
	fprintf(f, "taciturn_store_latency_seconds_count{store=\"%s\",used_for=\"%s\"} %llu\n",
		h->kind, h->used_for, (unsigned long long)sum);
}

static void write_stores(FILE *f, const struct admin *a)
{
	const struct admin_stores *s = &a->host.stores;
	struct store_health h[ADMIN_STORES];
	size_t n = s->health ? s->health(s->arg, h, ADMIN_STORES) : 0;

	n = n < ADMIN_STORES ? n : ADMIN_STORES;
	if (n == 0)
		return;
#define EACH(m, field)                     \
	head(f, METRIC_##m);               \
	for (size_t i = 0; i < n; i++)     \
	store_value(f, METRIC_##m, &h[i], h[i].field)
	EACH(taciturn_store_up, up);
	EACH(taciturn_store_operations_total, n_ops);
	EACH(taciturn_store_failures_total, n_failed);
	EACH(taciturn_store_reconnects_total, n_reconnects);
	EACH(taciturn_store_waiting, waiting);
	EACH(taciturn_store_rows_lost_total, lost);
	EACH(taciturn_byte_quota_near_total, near);
	EACH(taciturn_byte_quota_over_total, over);
#undef EACH
	head(f, METRIC_taciturn_store_latency_seconds);
	for (size_t i = 0; i < n; i++)
		store_latency(f, &h[i]);
}

/* --- the process --- */

static void write_process(FILE *f, const struct admin *a)
{
	double up = (double)(tick_now() - a->started) / 1000;
	time_t expires = a->host.cert_expires(a->host.arg);
	struct admin_process p;
	bool leaves;

	admin_figures_process(&p);
	head(f, METRIC_taciturn_worker_loop_lag_seconds);
	for (unsigned i = 0; i < a->host.n_workers; i++)
		fprintf(f, "taciturn_worker_loop_lag_seconds{worker=\"%u\"} %.3f\n", i,
			admin_figures_lag_s(a, i));
	number(f, METRIC_taciturn_draining, a->host.draining(a->host.arg, &leaves));
	if (expires)
		number(f, METRIC_taciturn_certificate_expiry_timestamp_seconds,
		       (uint64_t)expires);
	number(f, METRIC_taciturn_http_requests_total, a->n_requests);
	number(f, METRIC_taciturn_http_refused_total, a->n_refused);
	number(f, METRIC_taciturn_http_event_streams, a->n_streams);
	head(f, METRIC_taciturn_build_info);
	fprintf(f, "taciturn_build_info{version=\"%s\"} 1\n", PACKAGE_VERSION);
	head(f, METRIC_process_start_time_seconds);
	fprintf(f, "process_start_time_seconds %.0f\n", admin_figures_now() - up);
	number(f, METRIC_process_open_fds, p.fds);
	number(f, METRIC_process_max_fds, p.max_fds);
	number(f, METRIC_process_resident_memory_bytes, p.resident);
}

void admin_metrics_write(FILE *f, const struct admin *a, const struct counters *sum)
{
	write_table(f, sum);
	write_relayed(f, METRIC_taciturn_relayed_packets_total, a, sum, false);
	write_relayed(f, METRIC_taciturn_relayed_bytes_total, a, sum, true);
	write_path(f, sum);
	write_users(f, a);
	write_histograms(f, sum);
	write_answers(f, sum);
	write_auth(f, sum);
	write_refusals(f, sum);
	write_handshakes(f, sum);
	write_sessions(f, sum);
	number(f, METRIC_taciturn_connections, admin_figures_streams(sum));
	write_ports(f, a);
	number(f, METRIC_taciturn_queue_drops_total, admin_figures_queue_drops(a));
	write_stores(f, a);
	write_process(f, a);
}

enum MHD_Result admin_metrics_serve(struct admin_request *q)
{
	struct counters sum;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return admin_reply_problem(q, 500, "no memory");
	admin_figures_sum(q->a, &sum);
	admin_metrics_write(f, q->a, &sum);
	if (q->a->host.conf->prometheus)
		admin_legacy_write(f, q->a, &sum);
	if (fclose(f)) {
		free(text);
		return admin_reply_problem(q, 500, "no memory");
	}
	return admin_reply_text(q, text, len, "text/plain; version=0.0.4; charset=utf-8");
}

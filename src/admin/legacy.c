/*
 * coturn's series, for dashboards that exist. Unlike coturn's they are live: traffic counts while a session
 * runs, not when it has ended, and does not wrap.
 */
#include "admin/metrics.h"

static void series(FILE *f, const char *name, const char *help, uint64_t v)
{
	fprintf(f, "# HELP %s %s\n# TYPE %s counter\n%s %llu\n", name, help, name, name,
		(unsigned long long)v);
}

static void traffic(FILE *f, const char *realm, const char *name, const char *what, uint64_t v)
{
	char total[64], help[96];

	fprintf(f, "# HELP turn_traffic_%s %s\n# TYPE turn_traffic_%s counter\nturn_traffic_%s{realm=\"",
		name, what, name, name);
	admin_metrics_label(f, str_of(realm));
	fprintf(f, "\"} %llu\n", (unsigned long long)v);
	snprintf(total, sizeof total, "turn_total_traffic_%s", name);
	snprintf(help, sizeof help, "%s, of all realms", what);
	series(f, total, help, v);
}

static void allocations(FILE *f, const struct counters *c)
{
	static const char *const types[COUNTER_TRANSPORTS] = { "UDP", "TCP", "TLS/TCP", "DTLS" };

	fputs("# HELP turn_total_allocations allocations now\n"
	      "# TYPE turn_total_allocations gauge\n",
	      f);
	for (unsigned t = 0; t < COUNTER_TRANSPORTS; t++) {
		uint64_t opened = counter_get(c, opened[t]), closed = counter_get(c, closed[t]);

		if (opened) /* as coturn: not before the first */
			fprintf(f, "turn_total_allocations{type=\"%s\"} %llu\n", types[t],
				(unsigned long long)(opened > closed ? opened - closed : 0));
	}
}

void admin_legacy_write(FILE *f, const struct admin *a, const struct counters *c)
{
	const char *realm = a->host.conf->realm;
	uint64_t binding = counter_get(c, req_binding), answered = counter_get(c, answers[1][0]);
	uint64_t rejected = counter_get(c, err_401), kept = counter_get(c, drop_throttled);
	uint64_t errors = 0;

	for (unsigned i = 1; i < COUNTER_CODES; i++)
		errors += counter_get(c, answers[1][i]);
	series(f, "stun_binding_request", "Binding requests", binding);
	series(f, "stun_binding_response", "Binding answers", answered);
	series(f, "stun_binding_error", "Binding errors", errors);
	traffic(f, realm, "rcvp", "packets from clients", counter_get(c, rx_client_packets));
	traffic(f, realm, "rcvb", "bytes from clients", counter_get(c, rx_client_bytes));
	traffic(f, realm, "sentp", "packets to clients", counter_get(c, tx_client_packets));
	traffic(f, realm, "sentb", "bytes to clients", counter_get(c, tx_client_bytes));
	traffic(f, realm, "peer_rcvp", "packets from peers", counter_get(c, rx_peer_packets));
	traffic(f, realm, "peer_rcvb", "bytes from peers", counter_get(c, rx_peer_bytes));
	traffic(f, realm, "peer_sentp", "packets to peers", counter_get(c, tx_peer_packets));
	traffic(f, realm, "peer_sentb", "bytes to peers", counter_get(c, tx_peer_bytes));
	allocations(f, c);
	series(f, "turn_packet_processed", "packets from clients that were handled",
	       counter_get(c, rx_client_packets));
	series(f, "turn_packet_dropped", "packets from clients that were nothing known",
	       counter_get(c, drop_junk) + counter_get(c, drop_malformed));
	series(f, "turn_unauthenticated_401_requests", "requests without good credentials",
	       rejected + kept);
	series(f, "turn_unauthenticated_401_responses", "401 answers", rejected);
	series(f, "turn_unauthenticated_401_dropped_responses", "401 answers beyond the ration",
	       kept);
}

#include "worker/certs.h"

#include <stdlib.h>

#include "base/bug.h"

static const char *or_null(const char *s)
{
	return s && *s ? s : NULL;
}

enum err worker_certs_load(const struct conf *conf, struct net_tickets **tickets,
			   struct net_cert **cert, conf_report_fn *report, void *arg)
{
	/* RFC 7443; and what browsers want to hear, for the backend alone. No h2: servers that speak it without
	 * TLS are few, and every client that offers h2 speaks the other too. */
	static const char *const alpn[] = { "stun.turn", "stun.nat-discovery", "http/1.1" };
	struct net_cert_options o = {
		.n_pairs = conf->cert.n,
		.pkey_password = or_null(conf->pkey_pwd),
		.cipher_list = or_null(conf->cipher_list),
		.ca_file = or_null(conf->ca_file),
		.ocsp_file = or_null(conf->ocsp_staple_file),
		.min_version = conf->no_tlsv1_2 || conf->tls_min_version ? TLS1_3_VERSION
									 : TLS1_2_VERSION,
		.dtls = conf->has_dtls,
		.alpn = alpn,
		.n_alpn = conf->has_backend ? ARRAY_LEN(alpn) : ARRAY_LEN(alpn) - 1,
	};
	struct net_cert_pair *pairs;
	char why[512];
	enum err e = OK;

	if (!conf->has_tls && !conf->has_dtls)
		return OK;
	if (!*tickets)
		e = net_tickets_new(tickets, WORKER_TICKET_ROTATE_S);
	pairs = calloc(conf->cert.n, sizeof *pairs);
	if (e || !pairs) {
		free(pairs);
		return e ? e : ERR_NOMEM;
	}
	for (size_t i = 0; i < conf->cert.n; i++)
		pairs[i] = (struct net_cert_pair){ conf->cert.v[i], conf->pkey.v[i] };
	o.pairs = pairs;
	o.tickets = *tickets;
	e = net_cert_load(cert, &o, why, sizeof why);
	free(pairs);
	if (!e)
		return OK;
	report(true, why, arg);
	return ERR_CONF;
}

/* alternate-server and its relatives: where clients of each kind are sent instead. */
#include <stdlib.h>
#include <string.h>

#include "conf/check.h"

enum {
	PORT = 3478,
	TLS_PORT = 5349,
	DOMAIN_MAX = 255, /* RFC 8489 s.14.16 */
};

static bool parse(const char *text, uint16_t port, struct addr *out)
{
	return !addr_parse(str_of(text), port, out) && !addr_is_any(out) && out->port;
}

static void check_list(struct conf_reader *r, const char *name, const struct conf_list *list)
{
	struct addr a;

	for (size_t i = 0; i < list->n; i++)
		if (!parse(list->v[i], PORT, &a))
			conf_reader_error(r, list->line[i], name,
					  "'%s' is none of IP, IPv4:PORT and [IPv6]:PORT", list->v[i]);
}

/* A list of their own, else the one of all; what is wrong in it was said before. */
static void build(struct conf_reader *r, enum conf_alternate_kind kind, const struct conf_list *own)
{
	const struct conf_list *list = own->n ? own : &r->conf->alternate_server;
	struct conf_alternates *out = &r->conf->alternates[kind];

	out->v = calloc(list->n + 1, sizeof *out->v);
	if (!out->v) {
		r->no_memory = true;
		return;
	}
	for (size_t i = 0; i < list->n; i++)
		out->n += parse(list->v[i], kind == CONF_ALTERNATE_TLS ? TLS_PORT : PORT, &out->v[out->n]);
}

static void check_domain(struct conf_reader *r)
{
	struct conf *c = r->conf;
	int at = r->at[CONF_ROW_alternate_domain];
	size_t n = c->alternate_domain ? strlen(c->alternate_domain) : 0;

	for (size_t i = 0; i < n; i++)
		if (c->alternate_domain[i] <= ' ' || c->alternate_domain[i] > '~' || n > DOMAIN_MAX) {
			conf_reader_error(r, at, "alternate-domain",
					  "is not a DNS name of %d characters at most", DOMAIN_MAX);
			return;
		}
	if (n && !c->alternates[CONF_ALTERNATE_TLS].n)
		conf_reader_warn(r, at, "alternate-domain",
				 "has no effect without alternate-server or tls-alternate-server");
}

void conf_alternates_build(struct conf_reader *r)
{
	struct conf *c = r->conf;

	check_list(r, "alternate-server", &c->alternate_server);
	check_list(r, "udp-alternate-server", &c->udp_alternate_server);
	check_list(r, "tcp-alternate-server", &c->tcp_alternate_server);
	check_list(r, "tls-alternate-server", &c->tls_alternate_server);
	build(r, CONF_ALTERNATE_UDP, &c->udp_alternate_server);
	build(r, CONF_ALTERNATE_TCP, &c->tcp_alternate_server);
	build(r, CONF_ALTERNATE_TLS, &c->tls_alternate_server);
	check_domain(r);
	if (c->no_auth && (c->alternates[CONF_ALTERNATE_UDP].n || c->alternates[CONF_ALTERNATE_TCP].n ||
			   c->alternates[CONF_ALTERNATE_TLS].n))
		conf_reader_warn(r, r->at[CONF_ROW_no_auth], "no-auth",
				 "leaves alternate-server without effect: only who has authenticated may be "
				 "sent elsewhere (RFC 8489)");
}

void conf_alternates_fini(struct conf *c)
{
	for (int i = 0; i < CONF_N_ALTERNATES; i++)
		free(c->alternates[i].v);
}

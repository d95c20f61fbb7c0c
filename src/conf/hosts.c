#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "conf/addrs.h"
#include "conf/check.h"

enum { TLS_PORT = 5349 }; /* the default: whoever chooses another one wants TLS */

/* Addresses of interfaces that are up, of one family or of both (ADDR_NONE). */
static void add_local(struct conf_reader *r, struct conf_addrs *l, enum addr_family family,
		      bool loopback)
{
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all))
		return;
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct addr a;

		if (!i->ifa_addr || !(i->ifa_flags & IFF_UP))
			continue;
		a = addr_from_sa(i->ifa_addr);
		a.port = 0;
		if (a.family == ADDR_NONE || (family != ADDR_NONE && a.family != family))
			continue;
		if (addr_is_link_local(&a) || addr_is_any(&a) || conf_addrs_is_multicast(&a))
			continue;
		if (addr_is_loopback(&a) == loopback)
			conf_addrs_add(r, l, &a);
	}
	freeifaddrs(all);
}

/* What stands for "all": the host's addresses, loopback only where there is nothing else. */
static void add_all_local(struct conf_reader *r, struct conf_addrs *l, enum addr_family family)
{
	struct conf_addrs found = { 0 };

	add_local(r, &found, family, false);
	if (found.n == 0)
		add_local(r, &found, family, true);
	for (size_t i = 0; i < found.n; i++)
		conf_addrs_add(r, l, &found.v[i]);
	free(found.v);
}

static void build_listeners(struct conf_reader *r)
{
	struct conf *c = r->conf;
	const struct conf_list *list = &c->listening_ip;
	struct conf_addrs l = { 0 };

	for (size_t i = 0; i < list->n; i++) {
		struct addr a;

		if (addr_parse_ip(str_of(list->v[i]), &a) || conf_addrs_is_multicast(&a))
			conf_reader_error(r, list->line[i], "listening-ip",
					  "'%s' is not an IP address to listen on", list->v[i]);
		else if (!conf_addrs_add(r, &l, &a))
			conf_reader_warn(r, list->line[i], "listening-ip", "%s given again",
					 list->v[i]);
	}
	if (list->n == 0) {
		add_all_local(r, &l, ADDR_NONE);
		if (l.n == 0)
			conf_reader_error(r, CONF_AT_NOWHERE, "listening-ip",
					  "this host has no address that is up; add one");
	}
	for (size_t i = 0; i < l.n; i++)
		l.v[i].port = (uint16_t)c->listening_port;
	c->listeners = l.v;
	c->n_listeners = l.n;
}

/* The same addresses for TCP, with one port to three. */
static void build_stream_listeners(struct conf_reader *r)
{
	struct conf *c = r->conf;
	struct addr *v = calloc(3 * c->n_listeners + 1, sizeof *v);
	size_t n = 0;

	if (!v) {
		r->no_memory = true;
		return;
	}
	for (size_t i = 0; i < c->n_listeners; i++) {
		if (!c->no_tcp)
			v[n++] = c->listeners[i];
		if (c->has_tls && (c->no_tcp || c->tls_listening_port != c->listening_port)) {
			v[n] = c->listeners[i];
			v[n++].port = (uint16_t)c->tls_listening_port;
		}
		if (c->tcp_proxy_port) {
			v[n] = c->listeners[i];
			v[n++].port = (uint16_t)c->tcp_proxy_port;
		}
	}
	c->stream_listeners = v;
	c->n_stream_listeners = n;
}

/* The same addresses for UDP, with one port or two. */
static void build_udp_listeners(struct conf_reader *r)
{
	struct conf *c = r->conf;
	struct addr *v = calloc(2 * c->n_listeners + 1, sizeof *v);
	size_t n = 0;

	if (!v) {
		r->no_memory = true;
		return;
	}
	for (size_t i = 0; i < c->n_listeners; i++) {
		if (!c->no_udp)
			v[n++] = c->listeners[i];
		if (!c->has_dtls || (!c->no_udp && c->tls_listening_port == c->listening_port))
			continue;
		v[n] = c->listeners[i];
		v[n++].port = (uint16_t)c->tls_listening_port;
	}
	c->udp_listeners = v;
	c->n_udp_listeners = n;
}

static void check_dtls(struct conf_reader *r)
{
	struct conf *c = r->conf;
	int at = r->at[CONF_ROW_dtls];

	if (!c->dtls)
		return;
	if (!c->cert.n)
		conf_reader_error(r, at, "dtls", "needs a certificate: add cert and pkey");
	if (c->no_dtls)
		conf_reader_error(r, at, "dtls", "contradicts no-dtls: take one of them out");
	if (c->no_tlsv1_2 || c->tls_min_version)
		conf_reader_error(r, at, "dtls",
				  "DTLS 1.2 is all there is, and TLS below 1.3 is not wanted: "
				  "take dtls out, "
				  "or tls-min-version=1.3 and no-tlsv1_2");
	c->has_dtls = c->cert.n && !c->no_dtls;
}

void conf_hosts_add_all(struct conf_reader *r, struct conf_addrs *l, enum addr_family family)
{
	add_local(r, l, family, false);
	add_local(r, l, family, true);
}

/* Behind a wildcard every address of the host is listened on: none of them is a peer's. */
static void build_locals(struct conf_reader *r)
{
	struct conf *c = r->conf;
	struct conf_addrs l = { 0 };

	for (size_t i = 0; i < c->n_listeners; i++)
		if (addr_is_any(&c->listeners[i]))
			conf_hosts_add_all(r, &l, (enum addr_family)c->listeners[i].family);
	c->locals = l.v;
	c->n_locals = l.n;
}

static void check_transports(struct conf_reader *r)
{
	struct conf *c = r->conf;

	if (c->cert.n != c->pkey.n)
		conf_reader_error(r, CONF_AT_NOWHERE, NULL,
				  "%zu cert and %zu pkey: every cert needs its pkey", c->cert.n,
				  c->pkey.n);
	if (!c->cert.n && !c->no_tls && c->tls_listening_port != TLS_PORT)
		conf_reader_warn(r, r->at[CONF_ROW_tls_listening_port], "tls-listening-port",
				 "TLS is not served: there is no cert and pkey");
	c->has_tls = c->cert.n && !c->no_tls;
	check_dtls(r);
}

static void relays_from_option(struct conf_reader *r, struct conf_addrs *l)
{
	const struct conf_list *list = &r->conf->relay_ip;

	for (size_t i = 0; i < list->n; i++) {
		struct addr a;

		if (addr_parse_ip(str_of(list->v[i]), &a) || conf_addrs_is_multicast(&a) ||
		    addr_is_any(&a))
			conf_reader_error(r, list->line[i], "relay-ip",
					  "'%s' is not an IP address of this host", list->v[i]);
		else if (!conf_addrs_add(r, l, &a))
			conf_reader_warn(r, list->line[i], "relay-ip", "%s given again",
					 list->v[i]);
	}
}

static void relays_from_listeners(struct conf_reader *r, struct conf_addrs *l)
{
	const struct conf *c = r->conf;

	for (size_t i = 0; i < c->n_listeners; i++) {
		struct addr a = c->listeners[i];

		a.port = 0;
		if (addr_is_any(&a))
			add_all_local(r, l, (enum addr_family)a.family);
		else
			conf_addrs_add(r, l, &a);
	}
}

static void build_relays(struct conf_reader *r)
{
	struct conf *c = r->conf;
	struct conf_addrs inner = { 0 };

	if (c->relay_ip.n)
		relays_from_option(r, &inner);
	else
		relays_from_listeners(r, &inner);
	c->relays = calloc(inner.n + 1, sizeof *c->relays);
	if (!c->relays) {
		r->no_memory = true;
		free(inner.v);
		return;
	}
	c->n_relays = inner.n;
	for (size_t i = 0; i < inner.n; i++)
		c->relays[i].inner = inner.v[i];
	free(inner.v);
	conf_external_build(r);
	for (size_t i = 0; i < c->n_relays; i++)
		if (c->relays[i].outer.family == ADDR_NONE)
			c->relays[i].outer = c->relays[i].inner;
	if (c->n_relays == 0 && !c->stun_only && r->n_errors == 0)
		conf_reader_error(r, CONF_AT_NOWHERE, "relay-ip",
				  "no address of this host can relay; add one");
}

void conf_hosts_build(struct conf_reader *r)
{
	struct conf *c = r->conf;

	build_listeners(r);
	build_locals(r);
	check_transports(r);
	build_stream_listeners(r);
	build_udp_listeners(r);
	build_relays(r);
	if (c->n_udp_listeners + c->n_stream_listeners == 0 && r->n_errors == 0)
		conf_reader_error(
			r, CONF_AT_NOWHERE, NULL,
			"nothing would be listened on: no-udp and no-tcp, and no TLS");
}

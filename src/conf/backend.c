#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/check.h"

/* HOST:PORT, "[v6]:port" too; a name is resolved here, once. NULL: done, else what is wrong with it. */
static const char *resolve(const char *text, struct addr *out)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	const char *colon = strrchr(text, ':');
	struct addrinfo *found = NULL;
	char host[256], *end;
	unsigned long port;
	size_t n;

	if (!colon || colon == text)
		return "is not HOST:PORT";
	port = strtoul(colon + 1, &end, 10);
	if (colon[1] < '0' || colon[1] > '9' || *end || port < 1 || port > 65535)
		return "has no port from 1 to 65535";
	n = (size_t)(colon - text);
	if (n >= sizeof host)
		return "is too long";
	memcpy(host, text, n);
	host[n] = '\0';
	if (strchr(host, ':') && host[0] != '[')
		return "needs its IPv6 address in brackets";
	if (addr_parse_ip(str_of(host), out)) {
		if (getaddrinfo(host, NULL, &hints, &found) || !found)
			return "names a host that is not found";
		*out = addr_from_sa(found->ai_addr);
		freeaddrinfo(found);
	}
	out->port = (uint16_t)port;
	return NULL;
}

static void build_passthrough(struct conf_reader *r, size_t i)
{
	struct conf *c = r->conf;
	const char *text = c->tls_passthrough.v[i], *eq = strchr(text, '='), *wrong;
	struct conf_passthrough *p = &c->passthroughs[c->n_passthroughs];

	if (!eq || eq == text || (size_t)(eq - text) >= sizeof p->name) {
		conf_reader_error(r, c->tls_passthrough.line[i], "tls-passthrough",
				  "'%s' is not NAME=HOST:PORT", text);
		return;
	}
	for (size_t k = 0; k < (size_t)(eq - text); k++)
		p->name[k] =
			text[k] >= 'A' && text[k] <= 'Z' ? (char)(text[k] | 0x20) : text[k];
	wrong = resolve(eq + 1, &p->to);
	if (wrong)
		conf_reader_error(r, c->tls_passthrough.line[i], "tls-passthrough", "'%s' %s",
				  eq + 1, wrong);
	else
		c->n_passthroughs++;
}

static void check_redirect(struct conf_reader *r)
{
	const char *url = r->conf->acme_redirect;
	size_t n = url ? strlen(url) : 0;

	if (!n)
		return;
	if ((strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) ||
	    n > CONF_ACME_MAX)
		conf_reader_error(r, r->at[CONF_ROW_acme_redirect], "acme-redirect",
				  "is not a URL that begins with http:// or https://, of %d "
				  "bytes at most",
				  CONF_ACME_MAX);
	for (size_t i = 0; i < n; i++)
		if (url[i] <= ' ' || url[i] >= 0x7f) {
			conf_reader_error(r, r->at[CONF_ROW_acme_redirect], "acme-redirect",
					  "holds a character that no URL has");
			return;
		}
}

void conf_backend_build(struct conf_reader *r)
{
	struct conf *c = r->conf;
	int at = r->at[CONF_ROW_https_backend];
	const char *wrong;

	check_redirect(r);
	c->passthroughs = calloc(c->tls_passthrough.n + 1, sizeof *c->passthroughs);
	if (!c->passthroughs) {
		r->no_memory = true;
		return;
	}
	for (size_t i = 0; i < c->tls_passthrough.n; i++)
		build_passthrough(r, i);
	if (!c->https_backend || !*c->https_backend) {
		if (c->https_backend_proxy_protocol)
			conf_reader_warn(r, r->at[CONF_ROW_https_backend_proxy_protocol],
					 "https-backend-proxy-protocol",
					 "has no effect without https-backend");
		return;
	}
	wrong = resolve(c->https_backend, &c->backend);
	if (wrong)
		conf_reader_error(r, at, "https-backend", "'%s' %s", c->https_backend, wrong);
	else if (!c->has_tls)
		conf_reader_warn(r, at, "https-backend",
				 "has no effect: TLS is not served, for there is no cert");
	c->has_backend = !wrong && c->has_tls;
}

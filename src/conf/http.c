#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "conf/addrs.h"
#include "conf/check.h"
#include "conf/value.h"

enum { FILE_MAX = 65536 };

static bool is_set(const char *s)
{
	return s && *s;
}

/* --- tokens --- */

static enum conf_role role_of(struct str word)
{
	static const struct {
		struct str name;
		enum conf_role role;
	} roles[] = {
		{ STR_LIT("read"), CONF_ROLE_READ },
		{ STR_LIT("mint"), CONF_ROLE_MINT },
		{ STR_LIT("admin"), CONF_ROLE_ADMIN },
	};

	for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
		if (str_eq(word, roles[i].name))
			return roles[i].role;
	return CONF_ROLE_NONE;
}

/* What a bearer token may hold in a header: visible ASCII. */
static bool is_visible(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return true;
}

static void keep(struct conf_reader *r, enum conf_role role, struct str text)
{
	struct conf *c = r->conf;
	struct conf_token *v = realloc(c->tokens, (c->n_tokens + 1) * sizeof *v);
	char *copy = malloc(text.len);

	if (v)
		c->tokens = v;
	if (!v || !copy) {
		free(copy);
		r->no_memory = true;
		return;
	}
	memcpy(copy, text.p, text.len);
	c->tokens[c->n_tokens++] = (struct conf_token){ role, { copy, text.len } };
}

/* ROLE:TOKEN. What is wrong is said without the value. */
static void add_token(struct conf_reader *r, int at, const char *option, struct str line)
{
	const char *colon = line.len ? memchr(line.p, ':', line.len) : NULL;
	struct str text = { NULL, 0 };
	enum conf_role role;

	if (!colon) {
		conf_reader_error(r, at, option, "is not ROLE:TOKEN");
		return;
	}
	role = role_of((struct str){ line.p, (size_t)(colon - line.p) });
	text = (struct str){ colon + 1, line.len - (size_t)(colon + 1 - line.p) };
	if (!role)
		conf_reader_error(r, at, option, "the role is none of read, mint and admin");
	else if (text.len < CONF_TOKEN_MIN || text.len > CONF_TOKEN_MAX || !is_visible(text))
		conf_reader_error(r, at, option,
				  "a token has %d to %d visible ASCII characters "
				  "(`openssl rand -hex 16` makes one)",
				  CONF_TOKEN_MIN, CONF_TOKEN_MAX);
	else if (conf_value_is_example(text))
		conf_reader_error(r, at, option,
				  "is the example of the README, which everybody knows: `openssl rand -hex 16` "
				  "makes a token");
	else
		keep(r, role, text);
}

static void add_lines(struct conf_reader *r, int at, struct str text)
{
	while (text.len) {
		const char *end = memchr(text.p, '\n', text.len);
		struct str line = { text.p, end ? (size_t)(end - text.p) : text.len };

		text.p += line.len + (end != NULL);
		text.len -= line.len + (end != NULL);
		while (line.len && strchr(" \t\r", line.p[line.len - 1]))
			line.len--;
		if (line.len && line.p[0] != '#')
			add_token(r, at, "http-token-file", line);
	}
}

static void read_tokens(struct conf_reader *r)
{
	int at = r->at[CONF_ROW_http_token_file], fd;
	const char *path = r->conf->http_token_file;
	char *buf;
	ssize_t n;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	buf = malloc(FILE_MAX);
	n = fd >= 0 && buf ? read(fd, buf, FILE_MAX) : -1;
	if (!buf)
		r->no_memory = true;
	else if (n < 0)
		conf_reader_error(r, at, "http-token-file", "%s: %s", path, strerror(errno));
	else if (n == FILE_MAX)
		conf_reader_error(r, at, "http-token-file", "%s is too large", path);
	else
		add_lines(r, at, (struct str){ buf, (size_t)n });
	if (fd >= 0)
		close(fd);
	if (buf)
		crypto_wipe(buf, FILE_MAX);
	free(buf);
}

/* --- where --- */

static const char *address_option(const struct conf *c)
{
	if (is_set(c->http_address) || !c->prometheus)
		return "http-address";
	return "prometheus-address";
}

static void choose_address(struct conf_reader *r)
{
	struct conf *c = r->conf;
	const char *name = address_option(c), *text = c->http_address;

	if (!is_set(text))
		text = c->prometheus ? c->prometheus_address : "127.0.0.1";
	if (!is_set(text))
		text = "0.0.0.0";
	if (addr_parse_ip(str_of(text), &c->http)) {
		conf_reader_error(r, r->at[CONF_ROW_http_address], name,
				  "'%s' is not an IP address", text);
		return;
	}
	c->http.port = (uint16_t)(c->prometheus && c->prometheus_port ? c->prometheus_port
								       : c->http_port);
	c->has_http = c->http.port != 0;
	c->http_wanted = c->prometheus || c->n_tokens ||
			 r->at[CONF_ROW_http_port] != CONF_AT_NOWHERE ||
			 r->at[CONF_ROW_http_address] != CONF_AT_NOWHERE;
	c->http_open = c->prometheus || c->http_open_metrics || addr_is_loopback(&c->http);
	if (c->check_page && c->static_auth_secret.n == 0)
		conf_reader_error(r, r->at[CONF_ROW_check_page], "check-page",
				  "has no credentials to give: add static-auth-secret");
	if (c->has_http && !c->http_open && !c->n_tokens)
		conf_reader_error(r, r->at[CONF_ROW_http_address], name,
				  "is not loopback, and there is nothing to protect it: add "
				  "http-token=ROLE:TOKEN, or http-open-metrics to show metrics only");
}

static void choose_files(struct conf_reader *r)
{
	struct conf *c = r->conf;

	c->http_cert_file = is_set(c->http_cert) ? c->http_cert : NULL;
	c->http_pkey_file = is_set(c->http_pkey) ? c->http_pkey : NULL;
	if (!c->http_cert_file && !c->http_pkey_file && c->prometheus_tls) {
		c->http_cert_file = is_set(c->prometheus_tls_cert) ? c->prometheus_tls_cert
				    : c->cert.n			   ? c->cert.v[0]
								   : NULL;
		c->http_pkey_file = is_set(c->prometheus_tls_key) ? c->prometheus_tls_key
				    : c->pkey.n			  ? c->pkey.v[0]
								  : NULL;
		if (!c->http_cert_file || !c->http_pkey_file)
			conf_reader_error(r, r->at[CONF_ROW_prometheus_tls], "prometheus-tls",
					  "needs prometheus-tls-cert and prometheus-tls-key");
	} else if (!c->http_cert_file != !c->http_pkey_file) {
		conf_reader_error(r, r->at[CONF_ROW_http_cert], "http-cert",
				  "and http-pkey need each other");
	}
	if (c->has_http && c->n_tokens && !c->http_cert_file && !addr_is_loopback(&c->http))
		conf_reader_warn(r, r->at[CONF_ROW_http_address], "http-address",
				 "tokens cross the network in clear text: add http-cert and "
				 "http-pkey");
}

/* An IPv6 wildcard may carry IPv4, too. */
static void find_places(struct conf_reader *r)
{
	struct conf *c = r->conf;
	struct conf_addrs l = { 0 };

	if (!c->has_http)
		return;
	if (addr_is_any(&c->http))
		conf_hosts_add_all(r, &l, ADDR_NONE);
	else
		conf_addrs_add(r, &l, &c->http);
	c->http_places = l.v;
	c->n_http_places = l.n;
}

static void check_path(struct conf_reader *r)
{
	const char *path = r->conf->prometheus_path;

	if (path[0] != '/' || !path[1] || !is_visible(str_of(path)) || strpbrk(path, "?#%") ||
	    strstr(path, "//") || strstr(path, "/."))
		conf_reader_error(r, r->at[CONF_ROW_prometheus_path], "prometheus-path",
				  "'%s' is not a plain path such as /metrics", path);
}

void conf_http_build(struct conf_reader *r)
{
	struct conf *c = r->conf;

	for (size_t i = 0; i < c->http_token.n; i++)
		add_token(r, c->http_token.line[i], "http-token", str_of(c->http_token.v[i]));
	if (is_set(c->http_token_file))
		read_tokens(r);
	choose_address(r);
	choose_files(r);
	check_path(r);
	find_places(r);
}

void conf_http_fini(struct conf *c)
{
	for (size_t i = 0; i < c->n_tokens; i++) {
		crypto_wipe((char *)c->tokens[i].text.p, c->tokens[i].text.len);
		free((char *)c->tokens[i].text.p);
	}
	free(c->tokens);
}

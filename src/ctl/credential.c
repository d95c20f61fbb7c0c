/* taciturnctl credential: what a backend would mint, from the first secret that is known here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/rest.h"
#include "base/tick.h"
#include "ctl/database.h"
#include "ctl/input.h"

enum {
	TTL_MAX_S = 86400,
	USERNAME_MAX = 508, /* RFC 8489 s.14.3: fewer than 509 bytes */
	URI_MAX = 320,
};

/* A secret of the database is taken when the configuration and --file have none. */
static void on_secret(struct store_op *op, const struct store_row *row)
{
	char *secret = op->arg;

	if (!secret[0] && row->name.len < CTL_INPUT_MAX) {
		memcpy(secret, row->name.p, row->name.len);
		secret[row->name.len] = '\0';
	}
}

static enum err find_secret(struct ctl *c, char secret[CTL_INPUT_MAX])
{
	const struct conf *conf = c->conf;
	const struct store_op op = { .admin_what = STORE_ADMIN_SECRET,
				     .admin = { .realm = str_of(conf->realm) } };

	secret[0] = '\0';
	if (c->file)
		return ctl_input_read(c->file, "secret", secret);
	if (conf->n_secrets && conf->secrets[0].len < CTL_INPUT_MAX) {
		memcpy(secret, conf->secrets[0].p, conf->secrets[0].len);
		secret[conf->secrets[0].len] = '\0';
		return OK;
	}
	if (ctl_database_admin(c, STORE_ADMIN_LIST, &op, on_secret, secret))
		return ERR_NOTFOUND;
	if (secret[0])
		return OK;
	ctl_fail("neither the configuration nor the database has a secret: static-auth-secret, or taciturnctl "
		 "secret add --generate");
	return ERR_NOTFOUND;
}

static void add_uri(json_t *urls, const char *scheme, const struct addr *at, int64_t port, const char *transport)
{
	char text[ADDR_TEXT_LEN], uri[URI_MAX];
	struct addr a = *at;

	a.port = (uint16_t)port;
	snprintf(uri, sizeof uri, "%s:%s?transport=%s", scheme, addr_print(&a, text), transport);
	json_array_append_new(urls, json_string(uri));
}

/* --uri, or what the configuration says: UDP first, TLS where nothing else gets through. */
static json_t *make_urls(const struct ctl *c)
{
	const struct conf *conf = c->conf;
	json_t *urls = json_array();

	for (size_t i = 0; i < c->n_uris; i++)
		json_array_append_new(urls, json_string(c->uris[i]));
	for (size_t i = 0; i < conf->n_relays && !c->n_uris; i++) {
		const struct addr *at = &conf->relays[i].outer;

		if (!conf->no_udp)
			add_uri(urls, "turn", at, conf->listening_port, "udp");
		if (!conf->no_tcp)
			add_uri(urls, "turn", at, conf->listening_port, "tcp");
		if (conf->has_tls)
			add_uri(urls, "turns", at, conf->tls_listening_port, "tcp");
	}
	return urls;
}

static int mint(struct ctl *c, const char *secret)
{
	char username[USERNAME_MAX + 1], password[AUTH_REST_PASSWORD_LEN + 1];
	char separator = c->conf->rest_api_separator[0];
	long ttl_s = c->ttl_s ? c->ttl_s : CTL_TTL_S;
	struct crypto *crypto;
	int len = snprintf(username, sizeof username, "%lld%c%s", (long long)tick_wall_s() + ttl_s, separator,
			   c->user);
	enum err e;
	json_t *server;

	if (len > USERNAME_MAX)
		return ctl_fail("--user: longer than a user name may be");
	if (crypto_new(&crypto))
		return ctl_fail("OpenSSL refuses");
	e = auth_rest_password(crypto, str_of(secret), str_of(username), password);
	crypto_free(crypto);
	if (e)
		return ctl_fail("%s", err_text(e));
	server = json_pack("{s:o, s:s, s:s}", "urls", make_urls(c), "username", username, "credential", password);
	crypto_wipe(password, sizeof password);
	if (!server)
		return ctl_fail("--user: it has to be UTF-8");
	return ctl_put_json(json_pack("{s:[o]}", "iceServers", server));
}

int ctl_credential(struct ctl *c)
{
	char secret[CTL_INPUT_MAX];
	int status;

	if (c->argc || !c->user || c->ttl_s < 0 || c->ttl_s > TTL_MAX_S)
		return ctl_fail("usage: taciturnctl credential --user USER [--ttl SECONDS] [--uri URI]... [--file FILE]");
	if (c->url && (c->n_uris || c->file))
		return ctl_fail("--url: the server has its own addresses and secret, without --uri and --file");
	if (c->url)
		return ctl_credential_of_server(c);
	if (find_secret(c, secret))
		return EXIT_FAILURE;
	status = mint(c, secret);
	crypto_wipe(secret, sizeof secret);
	return status;
}

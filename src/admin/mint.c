#include <stdlib.h>
#include <string.h>

#include "admin/body.h"
#include "admin/state.h"
#include "auth/rest.h"
#include "base/crypto.h"

enum { USER_MAX = 256, TTL_MAX = 86400, TTL_DEFAULT = 600, TTL_CHECK = 120, NAME_MAX_LEN = USER_MAX + 32 };

/* What was asked for, and what was made. */
struct minted {
	struct str user;
	int64_t ttl_s;
	char name[NAME_MAX_LEN]; /* EXPIRY:USER */
	char password[AUTH_REST_PASSWORD_LEN + 1];
};

/* --- where clients find us --- */

static void add_uri(json_t *all, const char *scheme, const struct addr *at, const char *transport)
{
	char text[ADDR_TEXT_LEN], uri[ADDR_TEXT_LEN + 32];

	snprintf(uri, sizeof uri, "%s:%s?transport=%s", scheme, addr_print(at, text), transport);
	json_array_append_new(all, json_string(uri));
}

/* The address by which clients know a listener: an outer one, where external-ip maps it. */
static struct addr outer_of(const struct conf *c, const struct addr *at)
{
	struct addr out = *at;

	for (size_t i = 0; i < c->n_relays; i++)
		if (addr_ip_eq(&c->relays[i].inner, at)) {
			out = c->relays[i].outer;
			out.port = at->port;
			break;
		}
	return out;
}

static void add_all(json_t *all, const struct conf *c, const struct addr *v, size_t n, bool udp)
{
	for (size_t i = 0; i < n; i++) {
		struct addr at = outer_of(c, &v[i]);
		bool secure = at.port == c->tls_listening_port;

		if (addr_is_any(&at) || (c->tcp_proxy_port && at.port == c->tcp_proxy_port))
			continue;
		if (secure)
			add_uri(all, "turns", &at, udp ? "udp" : "tcp");
		else
			add_uri(all, "turn", &at, udp ? "udp" : "tcp");
	}
}

static json_t *uris(const struct conf *c)
{
	json_t *all = json_array();

	for (size_t i = 0; i < c->turn_uri.n; i++)
		json_array_append_new(all, json_string(c->turn_uri.v[i]));
	if (c->turn_uri.n)
		return all;
	add_all(all, c, c->udp_listeners, c->n_udp_listeners, true);
	add_all(all, c, c->stream_listeners, c->n_stream_listeners, false);
	return all;
}

/* --- making --- */

static const char *check(const struct minted *m)
{
	if (m->user.len > USER_MAX)
		return "user has 256 bytes at most";
	for (size_t i = 0; i < m->user.len; i++)
		if ((unsigned char)m->user.p[i] < ' ' || m->user.p[i] == 0x7f)
			return "user holds a control character";
	if (m->ttl_s < 1 || m->ttl_s > TTL_MAX)
		return "ttl is a number of seconds from 1 to 86400";
	return NULL;
}

static enum err make(const struct conf *conf, struct minted *m)
{
	struct crypto *c;
	int n = snprintf(m->name, sizeof m->name, "%lld", (long long)(tick_wall_s() + m->ttl_s));
	enum err e;

	if (m->user.len) {
		m->name[n++] = conf->rest_api_separator[0];
		memcpy(m->name + n, m->user.p, m->user.len);
		n += (int)m->user.len;
	}
	m->name[n] = '\0';
	e = crypto_new(&c);
	if (e)
		return e;
	e = auth_rest_password(c, conf->secrets[0], (struct str){ m->name, (size_t)n },
			       m->password);
	crypto_free(c);
	return e;
}

/* True: made. Else *result is the answer. */
static bool mint(struct admin_request *q, struct minted *m, enum MHD_Result *result)
{
	const struct conf *conf = q->a->host.conf;
	const char *wrong = check(m);

	if (wrong)
		*result = admin_reply_problem(q, 400, wrong);
	else if (conf->n_secrets == 0)
		*result = admin_reply_problem(q, 409, "needs static-auth-secret");
	else if (make(conf, m))
		*result = admin_reply_problem(q, 500, "the password could not be made");
	else
		return true;
	return false;
}

static enum MHD_Result reply(struct admin_request *q, const struct minted *m)
{
	json_t *name = admin_reply_string(m->name, strlen(m->name));

	return admin_reply_json(
		q, MHD_HTTP_OK,
		json_pack("{s:O, s:s, s:I, s:[{s:o, s:o, s:s}]}", "username", name,
			  "credential", m->password, "ttl", (json_int_t)m->ttl_s, "iceServers",
			  "urls", uris(q->a->host.conf), "username", name, "credential",
			  m->password));
}

/* Whom a request counts for: an IPv4 address, a /64 of IPv6. */
static struct addr source_of(const struct admin_request *q)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(q->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct addr a = info ? addr_from_sa(info->client_addr) : (struct addr){ 0 };

	a.port = 0;
	if (a.family == ADDR_V6 && memcmp(a.ip, mapped, sizeof mapped) != 0)
		memset(a.ip + 8, 0, 8);
	return a;
}

/* One more of this minute, if there may be one. */
static bool take_check(struct admin_request *q)
{
	struct addr net = source_of(q);
	struct admin *a = q->a;
	tick now = tick_now();
	unsigned i = 0;

	if (a->checks.n == 0 || now - a->checks.since >= SEC(60)) {
		a->checks.since = now;
		a->checks.n = a->checks.n_sources = 0;
	}
	while (i < a->checks.n_sources && !addr_ip_eq(&a->checks.sources[i].net, &net))
		i++;
	if (a->checks.n == ADMIN_CHECKS ||
	    (i < a->checks.n_sources && a->checks.sources[i].n == ADMIN_CHECKS_OF_ONE))
		return false;
	if (i == a->checks.n_sources) /* not more than there were checks */
		a->checks.sources[a->checks.n_sources++] = (struct admin_source){ net, 0 };
	a->checks.sources[i].n++;
	a->checks.n++;
	return true;
}

/* For anybody, so what the visitor sends does not count: name and time are ours. */
enum MHD_Result admin_mint_check(struct admin_request *q)
{
	struct minted m = { .user = STR_LIT("check"), .ttl_s = TTL_CHECK };
	enum MHD_Result result;

	if (!take_check(q))
		return admin_reply_problem(q, 503, "too many connection checks this minute");
	if (mint(q, &m, &result))
		result = reply(q, &m);
	crypto_wipe(m.password, sizeof m.password);
	return result;
}

enum MHD_Result admin_mint_serve(struct admin_request *q)
{
	struct minted m = { .ttl_s = TTL_DEFAULT };
	enum MHD_Result result;
	json_t *body = NULL;
	const char *wrong = admin_body_mint((struct str){ q->body, q->body_len }, &body, &m.user, &m.ttl_s);

	if (wrong)
		result = admin_reply_problem(q, 400, wrong);
	else if (mint(q, &m, &result))
		result = reply(q, &m);
	crypto_wipe(m.password, sizeof m.password);
	json_decref(body);
	return result;
}

/* draft-uberti-behave-turn-rest-00: `service` must be "turn". `ttl` is ours. */
enum MHD_Result admin_mint_rest(struct admin_request *q)
{
	struct str ttl = admin_query_find(&q->query, "ttl");
	struct minted m = { .user = admin_query_find(&q->query, "username"),
			    .ttl_s = TTL_DEFAULT };
	enum MHD_Result result;

	if (!str_eq(admin_query_find(&q->query, "service"), STR_LIT("turn")))
		return admin_reply_problem(q, 400, "service is turn");
	if (ttl.p) {
		char text[8], *end;
		size_t n = ttl.len < sizeof text ? ttl.len : 0;

		memcpy(text, ttl.p, n);
		text[n] = '\0';
		m.ttl_s = n && text[0] >= '0' && text[0] <= '9' ? strtoll(text, &end, 10) : 0;
		m.ttl_s = m.ttl_s && *end ? 0 : m.ttl_s;
	}
	if (mint(q, &m, &result))
		result = admin_reply_json(
			q, MHD_HTTP_OK,
			json_pack("{s:o, s:s, s:I, s:o}", "username",
				  admin_reply_string(m.name, strlen(m.name)), "password",
				  m.password, "ttl", (json_int_t)m.ttl_s, "uris",
				  uris(q->a->host.conf)));
	crypto_wipe(m.password, sizeof m.password);
	return result;
}

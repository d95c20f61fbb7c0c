#include "relay/web.h"

#include "net/http.h"
#include "net/proxyproto.h"
#include "relay/backend.h"

enum { STUN_FIRST = 4 }; /* first bytes below it are STUN's, RFC 7983; no method has such */

/* --- answers of our own --- */

/* Says it, and waits for the client to close: closing first could cost it the page. */
static enum relay_web answer(struct relay_conn *c, char *text, size_t len)
{
	struct relay *r = c->relay;
	struct iovec iov = { text, len };

	count(&r->cnt, web_answers);
	relay_conn_settle(c);
	c->stage = RELAY_STAGE_DEAF;
	wheel_arm(&r->wheel, &c->timer, r->env.now + SEC(RELAY_WEB_LINGER_S));
	net_burst_add(&r->burst, &c->stream, &iov, 1, true, r->env.now);
	net_burst_flush(&r->burst, r->env.now);
	if (c->stream.end)
		return RELAY_WEB_END;
	net_stream_end_write(&c->stream);
	return RELAY_WEB_TAKEN;
}

static enum relay_web page(struct relay_conn *c, unsigned status, bool head)
{
	char text[NET_HTTP_ANSWER];

	return answer(c, text, net_http_page(status, head, text));
}

static enum relay_web reply(struct relay_conn *c, const uint8_t *p, size_t n)
{
	const char *base = c->relay->shared->conf->acme_redirect;
	struct net_http_request q = { STR_LIT(""), STR_LIT("") };
	enum net_http found = net_http_read(p, n, &q);
	char text[NET_HTTP_ANSWER];
	struct str token;

	if (found == NET_HTTP_MORE)
		return RELAY_WEB_MORE;
	if (found == NET_HTTP_YES && base && *base && net_http_acme_token(&q, &token))
		return answer(c, text, net_http_redirect(str_of(base), token, text));
	return page(c, 404, str_eq(q.method, STR_LIT("HEAD")));
}

/* --- the web server behind --- */

static void tell_down(struct relay_conn *c)
{
	struct relay *r = c->relay;
	char to[ADDR_TEXT_LEN];

	count(&r->cnt, web_backend_down);
	if (log_seldom(&r->n_backend_down))
		log_warn(r->lg, NULL, "backend_down", "backend=%s n=%llu",
			 addr_print(&c->backend_at, to), r->n_backend_down);
}

/* The client gets to know, where it would understand: it speaks HTTP/1 with us. */
static enum relay_web down(struct relay_conn *c)
{
	tell_down(c);
	return c->stream.tls ? page(c, 502, false) : RELAY_WEB_END;
}

static void on_done(enum relay_backend_end how, void *arg)
{
	struct relay_conn *c = arg;

	relay_backend_close(c->backend);
	c->backend = NULL;
	if (how == RELAY_BACKEND_DOWN && net_stream_attach(&c->stream) == OK &&
	    down(c) == RELAY_WEB_TAKEN)
		return;
	relay_conn_end(c, how == RELAY_BACKEND_DOWN ? WHY_BACKEND : WHY_CLOSED);
}

static enum relay_web hand_over(struct relay_conn *c, const struct addr *to,
				const struct str *first, size_t n)
{
	const struct relay_backend_client client = { c->stream.fd, c->stream.tls, first, n };

	c->backend_at = *to;
	c->stage = RELAY_STAGE_WEB;
	if (relay_backend_open(&c->backend, c->relay, to, &client, on_done, c))
		return down(c);
	relay_conn_settle(c);
	net_stream_detach(&c->stream);
	count(&c->relay->cnt, web_backend);
	return RELAY_WEB_TAKEN;
}

static enum relay_web to_backend(struct relay_conn *c, const uint8_t *p, size_t n)
{
	const struct conf *conf = c->relay->shared->conf;
	struct str first[2] = { STR_LIT(""), { (const char *)p, n } };
	char header[52];

	if (conf->https_backend_proxy_protocol &&
	    c->tuple.client.family == c->tuple.server.family)
		first[0] = (struct str){ header, net_proxy_encode(&c->tuple.client,
								  &c->tuple.server, header) };
	return hand_over(c, &conf->backend, first, 2);
}

enum relay_web relay_web_pass(struct relay_conn *c, const struct addr *to)
{
	return hand_over(c, to, NULL, 0);
}

/* --- what is it --- */

enum relay_web relay_web_first(struct relay_conn *c, const uint8_t *p, size_t n)
{
	bool has_backend = c->stream.tls && c->relay->shared->conf->has_backend;
	enum net_http found = p[0] < STUN_FIRST ? NET_HTTP_NO : net_http_sniff(p, n);

	if (has_backend && p[0] >= STUN_FIRST &&
	    str_eq(net_tls_alpn(c->stream.tls), STR_LIT("http/1.1")))
		return to_backend(c, p, n); /* it said so, whatever the method */
	switch (found) {
	case NET_HTTP_YES:
		return has_backend ? to_backend(c, p, n) : reply(c, p, n);
	case NET_HTTP_MORE:
		return RELAY_WEB_MORE;
	default:
		c->stage = RELAY_STAGE_TURN;
		return RELAY_WEB_NONE;
	}
}

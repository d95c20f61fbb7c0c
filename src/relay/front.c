#include "relay/front.h"

#include <string.h>

#include "net/hello.h"
#include "net/preface.h"
#include "net/proxyproto.h"
#include "relay/web.h"

enum {
	TLS_HANDSHAKE = 0x16,	    /* a TLS record's first byte, RFC 8446 s.5.1 */
	PROXY_BELIEVED = 16 + 2048, /* bytes of a header, net/proxyproto.h */
};

/* More of what comes first, into the worker's scratch. */
static enum relay_front peek(struct relay_conn *c, size_t cap, size_t *n,
			     enum relay_conn_why *why)
{
	switch (net_preface_peek(c->stream.fd, c->relay->scratch, cap, c->n_peeked, n)) {
	case NET_PREFACE_SOME:
		return RELAY_FRONT_GO;
	case NET_PREFACE_NONE:
		return RELAY_FRONT_WAIT;
	case NET_PREFACE_CLOSED:
		*why = WHY_CLOSED;
		return RELAY_FRONT_END;
	default:
		*why = WHY_ERROR;
		return RELAY_FRONT_END;
	}
}

/* It begins as it should and goes on. */
static enum relay_front await(struct relay_conn *c, size_t n)
{
	c->n_peeked = (uint32_t)n;
	net_preface_await(c->stream.fd, n);
	return RELAY_FRONT_WAIT;
}

/* What comes next is looked at anew. */
static void step(struct relay_conn *c, enum relay_stage stage)
{
	if (c->n_peeked)
		net_preface_await(c->stream.fd, 0);
	c->n_peeked = 0;
	c->stage = stage;
}

static enum relay_front bad_header(enum relay_conn_why *why)
{
	*why = WHY_PROXY;
	return RELAY_FRONT_END;
}

enum relay_front relay_front_proxy(struct relay_conn *c, enum relay_conn_why *why)
{
	struct net_proxy_header h;
	size_t n = 0;
	enum relay_front f = peek(c, PROXY_BELIEVED, &n, why);

	if (f == RELAY_FRONT_END && *why == WHY_CLOSED && c->n_peeked)
		return bad_header(why); /* cut off in the middle */
	if (f != RELAY_FRONT_GO)
		return f;
	switch (net_proxy_decode(c->relay->scratch, n, &h)) {
	case NET_PROXY_OK:
		break;
	case NET_PROXY_MORE:
		return await(c, n);
	default:
		return bad_header(why);
	}
	if (!net_preface_take(c->stream.fd, h.len) ||
	    (!h.local && h.client.family == ADDR_NONE))
		return bad_header(why);
	step(c, h.local ? RELAY_STAGE_DEAF : RELAY_STAGE_FIRST);
	if (!h.local) {
		c->tuple.client = h.client;
		c->tuple.server = h.server;
	}
	return RELAY_FRONT_GO;
}

static const struct addr *find_passthrough(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_passthroughs; i++)
		if (strcmp(conf->passthroughs[i].name, name) == 0)
			return &conf->passthroughs[i].to;
	return NULL;
}

/* Is it for another's TLS server? What is no good ClientHello is OpenSSL's to refuse. */
static enum relay_front passthrough(struct relay_conn *c, size_t n, enum relay_conn_why *why)
{
	const struct addr *to = NULL;
	char name[NET_HELLO_NAME];
	enum net_hello h = net_hello_name(c->relay->scratch, n, name);

	if (h == NET_HELLO_MORE)
		return await(c, n);
	if (h == NET_HELLO_OK && name[0])
		to = find_passthrough(c->relay->shared->conf, name);
	if (!to)
		return RELAY_FRONT_GO;
	step(c, RELAY_STAGE_FIRST); /* the descriptor tells of every byte again */
	*why = WHY_BACKEND;
	return relay_web_pass(c, to) == RELAY_WEB_TAKEN ? RELAY_FRONT_GO : RELAY_FRONT_END;
}

/* RFC 7983: a TLS record and a TURN message differ in the first byte. */
enum relay_front relay_front_first(struct relay_conn *c, enum relay_conn_why *why)
{
	struct relay *r = c->relay;
	struct net_cert *cert = relay_conns_cert(r);
	struct net_tls *tls;
	size_t n = 0;
	enum relay_front f =
		peek(c, r->shared->conf->n_passthroughs ? NET_HELLO_PEEK : 1, &n, why);

	if (f != RELAY_FRONT_GO)
		return f;
	if (r->scratch[0] != TLS_HANDSHAKE) {
		step(c, RELAY_STAGE_TALK);
		return RELAY_FRONT_GO;
	}
	if (r->shared->conf->n_passthroughs && c->stage == RELAY_STAGE_FIRST) {
		f = passthrough(c, n, why);
		if (f != RELAY_FRONT_GO || c->stage == RELAY_STAGE_WEB)
			return f;
	}
	step(c, RELAY_STAGE_TALK);
	if (!cert || net_tls_new(&tls, cert, c->stream.fd)) {
		*why = cert ? WHY_NO_MEMORY : WHY_NO_TLS;
		return RELAY_FRONT_END;
	}
	net_stream_set_tls(&c->stream, tls);
	c->tuple.transport = TURN_TLS;
	return RELAY_FRONT_GO;
}

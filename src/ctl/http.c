#include "ctl/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/crypto.h"
#include "ctl/ctl.h"
#include "ctl/input.h"

enum {
	CONNECT_S = 5,
	WAIT_S = 20,	    /* for an answer, as reason() says; the server gives its workers 5 */
	BODY_MAX = 16 << 20, /* 1000 sessions with names of 513 bytes, escaped, are 7 MB */
	HEAD_MAX = 16384,
	HOST_MAX = 256,
	AUTHORITY_MAX = HOST_MAX + 16,
	PATH_LEN_MAX = 4096,
};

struct ask {
	struct ctl *c;
	struct event_base *base;
	SSL_CTX *tls;
	SSL *ssl; /* the connection's; NULL: plain */
	struct evhttp_connection *conn;
	char host[HOST_MAX]; /* without the brackets of an IPv6 address */
	char authority[AUTHORITY_MAX];
	char at[NI_MAXHOST]; /* the address of that host which takes connections */
	char path[1024]; /* of the URL: what stands before the stats port's own */
	int port;
	bool is_tls;
	enum err e;
	json_t *out;
};

static enum err split(struct ask *a, const struct evhttp_uri *uri)
{
	const char *scheme = evhttp_uri_get_scheme(uri), *host = evhttp_uri_get_host(uri);
	const char *path = evhttp_uri_get_path(uri);
	size_t len = host ? strlen(host) : 0, n_path = path ? strlen(path) : 0;
	bool is_bracketed = len > 2 && host[0] == '[' && host[len - 1] == ']';

	if (!scheme || !len || len >= HOST_MAX || n_path >= sizeof a->path || evhttp_uri_get_userinfo(uri) ||
	    evhttp_uri_get_query(uri) || evhttp_uri_get_fragment(uri))
		return ERR_MALFORMED;
	a->is_tls = strcmp(scheme, "https") == 0;
	if (!a->is_tls && strcmp(scheme, "http") != 0)
		return ERR_MALFORMED;
	a->port = evhttp_uri_get_port(uri);
	if (a->port <= 0)
		a->port = a->is_tls ? 443 : 80;
	snprintf(a->authority, sizeof a->authority, "%s:%d", host, a->port);
	snprintf(a->host, sizeof a->host, "%.*s", (int)(len - 2 * is_bracketed), host + is_bracketed);
	while (n_path && path[n_path - 1] == '/')
		n_path--;
	snprintf(a->path, sizeof a->path, "%.*s", (int)n_path, n_path ? path : "");
	return OK;
}

static enum err take_url(struct ask *a)
{
	struct evhttp_uri *uri = evhttp_uri_parse(a->c->url);
	enum err e = uri ? split(a, uri) : ERR_MALFORMED;

	if (uri)
		evhttp_uri_free(uri);
	if (e)
		ctl_fail("--url: http://HOST:PORT or https://HOST:PORT is expected");
	return e;
}

/* 0, or why no connection is taken. */
static int try_address(const struct addrinfo *ai)
{
	const struct timeval wait = { .tv_sec = CONNECT_S };
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), error = 0;

	if (fd < 0)
		return errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait); /* connect()'s, too */
	if (connect(fd, ai->ai_addr, ai->ai_addrlen))
		error = errno == EINPROGRESS ? ETIMEDOUT : errno;
	close(fd);
	return error;
}

/* libevent tries a name's first address only, and forgets why: localhost is ::1 first, and the stats port is not
 * there. So a connection is tried before. */
static enum err find_address(struct ask *a)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list, *ai;
	char port[8];
	int error;

	snprintf(port, sizeof port, "%d", a->port);
	error = getaddrinfo(a->host, port, &hints, &list);
	if (error) {
		ctl_fail("%s: %s", a->c->url, gai_strerror(error));
		return ERR_NOTFOUND;
	}
	for (ai = list; ai; ai = ai->ai_next) {
		error = try_address(ai);
		if (!error)
			break;
	}
	if (ai)
		error = getnameinfo(ai->ai_addr, ai->ai_addrlen, a->at, sizeof a->at, NULL, 0, NI_NUMERICHOST);
	else
		ctl_fail("%s: %s", a->c->url, strerror(error));
	freeaddrinfo(list);
	return error ? ERR_SYS : OK;
}

/* The certificate has to be for the host that was named: RFC 9110 s.4.3.4. */
static enum err prepare_tls(struct ask *a)
{
	struct in6_addr ip;
	bool is_ip = inet_pton(AF_INET, a->host, &ip) == 1 || inet_pton(AF_INET6, a->host, &ip) == 1;

	a->tls = SSL_CTX_new(TLS_client_method());
	if (!a->tls || !SSL_CTX_set_min_proto_version(a->tls, TLS1_2_VERSION))
		return ERR_NOMEM;
	SSL_CTX_set_verify(a->tls, SSL_VERIFY_PEER, NULL);
	if (a->c->ca ? !SSL_CTX_load_verify_locations(a->tls, a->c->ca, NULL)
		     : !SSL_CTX_set_default_verify_paths(a->tls)) {
		ctl_fail("--ca: %s holds no certificate that can be read", a->c->ca ? a->c->ca : "the system");
		return ERR_CONF;
	}
	a->ssl = SSL_new(a->tls);
	if (!a->ssl)
		return ERR_NOMEM;
	if (is_ip ? !X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(a->ssl), a->host)
		  : !SSL_set1_host(a->ssl, a->host) || !SSL_set_tlsext_host_name(a->ssl, a->host))
		return ERR_NOMEM;
	return OK;
}

static enum err prepare(struct ask *a)
{
	struct bufferevent *bev;
	enum err e;

	e = take_url(a);
	if (!e)
		e = find_address(a);
	if (e)
		return e;
	a->base = event_base_new();
	if (!a->base)
		return ERR_NOMEM;
	e = a->is_tls ? prepare_tls(a) : OK;
	if (e)
		return e;
	bev = a->is_tls ? bufferevent_openssl_socket_new(a->base, -1, a->ssl, BUFFEREVENT_SSL_CONNECTING,
							 BEV_OPT_CLOSE_ON_FREE)
			: bufferevent_socket_new(a->base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (!bev)
		return ERR_NOMEM;
	a->conn = evhttp_connection_base_bufferevent_new(a->base, NULL, bev, a->at, (ev_uint16_t)a->port);
	if (!a->conn) {
		bufferevent_free(bev); /* and the SSL */
		a->ssl = NULL;
		return ERR_NOMEM;
	}
	evhttp_connection_set_timeout(a->conn, WAIT_S);
	evhttp_connection_set_max_body_size(a->conn, BODY_MAX);
	evhttp_connection_set_max_headers_size(a->conn, HEAD_MAX);
	return OK;
}

/* What kept an answer from coming. libevent has closed the socket by now, and errno tells of that. */
static const char *reason(const struct ask *a)
{
	long verified = a->ssl ? SSL_get_verify_result(a->ssl) : X509_V_OK;

	if (verified != X509_V_OK)
		return X509_verify_cert_error_string(verified);
	return "no answer of HTTP within 20 s";
}

static void on_answer(struct evhttp_request *req, void *arg)
{
	struct ask *a = arg;
	int code = req ? evhttp_request_get_response_code(req) : 0;
	struct evbuffer *body;
	const char *text, *detail = "";

	a->e = ERR_SYS;
	if (!code) {
		ctl_fail("%s: %s", a->c->url, reason(a));
		return;
	}
	body = evhttp_request_get_input_buffer(req);
	text = (const char *)evbuffer_pullup(body, -1);
	a->out = text ? json_loadb(text, evbuffer_get_length(body), 0, NULL) : NULL;
	if (code == HTTP_OK && a->out) {
		a->e = OK;
		return;
	}
	(void)json_unpack(a->out, "{s:s}", "detail", &detail);
	ctl_fail("%s: %d %s%s%s", a->c->url, code, code == HTTP_OK ? "without JSON" : "",
		 detail[0] ? detail : code == HTTP_OK ? "" : "is no answer of a stats port",
		 code == 401 ? ": --token-file, or TACITURN_TOKEN" : "");
	json_decref(a->out);
	a->out = NULL;
}

static bool fill(struct ask *a, struct evhttp_request *req, const json_t *body, const char *token)
{
	struct evkeyvalq *head = evhttp_request_get_output_headers(req);
	char bearer[sizeof "Bearer " + CTL_INPUT_MAX];
	char *text = body ? json_dumps(body, 0) : NULL;
	bool ok = !body || text;

	snprintf(bearer, sizeof bearer, "Bearer %s", token);
	ok = ok && evhttp_add_header(head, "Host", a->authority) == 0 &&
	     evhttp_add_header(head, "Authorization", bearer) == 0 &&
	     evhttp_add_header(head, "Connection", "close") == 0;
	if (ok && text)
		ok = evhttp_add_header(head, "Content-Type", "application/json") == 0 &&
		     evbuffer_add(evhttp_request_get_output_buffer(req), text, strlen(text)) == 0;
	crypto_wipe(bearer, sizeof bearer);
	free(text);
	return ok;
}

static enum err send_it(struct ask *a, enum ctl_http_method method, const char *path, const json_t *body,
			const char *token)
{
	static const enum evhttp_cmd_type types[] = {
		[CTL_HTTP_GET] = EVHTTP_REQ_GET,
		[CTL_HTTP_POST] = EVHTTP_REQ_POST,
		[CTL_HTTP_DELETE] = EVHTTP_REQ_DELETE,
	};
	struct evhttp_request *req = evhttp_request_new(on_answer, a);
	char whole[PATH_LEN_MAX];

	if (!req)
		return ERR_NOMEM;
	if (!fill(a, req, body, token)) {
		evhttp_request_free(req);
		ctl_fail("a token is one line of printable characters");
		return ERR_MALFORMED;
	}
	if (snprintf(whole, sizeof whole, "%s%s", a->path, path) >= (int)sizeof whole) {
		evhttp_request_free(req);
		ctl_fail("--url: too long");
		return ERR_RANGE;
	}
	a->e = ERR_NOMEM;
	if (evhttp_make_request(a->conn, req, types[method], whole)) /* the request is libevent's now */
		return ERR_NOMEM;
	event_base_dispatch(a->base); /* until the answer is there, or will not come */
	return a->e;
}

/* What libevent has to say is said by us, in one line. */
static void keep_quiet(int severity, const char *text)
{
	(void)severity;
	(void)text;
}

enum err ctl_http_ask(struct ctl *c, enum ctl_http_method method, const char *path, json_t *body, json_t **out)
{
	struct ask a = { .c = c };
	enum err e;

	event_set_log_callback(keep_quiet);
	e = prepare(&a);
	if (!e && !c->token[0])
		e = ctl_input_token(c->token_file, c->token);
	if (!e)
		e = send_it(&a, method, path, body, c->token);
	if (e == ERR_NOMEM)
		ctl_fail("%s", err_text(e));
	if (!e)
		*out = a.out;
	if (a.conn)
		evhttp_connection_free(a.conn); /* the SSL is its bufferevent's, and goes with it */
	else
		SSL_free(a.ssl);
	if (a.base)
		event_base_free(a.base);
	SSL_CTX_free(a.tls);
	json_decref(body);
	return e;
}

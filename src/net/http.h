/* As much of HTTP as a TURN server needs that shares its port: to know a request when it sees one, and to
 * answer it shortly. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum net_http {
	NET_HTTP_YES,
	NET_HTTP_MORE, /* it could be: more bytes will tell */
	NET_HTTP_NO,
};

enum {
	NET_HTTP_LINE = 2048,	/* bytes of a request line that is read */
	NET_HTTP_ANSWER = 2048, /* of an answer, at most */
};

/* Do a connection's first bytes begin a request? NO at the first byte that no method has there. */
enum net_http net_http_sniff(const void *p, size_t len);

struct net_http_request {
	struct str method, target; /* borrowed */
};

/* The line that a request begins with. NO: it is broken, or longer than NET_HTTP_LINE. */
enum net_http net_http_read(const void *p, size_t len, struct net_http_request *out);

/* The token of a GET for ACME's HTTP-01 challenge (RFC 8555 s.8.3): letters, digits, - and _ only, 128 at
 * most. False: it is another request. */
bool net_http_acme_token(const struct net_http_request *q, struct str *token);

/* Writes an answer after which the connection closes: 404 or 502, a short page (without it when `head`), or
 * 301 to base (of the configuration, which bounds it to 1024 bytes of a URL) and token (as found above).
 * Returns its length. */
size_t net_http_page(unsigned status, bool head, char buf[NET_HTTP_ANSWER]);
size_t net_http_redirect(struct str base, struct str token, char buf[NET_HTTP_ANSWER]);

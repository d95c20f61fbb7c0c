/* The PROXY protocol, versions 1 and 2, as a balancer puts it before a connection's first byte. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"

enum net_proxy {
	NET_PROXY_OK,
	NET_PROXY_MORE, /* it goes on beyond what is there */
	NET_PROXY_BAD,	/* no PROXY header, or a broken one */
};

enum { NET_PROXY_MAX = 16 + 65535 }; /* of version 2; version 1 is at most 107 bytes */

struct net_proxy_header {
	size_t len; /* bytes before the connection's own first one */
	bool local; /* LOCAL or UNKNOWN: the balancer's own connection, e.g. a health check */
	struct addr client,
		server; /* what the balancer saw; unset when local or of another family */
};

/* Looks at the first `len` bytes of a connection; out is set on OK. A version 2 header is believed up
 * to 2048 bytes of length, which is more than any balancer's TLVs take; longer is BAD. */
enum net_proxy net_proxy_decode(const void *p, size_t len, struct net_proxy_header *out);

/* Writes a version 2 header for a TCP connection of `client` to `server` (one family) into buf of at
 * least 52 bytes; returns its length. */
size_t net_proxy_encode(const struct addr *client, const struct addr *server, void *buf);

/* The server name in a TLS ClientHello that is not ours to answer (RFC 8446 s.4.1.2, RFC 6066 s.3). Pure. */
#pragma once

#include <stddef.h>

enum net_hello {
	NET_HELLO_OK,
	NET_HELLO_MORE, /* it goes on beyond what is there */
	NET_HELLO_BAD,	/* no ClientHello, a broken one, or one beyond all measure */
};

enum {
	NET_HELLO_MAX = 16384, /* bytes of a ClientHello that is believed */
	NET_HELLO_PEEK =
		2 * NET_HELLO_MAX, /* with that many bytes at hand the answer is never MORE */
	NET_HELLO_NAME = 256,
};

/* Reads the first bytes of a connection, the records' headers included, be there one record or many. On OK
 * `name` (NET_HELLO_NAME bytes) is the host that is asked for, in lower case and without a last dot; empty
 * when none is. */
enum net_hello net_hello_name(const void *p, size_t len, char *name);

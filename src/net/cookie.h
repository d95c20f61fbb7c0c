/*
 * DTLS's cookie exchange (RFC 6347 s.4.2.1): a client shows that it receives what is sent to its
 * address, and until it has, nothing is kept. Pure: bytes, addresses and a time in, bytes out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/tick.h"
#include "base/wr.h"

enum {
	NET_COOKIE_LEN = 12,	 /* 4 bytes of time, 8 of MAC */
	NET_COOKIE_TTL_S = 60,	 /* a client answers within its first retransmissions */
	NET_COOKIE_REQUEST = 40, /* bytes of the HelloVerifyRequest: fewer than any hello has */
};

/* Whose cookies: the key is one worker's, drawn at its start. */
struct net_cookie_maker {
	uint64_t key[2];
	struct addr client, server;
	tick now;
};

enum net_cookie_kind {
	NET_COOKIE_NO_HELLO, /* anything else, or damaged */
	NET_COOKIE_BARE, /* a ClientHello without a cookie of ours, or with one that is too old */
	NET_COOKIE_PROVEN, /* with a good one: an association may begin with it */
};

/* What a ClientHello says that matters here. */
struct net_cookie_hello {
	uint8_t sequence[6];		/* the record's number, which the answer repeats */
	uint8_t cookie[NET_COOKIE_LEN]; /* PROVEN: as it came; BARE: as it should be */
};

/* What the datagram is. *out is set unless it is NET_COOKIE_NO_HELLO. Only the first fragment of a hello
 * counts as one: it holds all that is looked at. */
enum net_cookie_kind net_cookie_judge(const struct net_cookie_maker *m, const void *p,
				      size_t len, struct net_cookie_hello *out);

/* The HelloVerifyRequest that answers a bare hello: NET_COOKIE_REQUEST bytes. */
void net_cookie_request(const struct net_cookie_hello *h, struct wr *out);

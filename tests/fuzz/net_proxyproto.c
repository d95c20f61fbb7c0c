/*
 * libFuzzer target for src/net/proxyproto.c: any bytes as the begin of a connection. What is a header is
 * one at no lesser length, ends where it says whatever follows, and can be written and read again.
 *
 * The seeds in corpus/net/ are headers of both versions, one of each kind.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "net/proxyproto.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { BELIEVED = 16 + 2048 };

/* From memory of exactly that size. */
static enum net_proxy decode(const uint8_t *bytes, size_t n, struct net_proxy_header *out)
{
	uint8_t *exact = malloc(n ? n : 1);
	enum net_proxy r;

	BUG_ON(!exact);
	if (n)
		memcpy(exact, bytes, n);
	r = net_proxy_decode(exact, n, out);
	free(exact);
	return r;
}

static bool same(const struct net_proxy_header *a, const struct net_proxy_header *b)
{
	return a->local == b->local && addr_eq(&a->client, &b->client) && addr_eq(&a->server, &b->server);
}

static void check_addrs(const struct net_proxy_header *h)
{
	struct net_proxy_header again;
	uint8_t buf[52];
	size_t n;

	BUG_ON(h->client.family != h->server.family);
	BUG_ON(h->local && h->client.family != ADDR_NONE);
	if (h->client.family == ADDR_NONE)
		return;
	n = net_proxy_encode(&h->client, &h->server, buf);
	BUG_ON(n > sizeof buf || decode(buf, n, &again) != NET_PROXY_OK);
	BUG_ON(again.len != n || !same(h, &again));
}

/* Fewer bytes are waited for; what was bad stays bad. */
static void check_shorter(const uint8_t *bytes, size_t n, enum net_proxy whole)
{
	struct net_proxy_header h;

	for (size_t k = 0; k < n && k < 300; k++) {
		enum net_proxy r = decode(bytes, k, &h);

		BUG_ON(r == NET_PROXY_OK);
		BUG_ON(r == NET_PROXY_BAD && whole != NET_PROXY_BAD);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct net_proxy_header h, cut;
	enum net_proxy r = decode(bytes, n, &h);

	if (r != NET_PROXY_OK) {
		BUG_ON(r == NET_PROXY_MORE && n >= BELIEVED); /* nobody may make us wait for ever */
		check_shorter(bytes, n, r);
		return 0;
	}
	BUG_ON(h.len > n || h.len > BELIEVED);
	BUG_ON(decode(bytes, h.len, &cut) != NET_PROXY_OK || cut.len != h.len || !same(&h, &cut));
	check_shorter(bytes, h.len, r);
	check_addrs(&h);
	return 0;
}

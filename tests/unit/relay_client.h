/* A TURN client on loopback, without credentials (no-auth), for tests of the relay. */
#pragma once

#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/tick.h"
#include "net/sock.h"
#include "stun/chan.h"
#include "stun/msg.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum {
	CLIENT_WAIT_MS = 20000, /* nobody waits as long unless something is broken */
	CLIENT_RETRY_MS = 500,	/* RFC 8489 s.6.2.1 */
	CLIENT_BUF = 65536,
};

/* A UDP socket of a client or of a peer. */
struct client {
	int fd;
	struct addr me, server;
	uint32_t n_requests;
	void (*pump)(void *arg); /* serves for a moment; NULL: other threads serve */
	void *arg;
	size_t len; /* of what was received last */
	struct stun_msg msg; /* the last answer */
	uint8_t buf[CLIENT_BUF];
};

static inline void client_open(struct client *c, const struct addr *server, void (*pump)(void *), void *arg)
{
	const struct net_sock_options o = { .kind = NET_SOCK_LISTENER, .buf_size = 1 << 22 };
	struct addr any;

	memset(c, 0, sizeof *c);
	assert_int_equal(addr_parse_ip(str_of("127.0.0.1"), &any), OK);
	assert_int_equal(net_sock_udp(&any, &o, &c->fd), OK);
	assert_int_equal(net_sock_name(c->fd, &c->me), OK);
	c->server = *server;
	c->pump = pump;
	c->arg = arg;
}

static inline void client_close(struct client *c)
{
	net_sock_close(&c->fd);
}

/* Datagrams of `seg` bytes each (the last may be shorter) in one system call. */
static inline void client_burst(struct client *c, const struct addr *to, const void *p, size_t len, size_t seg)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
	} ctl;
	const uint16_t seg16 = (uint16_t)seg;
	struct sockaddr_storage sa;
	struct iovec iov = { (void *)p, len };
	struct msghdr m = { .msg_name = &sa, .msg_namelen = addr_to_sa(to, &sa), .msg_iov = &iov, .msg_iovlen = 1 };

	if (len > seg) {
		struct cmsghdr *h = &ctl.align;

		m.msg_control = &ctl;
		m.msg_controllen = sizeof ctl;
		h->cmsg_level = SOL_UDP;
		h->cmsg_type = UDP_SEGMENT;
		h->cmsg_len = CMSG_LEN(sizeof seg16);
		memcpy(CMSG_DATA(h), &seg16, sizeof seg16);
	}
	assert_int_equal(sendmsg(c->fd, &m, 0), len);
}

static inline void client_send(struct client *c, const struct addr *to, const void *p, size_t len)
{
	client_burst(c, to, p, len, len);
}

/* Receives what is there; false: nothing. */
static inline bool client_try(struct client *c)
{
	ssize_t n = recv(c->fd, c->buf, sizeof c->buf, MSG_DONTWAIT);

	c->len = n < 0 ? 0 : (size_t)n;
	return n >= 0;
}

/* Waits for the next datagram; false after wait_ms. */
static inline bool client_wait(struct client *c, tick wait_ms)
{
	const tick end = tick_now() + wait_ms;

	while (!client_try(c)) {
		struct pollfd p = { c->fd, POLLIN, 0 };
		tick now = tick_now();

		if (now >= end)
			return false;
		if (c->pump)
			c->pump(c->arg);
		else
			poll(&p, 1, (int)(end - now));
	}
	return true;
}

static inline void client_recv(struct client *c)
{
	if (!client_wait(c, CLIENT_WAIT_MS))
		fail_msg("nothing arrived");
}

static inline void client_begin(struct client *c, struct wr *w, enum stun_class cls, uint16_t method)
{
	uint8_t txid[STUN_TXID_LEN] = { 0 };

	c->n_requests++;
	memcpy(txid, &c->n_requests, sizeof c->n_requests);
	memcpy(txid + 4, &c->me.port, sizeof c->me.port);
	stun_begin(w, cls, method, txid);
}

/* Sends the request, again and again as long as there is no answer: 0, or the error code. */
static inline unsigned client_ask(struct client *c, const struct wr *w)
{
	assert_false(w->bad);
	for (int tries = 0; tries < CLIENT_WAIT_MS / CLIENT_RETRY_MS; tries++) {
		client_send(c, &c->server, w->start, wr_len(w));
		while (client_wait(c, CLIENT_RETRY_MS)) {
			assert_int_equal(stun_decode(c->buf, c->len, &c->msg), OK);
			if (memcmp(c->msg.txid, w->start + 8, STUN_TXID_LEN))
				continue; /* a second answer to what was sent twice */
			assert_true(c->msg.class == STUN_SUCCESS || c->msg.class == STUN_ERROR);
			return c->msg.class == STUN_SUCCESS ? 0 : c->msg.error_code;
		}
	}
	fail_msg("no answer");
	return 0;
}

enum { CLIENT_MSG_MAX = 256 };

static inline unsigned client_binding(struct client *c)
{
	uint8_t buf[CLIENT_MSG_MAX];
	struct wr w = wr_init(buf, sizeof buf);

	client_begin(c, &w, STUN_REQUEST, STUN_BINDING);
	return client_ask(c, &w);
}

/* An allocation, with EVEN-PORT and its R bit when `pair`; *relayed as told. */
static inline unsigned client_allocate(struct client *c, bool pair, struct addr *relayed)
{
	const uint8_t reserve = 0x80;
	uint8_t buf[CLIENT_MSG_MAX];
	struct wr w = wr_init(buf, sizeof buf);
	unsigned code;

	client_begin(c, &w, STUN_REQUEST, STUN_ALLOCATE);
	stun_add_u32(&w, STUN_T_REQUESTED_TRANSPORT, 17u << 24);
	if (pair)
		stun_add(&w, STUN_T_EVEN_PORT, &reserve, 1);
	code = client_ask(c, &w);
	if (!code)
		*relayed = c->msg.xor_relayed;
	return code;
}

static inline void client_write_refresh(struct client *c, struct wr *w, uint32_t lifetime_s)
{
	client_begin(c, w, STUN_REQUEST, STUN_REFRESH);
	stun_add_u32(w, STUN_T_LIFETIME, lifetime_s);
}

static inline unsigned client_refresh(struct client *c, uint32_t lifetime_s)
{
	uint8_t buf[CLIENT_MSG_MAX];
	struct wr w = wr_init(buf, sizeof buf);

	client_write_refresh(c, &w, lifetime_s);
	return client_ask(c, &w);
}

static inline unsigned client_permit(struct client *c, const struct addr *peer)
{
	uint8_t buf[CLIENT_MSG_MAX];
	struct wr w = wr_init(buf, sizeof buf);

	client_begin(c, &w, STUN_REQUEST, STUN_CREATE_PERMISSION);
	stun_add_xor_addr(&w, STUN_T_XOR_PEER_ADDRESS, peer);
	return client_ask(c, &w);
}

static inline unsigned client_bind(struct client *c, uint16_t number, const struct addr *peer)
{
	uint8_t buf[CLIENT_MSG_MAX];
	struct wr w = wr_init(buf, sizeof buf);

	client_begin(c, &w, STUN_REQUEST, STUN_CHANNEL_BIND);
	stun_add_u32(&w, STUN_T_CHANNEL_NUMBER, (uint32_t)number << 16);
	stun_add_xor_addr(&w, STUN_T_XOR_PEER_ADDRESS, peer);
	return client_ask(c, &w);
}

/* ChannelData into `to`, which has room for 4 bytes more than len; returns its length. */
static inline size_t client_frame(uint8_t *to, uint16_t number, const void *p, size_t len)
{
	stun_chan_header(to, number, (uint16_t)len);
	memcpy(to + STUN_CHAN_HEADER_LEN, p, len);
	return STUN_CHAN_HEADER_LEN + len;
}

/* A Send indication. */
static inline void client_indicate(struct client *c, const struct addr *peer, const void *p, size_t len)
{
	uint8_t buf[2048];
	struct wr w = wr_init(buf, sizeof buf);

	client_begin(c, &w, STUN_INDICATION, STUN_SEND);
	stun_add_xor_addr(&w, STUN_T_XOR_PEER_ADDRESS, peer);
	stun_add(&w, STUN_T_DATA, p, len);
	assert_false(w.bad);
	client_send(c, &c->server, w.start, wr_len(&w));
}

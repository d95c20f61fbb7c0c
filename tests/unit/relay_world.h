/*
 * Two relays that share what workers share, each with its own loop, both served by the one thread of
 * a test; and payloads that tell one from another.
 */
#pragma once

#include "conf_said.h"
#include "relay/relay.h"
#include "relay_client.h"

enum { N_SITES = 2, CHANNEL = 0x4000, TICK_MS = 1 };

#define CONF                       \
	"listening-ip=127.0.0.1\n" \
	"no-auth\n"                \
	"realm=test\n"             \
	"relay-threads=2\n"

struct site {
	struct net_loop *loop;
	struct relay *relay;
	struct relay_listener listener;
	int fd;
};

struct world {
	struct said said;
	struct conf *conf;
	struct relay_shared *shared;
	struct site site[N_SITES];
};

static inline void on_tick(int fd, void *arg)
{
	(void)fd;
	(void)arg;
}

/* Serves both; returns soon also when there is nothing to do. */
static inline void pump(void *arg)
{
	struct world *w = arg;

	for (int i = 0; i < N_SITES; i++) {
		assert_int_equal(net_loop_turn(w->site[i].loop), OK);
		relay_turn(w->site[i].relay);
	}
}

static inline struct world *world_new(const char *conf)
{
	const struct net_sock_options o = { .kind = NET_SOCK_LISTENER, .gro = true, .buf_size = 1 << 22 };
	struct world *w = calloc(1, sizeof *w);
	struct addr at;

	w->conf = said_load(&w->said, conf);
	assert_int_equal(relay_shared_new(&w->shared, w->conf), OK);
	for (unsigned i = 0; i < N_SITES; i++) {
		struct site *s = &w->site[i];

		assert_int_equal(addr_parse_ip(str_of("127.0.0.1"), &at), OK);
		assert_int_equal(net_sock_udp(&at, &o, &s->fd), OK);
		assert_int_equal(net_sock_name(s->fd, &at), OK);
		assert_int_equal(net_loop_new(&s->loop), OK);
		assert_int_equal(net_loop_every(s->loop, TICK_MS, on_tick, NULL), OK);
		assert_int_equal(relay_new(&s->relay, w->shared, i, s->loop, NULL), OK);
		assert_int_equal(relay_listen(s->relay, &s->listener, s->fd, &at), OK);
	}
	return w;
}

/* Ends it all; every port has to come back. */
static inline void world_free(struct world *w)
{
	for (int i = 0; i < N_SITES; i++) {
		relay_unlisten(&w->site[i].listener);
		relay_free(w->site[i].relay);
		net_loop_free(w->site[i].loop);
		net_sock_close(&w->site[i].fd);
	}
	relay_ports_expire(w->shared->ports, tick_now() + SEC(1000));
	assert_int_equal(relay_ports_used(w->shared->ports), 0);
	relay_shared_free(w->shared);
	conf_drop(w->conf);
	free(w);
}

static inline struct counters *counters(struct world *w, int site)
{
	return &w->site[site].relay->cnt;
}

/* Serves until the counter of site 0 is as high; the test fails when it never gets there. */
#define until(w, name, n)                                                          \
	do {                                                                       \
		const tick end_ = tick_now() + CLIENT_WAIT_MS;                     \
		while (counter_get(counters(w, 0), name) < (n)) {                  \
			if (tick_now() > end_)                                     \
				fail_msg("%s is not %u", #name, (unsigned)(n));    \
			pump(w);                                                   \
		}                                                                  \
		assert_int_equal(counter_get(counters(w, 0), name), n);            \
	} while (0)

static inline void open_client(struct world *w, int site, struct client *c, struct addr *relayed)
{
	client_open(c, &w->site[site].listener.at, pump, w);
	assert_int_equal(client_allocate(c, false, relayed), 0);
}

static inline void open_peer(struct world *w, struct client *p)
{
	const struct addr none = { 0 };

	client_open(p, &none, pump, w);
}

/* --- payloads that tell one from another --- */

static inline void fill(uint8_t *to, unsigned seq, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = (uint8_t)(seq * 31 + (seq >> 8) + i * 7);
}

static inline void check(const uint8_t *p, unsigned seq, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != (uint8_t)(seq * 31 + (seq >> 8) + i * 7))
			fail_msg("datagram %u differs at %zu of %zu", seq, i, len);
}

/* The next datagram at a peer is number `seq`, of `len` bytes. */
static inline void expect_payload(struct client *peer, unsigned seq, size_t len)
{
	client_recv(peer);
	assert_int_equal(peer->len, len);
	check(peer->buf, seq, len);
}

static inline void expect_frame(struct client *c, uint16_t number, unsigned seq, size_t len)
{
	struct stun_chan chan;

	client_recv(c);
	assert_int_equal(c->len, STUN_CHAN_HEADER_LEN + len); /* over UDP without padding */
	assert_true(stun_chan_decode(c->buf, c->len, &chan));
	assert_int_equal(chan.number, number);
	assert_int_equal(chan.data.len, len);
	check((const uint8_t *)chan.data.p, seq, len);
}

static inline void expect_indication(struct client *c, const struct addr *from, unsigned seq, size_t len)
{
	client_recv(c);
	assert_int_equal(c->len % 4, 0);
	assert_int_equal(stun_decode(c->buf, c->len, &c->msg), OK);
	assert_int_equal(c->msg.class, STUN_INDICATION);
	assert_int_equal(c->msg.method, STUN_DATA);
	assert_int_equal(c->msg.bad, 0);
	assert_true(addr_eq(&c->msg.peer, from));
	assert_int_equal(c->msg.data.len, len);
	check((const uint8_t *)c->msg.data.p, seq, len);
}

static inline void send_frame(struct client *c, uint16_t number, unsigned seq, size_t len)
{
	uint8_t data[1500], frame[1504];

	fill(data, seq, len);
	client_send(c, &c->server, frame, client_frame(frame, number, data, len));
}

static inline void send_payload(struct client *p, const struct addr *to, unsigned seq, size_t len)
{
	uint8_t data[1500];

	fill(data, seq, len);
	client_send(p, to, data, len);
}

/* n ChannelData messages of `len` bytes and a last one of `tail`, in one system call. */
static inline void burst_up(struct client *c, uint16_t number, unsigned seq, size_t n, size_t len, size_t tail)
{
	static uint8_t frames[CLIENT_BUF];
	uint8_t data[1500], *at = frames;

	for (size_t i = 0; i <= n; i++) {
		fill(data, seq + (unsigned)i, i < n ? len : tail);
		at += client_frame(at, number, data, i < n ? len : tail);
	}
	client_burst(c, &c->server, frames, (size_t)(at - frames), STUN_CHAN_HEADER_LEN + len);
}

static inline void burst_down(struct client *p, const struct addr *to, unsigned seq, size_t n, size_t len, size_t tail)
{
	static uint8_t data[CLIENT_BUF];

	for (size_t i = 0; i < n; i++)
		fill(data + i * len, seq + (unsigned)i, len);
	fill(data + n * len, seq + (unsigned)n, tail);
	client_burst(p, to, data, n * len + tail, len);
}

/* Workers that start together, share the clients of one port, and stop while data flows. */
#include <pthread.h>
#include <stdatomic.h>

#include "conf_said.h"
#include "relay_client.h"
#include "worker/bridge.h"
#include "worker/pool.h"
#include "own_net.h"

enum { CHANNEL = 0x4000, N_CLIENTS = 32 };

#define CONF                       \
	"listening-ip=127.0.0.1\n" \
	"no-auth\n"                \
	"realm=test\n"             \
	"allow-loopback-peers\n"   \
	"relay-threads="

struct server {
	struct said said;
	struct conf *conf;
	struct log *log;
	struct worker_sockets sockets;
	struct relay_shared *shared;
	struct worker_bridge *bridge;
	struct worker_pool pool;
};

/* A port that was free a moment ago; somebody else may take it meanwhile. */
static uint16_t free_port(const struct addr *ip)
{
	const struct net_sock_options o = { .kind = NET_SOCK_RELAY, .buf_size = 65536 };
	struct addr at = *ip;
	int fd = -1;

	at.port = 0;
	assert_int_equal(net_sock_udp(&at, &o, &fd), OK);
	assert_int_equal(net_sock_name(fd, &at), OK);
	net_sock_close(&fd);
	return at.port;
}

static void listen_somewhere(struct server *s)
{
	enum err e = ERR_INUSE;

	for (int tries = 0; e == ERR_INUSE && tries < 100; tries++) {
		s->conf->udp_listeners[0].port = free_port(&s->conf->udp_listeners[0]);
		e = worker_listen_open(s->conf, &s->sockets, said_add, &s->said);
	}
	assert_int_equal(e, OK);
}

static void server_start(struct server *s)
{
	assert_int_equal(relay_shared_new(&s->shared, s->conf), OK);
	assert_int_equal(worker_bridge_new(&s->bridge, s->shared), OK);
	assert_int_equal(worker_pool_start(&s->pool, s->shared, &s->sockets, NULL, s->log, s->bridge), OK);
	assert_int_equal(s->pool.n, s->conf->n_workers);
}

/* Sessions end with their workers: their ports must all be back. */
static void server_stop(struct server *s)
{
	worker_pool_stop(&s->pool);
	worker_bridge_free(s->bridge);
	assert_int_equal(relay_ports_used(s->shared->ports), 0);
	relay_shared_free(s->shared);
}

static struct server *server_new(const char *threads)
{
	static const struct log_options quiet = { .file = "/dev/null", .level = LOG_INFO_ };
	struct server *s = calloc(1, sizeof *s);
	char text[256];

	snprintf(text, sizeof text, CONF "%s\n", threads);
	s->conf = said_load(&s->said, text);
	assert_int_equal(s->conf->n_udp_listeners, 1);
	assert_int_equal(log_start(&s->log, &quiet), OK);
	listen_somewhere(s);
	server_start(s);
	return s;
}

static void server_free(struct server *s)
{
	server_stop(s);
	worker_listen_close(&s->sockets);
	log_stop(s->log);
	conf_drop(s->conf);
	free(s);
}

static const struct addr *at(const struct server *s)
{
	return &s->conf->udp_listeners[0];
}

static struct client *clients_new(const struct server *s)
{
	struct client *c = calloc(N_CLIENTS, sizeof *c);

	for (int i = 0; i < N_CLIENTS; i++)
		client_open(&c[i], at(s), NULL, NULL);
	return c;
}

static void clients_free(struct client *c)
{
	for (int i = 0; i < N_CLIENTS; i++)
		client_close(&c[i]);
	free(c);
}

static void starts_and_stops_with_any_number(void **state)
{
	static const char *const threads[] = { "1", "2", "3", "8" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		struct server *s = server_new(threads[i]);

		assert_int_equal(s->pool.n, atoi(threads[i]));
		for (int again = 0; again < 3; again++) {
			server_stop(s);
			server_start(s);
		}
		server_free(s);
	}
}

/* 32 clients, so that chance leaves one of three workers out in one run of 150,000. */
static void all_workers_answer(void **state)
{
	struct server *s = server_new("3");
	struct client *c = clients_new(s);
	uint64_t sum = 0;

	(void)state;
	for (int i = 0; i < N_CLIENTS * 2; i++) {
		assert_int_equal(client_binding(&c[i % N_CLIENTS]), 0);
		assert_true(addr_eq(&c[i % N_CLIENTS].msg.xor_mapped, &c[i % N_CLIENTS].me));
	}
	for (unsigned i = 0; i < s->pool.n; i++) {
		uint64_t n = counter_get(&s->pool.workers[i].relay->cnt, req_binding);

		assert_true(n > 0);
		assert_int_equal(n % 2, 0); /* a client stays with its worker */
		sum += n;
	}
	assert_int_equal(sum, N_CLIENTS * 2);
	clients_free(c);
	server_free(s);
}

static void expect_frame(struct client *c, const void *p, size_t len)
{
	struct stun_chan chan;

	client_recv(c);
	assert_true(stun_chan_decode(c->buf, c->len, &chan));
	assert_int_equal(chan.number, CHANNEL);
	assert_int_equal(chan.data.len, len);
	assert_memory_equal(chan.data.p, p, len);
}

static void send_frame(struct client *c, const void *p, size_t len)
{
	uint8_t frame[256];

	client_send(c, &c->server, frame, client_frame(frame, CHANNEL, p, len));
}

/* Each client relays to another one: within a worker and from one to another. */
static void sessions_of_all_workers_reach_each_other(void **state)
{
	struct server *s = server_new("3");
	struct client *c = clients_new(s);
	struct addr relayed[N_CLIENTS];
	unsigned busy = 0;

	(void)state;
	for (int i = 0; i < N_CLIENTS; i++)
		assert_int_equal(client_allocate(&c[i], false, &relayed[i]), 0);
	assert_int_equal(relay_ports_used(s->shared->ports), N_CLIENTS);
	for (unsigned i = 0; i < s->pool.n; i++)
		busy += counter_get(&s->pool.workers[i].relay->cnt, alloc_opened) > 0;
	assert_int_equal(busy, s->pool.n);
	for (int i = 0; i < N_CLIENTS; i++) /* in pairs: chance puts some at one worker, most at two */
		assert_int_equal(client_bind(&c[i], CHANNEL, &relayed[i ^ 1]), 0);
	for (int i = 0; i < N_CLIENTS; i++) {
		send_frame(&c[i], &i, sizeof i);
		expect_frame(&c[i ^ 1], &i, sizeof i);
	}
	for (int i = 0; i < N_CLIENTS; i++) {
		assert_int_equal(client_refresh(&c[i], 0), 0);
		assert_int_equal(client_refresh(&c[i], 0), 437);
	}
	assert_int_equal(relay_ports_used(s->shared->ports), 0);
	clients_free(c);
	server_free(s);
}

/* A token given by one worker is good at every other one; each is redeemed once. */
static void a_reserved_port_is_redeemed_at_any_worker(void **state)
{
	struct server *s = server_new("3");
	struct client *c = clients_new(s);
	struct addr even = { 0 }, odd = { 0 };

	(void)state;
	for (int i = 0; i + 2 < N_CLIENTS; i += 3) {
		uint8_t token[RELAY_TOKEN_LEN], buf[CLIENT_MSG_MAX];

		assert_int_equal(client_allocate(&c[i], true, &even), 0);
		assert_int_equal(c[i].msg.reservation_token.len, sizeof token);
		memcpy(token, c[i].msg.reservation_token.p, sizeof token);
		for (int k = 1; k <= 2; k++) {
			struct wr w = wr_init(buf, sizeof buf);

			client_begin(&c[i + k], &w, STUN_REQUEST, STUN_ALLOCATE);
			stun_add_u32(&w, STUN_T_REQUESTED_TRANSPORT, 17u << 24);
			stun_add(&w, STUN_T_RESERVATION_TOKEN, token, sizeof token);
			assert_int_equal(client_ask(&c[i + k], &w), k == 1 ? 0 : 508);
			if (k == 1)
				odd = c[i + k].msg.xor_relayed;
		}
		assert_int_equal(even.port % 2, 0);
		assert_int_equal(odd.port, even.port + 1);
	}
	clients_free(c);
	server_free(s);
}

struct flood {
	pthread_t thread;
	struct client *c;
	struct addr relayed;
	_Atomic bool *stop;
	_Atomic unsigned n_sent;
};

/* Data up, data down, and requests, as fast as they go; nobody listens to the answers. */
static void *flood(void *arg)
{
	static const uint8_t payload[100];
	struct flood *f = arg;
	uint8_t frame[104], request[CLIENT_MSG_MAX];
	size_t len = client_frame(frame, CHANNEL, payload, sizeof payload);

	while (!atomic_load(f->stop)) {
		struct wr w = wr_init(request, sizeof request);

		(void)!sendto(f->c->fd, frame, len, MSG_DONTWAIT, NULL, 0);
		client_write_refresh(f->c, &w, atomic_load(&f->n_sent) % 64 ? 600 : 0);
		(void)!sendto(f->c->fd, request, wr_len(&w), MSG_DONTWAIT, NULL, 0);
		atomic_fetch_add(&f->n_sent, 1);
		while (recv(f->c->fd, request, sizeof request, MSG_DONTWAIT) >= 0)
			;
	}
	return NULL;
}

static void flood_start(struct flood *f, struct client *c, const struct addr *peer, _Atomic bool *stop)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sa(&c->server, &sa);

	f->c = c;
	f->stop = stop;
	assert_int_equal(client_bind(c, CHANNEL, peer), 0);
	assert_int_equal(connect(c->fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, flood, f), 0);
}

static void stops_while_data_flows_and_serves_again(void **state)
{
	enum { N_FLOODS = 4 };
	struct server *s = server_new("2");

	(void)state;
	for (int round = 0; round < 5; round++) {
		struct client *c = clients_new(s);
		struct flood f[N_FLOODS] = { 0 };
		_Atomic bool stop = false;

		for (int i = 0; i < N_FLOODS; i++)
			assert_int_equal(client_allocate(&c[i], false, &f[i].relayed), 0);
		for (int i = 0; i < N_FLOODS; i++) /* in pairs, so that each one's data is the other one's */
			flood_start(&f[i], &c[i], &f[i ^ 1].relayed, &stop);
		for (int i = 0; i < N_FLOODS; i++)
			while (atomic_load(&f[i].n_sent) < 200)
				sched_yield();
		server_stop(s); /* returns, though there is always more to do */
		atomic_store(&stop, true);
		for (int i = 0; i < N_FLOODS; i++)
			assert_int_equal(pthread_join(f[i].thread, NULL), 0);
		server_start(s); /* on the same sockets: what waited there is answered, or dropped */
		assert_int_equal(client_binding(&c[N_FLOODS]), 0);
		assert_int_equal(client_refresh(&c[N_FLOODS], 600), 437);
		clients_free(c);
	}
	server_free(s);
}

static int lowest_free_fd(void)
{
	int fd = dup(0);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

static void a_port_that_is_taken_is_told_and_nothing_stays_open(void **state)
{
	struct server *s = server_new("2");
	struct worker_sockets none = { NULL, 0 };
	int base = lowest_free_fd();

	(void)state;
	assert_int_equal(worker_listen_open(s->conf, &none, said_add, &s->said), ERR_INUSE);
	said_expect(s->said.errors, "cannot listen on 127.0.0.1:");
	said_expect(s->said.errors, "another program serves this port");
	assert_int_equal(s->said.n_errors, 2); /* UDP and TCP, once, not for each worker */
	assert_null(none.fds);
	assert_int_equal(lowest_free_fd(), base);
	server_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_and_stops_with_any_number),
		cmocka_unit_test(all_workers_answer),
		cmocka_unit_test(sessions_of_all_workers_reach_each_other),
		cmocka_unit_test(a_reserved_port_is_redeemed_at_any_worker),
		cmocka_unit_test(stops_while_data_flows_and_serves_again),
		cmocka_unit_test(a_port_that_is_taken_is_told_and_nothing_stays_open),
	};

	own_net();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

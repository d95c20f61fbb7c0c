/*
 * The packet path over loopback sockets: all arrives, whole and in order, and a relayed packet costs no
 * memory. Links with --wrap for malloc and its kin.
 */
#include <sys/mman.h>

#include <openssl/crypto.h>

#include "relay_world.h"
#include "own_net.h"

/* --- every allocation of ours, of libevent's and of OpenSSL's --- */

static unsigned n_allocs;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);

void *__wrap_malloc(size_t n)
{
	n_allocs++;
	return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	n_allocs++;
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	n_allocs++;
	return __real_realloc(p, n);
}

void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
	n_allocs++;
	return __real_mmap(at, len, prot, flags, fd, off);
}

static void *openssl_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return malloc(n);
}

static void *openssl_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return realloc(p, n);
}

static void openssl_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

static void *event_malloc(size_t n)
{
	return malloc(n);
}

static void *event_realloc(void *p, size_t n)
{
	return realloc(p, n);
}

static const char *const offloads[] = {
	CONF "allow-loopback-peers\n",
	CONF "allow-loopback-peers\nudp-gso=0\n",
	CONF "allow-loopback-peers\nudp-gro=0\n",
	CONF "allow-loopback-peers\nudp-gro=0\nudp-gso=0\n",
};

/* n equal ones and a tail: of a video frame, of the largest burst there is, of two, of odd lengths. */
static const struct {
	size_t n, len, tail;
} frames[] = { { 6, 1100, 377 }, { 1, 1100, 1 }, { 59, 1080, 1079 }, { 63, 1, 1 }, { 5, 1201, 0 }, { 40, 160, 160 } };

static void bursts_go_up_whole_and_in_order(void **state)
{
	(void)state;
	for (size_t o = 0; o < ARRAY_LEN(offloads); o++) {
		struct world *w = world_new(offloads[o]);
		struct client c, peer;
		struct addr relayed;
		unsigned seq = 0;

		open_client(w, 0, &c, &relayed);
		open_peer(w, &peer);
		assert_int_equal(client_bind(&c, CHANNEL, &peer.me), 0);
		for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
			burst_up(&c, CHANNEL, seq, frames[i].n, frames[i].len, frames[i].tail);
			for (size_t k = 0; k < frames[i].n; k++)
				expect_payload(&peer, seq++, frames[i].len);
			expect_payload(&peer, seq++, frames[i].tail);
		}
		assert_int_equal(counter_get(counters(w, 0), tx_peer_packets), seq);
		assert_int_equal(counter_get(counters(w, 0), gso_sends) > 0, w->conf->udp_gso);
		assert_int_equal(counter_get(counters(w, 0), drop_send), 0);
		client_close(&c);
		client_close(&peer);
		world_free(w);
	}
}

static void bursts_come_down_whole_and_in_order(void **state)
{
	(void)state;
	for (size_t o = 0; o < ARRAY_LEN(offloads); o++) {
		struct world *w = world_new(offloads[o]);
		struct client c, peer;
		struct addr relayed;
		unsigned seq = 0;

		open_client(w, 0, &c, &relayed);
		open_peer(w, &peer);
		assert_int_equal(client_bind(&c, CHANNEL, &peer.me), 0);
		for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
			burst_down(&peer, &relayed, seq, frames[i].n, frames[i].len, frames[i].tail);
			for (size_t k = 0; k < frames[i].n; k++)
				expect_frame(&c, CHANNEL, seq++, frames[i].len);
			if (frames[i].tail) /* an empty tail is no datagram of this burst */
				expect_frame(&c, CHANNEL, seq, frames[i].tail);
			seq++;
		}
		assert_int_equal(counter_get(counters(w, 0), drop_send), 0);
		client_close(&c);
		client_close(&peer);
		world_free(w);
	}
}

/* Lengths as they come, none among them too; the order of each direction stands. */
/* Single datagrams of several sessions leave together, bursts at once: each client still gets its own in order. */
static void singles_and_bursts_come_down_in_order(void **state)
{
	enum { N = 5, N_SINGLES = 40 }; /* more than leave in one call */
	struct world *w = world_new(CONF "allow-loopback-peers\n");
	struct client c[N], peer;
	struct addr relayed[N];

	(void)state;
	open_peer(w, &peer);
	for (int i = 0; i < N; i++) {
		open_client(w, 0, &c[i], &relayed[i]);
		assert_int_equal(client_bind(&c[i], CHANNEL, &peer.me), 0);
	}
	for (unsigned k = 0; k < N_SINGLES; k++)
		for (unsigned i = 0; i < N; i++)
			send_payload(&peer, &relayed[i], k * N + i, 60 + i);
	for (unsigned i = 0; i < N; i++) {
		burst_down(&peer, &relayed[i], 1000 + i, 3, 200, 50);
		send_payload(&peer, &relayed[i], 2000 + i, 70);
	}
	for (unsigned i = 0; i < N; i++) {
		for (unsigned k = 0; k < N_SINGLES; k++)
			expect_frame(&c[i], CHANNEL, k * N + i, 60 + i);
		for (unsigned k = 0; k < 3; k++)
			expect_frame(&c[i], CHANNEL, 1000 + i + k, 200);
		expect_frame(&c[i], CHANNEL, 1000 + i + 3, 50);
		expect_frame(&c[i], CHANNEL, 2000 + i, 70);
		client_close(&c[i]);
	}
	client_close(&peer);
	world_free(w);
}

static void mixed_lengths_keep_their_order(void **state)
{
	enum { ROUNDS = 12, BATCH = 24 };

	(void)state;
	for (size_t o = 0; o < ARRAY_LEN(offloads); o++) {
		struct world *w = world_new(offloads[o]);
		struct client c, peer;
		struct addr relayed;
		struct rng rng;

		rng_init_seeded(&rng, o + 1);
		open_client(w, 0, &c, &relayed);
		open_peer(w, &peer);
		assert_int_equal(client_bind(&c, CHANNEL, &peer.me), 0);
		for (unsigned r = 0; r < ROUNDS; r++) {
			size_t len[BATCH];

			for (unsigned i = 0; i < BATCH; i++) {
				/* often as the one before, sometimes empty */
				len[i] = rng_below(&rng, 3) && i ? len[i - 1] : rng_below(&rng, 8) ? rng_below(&rng, 1400) : 0;
				send_frame(&c, CHANNEL, r * BATCH + i, len[i]);
				send_payload(&peer, &relayed, r * BATCH + i, len[i]);
			}
			for (unsigned i = 0; i < BATCH; i++) {
				expect_payload(&peer, r * BATCH + i, len[i]);
				expect_frame(&c, CHANNEL, r * BATCH + i, len[i]);
			}
		}
		client_close(&c);
		client_close(&peer);
		world_free(w);
	}
}

/* One burst of one client, every other datagram for another peer: none goes astray. */
static void two_peers_interleaved_get_their_own(void **state)
{
	static uint8_t burst[CLIENT_BUF];
	struct world *w = world_new(CONF "allow-loopback-peers\n");
	struct client c, peer[2];
	struct addr relayed;

	(void)state;
	open_client(w, 0, &c, &relayed);
	for (uint16_t i = 0; i < 2; i++) {
		open_peer(w, &peer[i]);
		assert_int_equal(client_bind(&c, CHANNEL + i, &peer[i].me), 0);
	}
	for (unsigned every = 1; every <= 3; every++) {
		uint8_t data[500], *at = burst;

		for (unsigned i = 0; i < 60; i++) {
			fill(data, i, sizeof data);
			at += client_frame(at, CHANNEL + i / every % 2, data, sizeof data);
		}
		client_burst(&c, &c.server, burst, (size_t)(at - burst), sizeof data + STUN_CHAN_HEADER_LEN);
		for (unsigned i = 0; i < 60; i++)
			expect_payload(&peer[i / every % 2], i, sizeof data);
	}
	for (unsigned i = 0; i < 20; i++)
		send_payload(&peer[i % 2], &relayed, i, 100 + i);
	for (unsigned n[2] = { 0, 1 }, i = 0; i < 20; i++) { /* between the two there is no order */
		struct stun_chan chan;

		client_recv(&c);
		assert_true(stun_chan_decode(c.buf, c.len, &chan));
		assert_in_range(chan.number, CHANNEL, CHANNEL + 1);
		unsigned *seq = &n[chan.number - CHANNEL];
		assert_int_equal(chan.data.len, 100 + *seq);
		check((const uint8_t *)chan.data.p, *seq, chan.data.len);
		*seq += 2;
	}
	client_close(&c);
	client_close(&peer[0]);
	client_close(&peer[1]);
	world_free(w);
}

static void indications_carry_any_length(void **state)
{
	static const size_t len[] = { 0, 1, 2, 3, 4, 5, 160, 1199, 1200, 1200, 1200, 0, 7 };
	struct world *w = world_new(CONF "allow-loopback-peers\n");
	struct client c, peer;
	struct addr relayed;
	uint8_t data[1500];

	(void)state;
	open_client(w, 0, &c, &relayed);
	open_peer(w, &peer);
	assert_int_equal(client_permit(&c, &peer.me), 0);
	for (unsigned i = 0; i < ARRAY_LEN(len); i++) {
		fill(data, i, len[i]);
		client_indicate(&c, &peer.me, data, len[i]);
	}
	for (unsigned i = 0; i < ARRAY_LEN(len); i++)
		expect_payload(&peer, i, len[i]);
	for (unsigned i = 0; i < ARRAY_LEN(len); i++)
		send_payload(&peer, &relayed, i, len[i]);
	for (unsigned i = 0; i < ARRAY_LEN(len); i++)
		expect_indication(&c, &peer.me, i, len[i]);
	for (unsigned tail = 1; tail <= 4; tail++) { /* a burst of them: the lengths before padding decide */
		burst_down(&peer, &relayed, 0, 10, 5, tail);
		for (unsigned i = 0; i < 10; i++)
			expect_indication(&c, &peer.me, i, 5);
		expect_indication(&c, &peer.me, 10, tail);
	}
	assert_int_equal(counter_get(counters(w, 0), ind_send), ARRAY_LEN(len));
	client_close(&c);
	client_close(&peer);
	world_free(w);
}

/* A and B relay to each other, by the addresses that they were told; first indications, then channels. */
static void talk(struct client *a, const struct addr *at_a, struct client *b, const struct addr *at_b)
{
	uint8_t data[1000];

	assert_int_equal(client_permit(a, at_b), 0);
	assert_int_equal(client_permit(b, at_a), 0);
	fill(data, 3, sizeof data);
	client_indicate(a, at_b, data, sizeof data);
	expect_indication(b, at_a, 3, sizeof data);
	assert_int_equal(client_bind(a, CHANNEL, at_b), 0);
	assert_int_equal(client_bind(b, CHANNEL + 1, at_a), 0);
	burst_up(a, CHANNEL, 10, 20, 1000, 13);
	burst_up(b, CHANNEL + 1, 50, 20, 900, 17);
	for (unsigned i = 0; i < 20; i++) {
		expect_frame(b, CHANNEL + 1, 10 + i, 1000);
		expect_frame(a, CHANNEL, 50 + i, 900);
	}
	expect_frame(b, CHANNEL + 1, 30, 13);
	expect_frame(a, CHANNEL, 70, 17);
}

static void two_clients_reach_each_other_through_the_relay(void **state)
{
	static const struct {
		const char *conf, *told;
	} rows[] = {
		{ CONF "allow-loopback-peers\n", "127.0.0.1" },
		{ CONF "external-ip=198.41.0.4/127.0.0.1\n", "198.41.0.4" },
		{ CONF "external-ip=198.41.0.4/127.0.0.1\nallow-loopback-peers\n", "198.41.0.4" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows) * 2; i++) {
		struct world *w = world_new(rows[i / 2].conf);
		struct addr at_a, at_b, told;
		struct client a, b;

		assert_int_equal(addr_parse_ip(str_of(rows[i / 2].told), &told), OK);
		open_client(w, 0, &a, &at_a);
		open_client(w, i % 2, &b, &at_b); /* of the same worker, of another */
		assert_true(addr_ip_eq(&told, &at_a));
		assert_true(addr_ip_eq(&told, &at_b));
		talk(&a, &at_a, &b, &at_b);
		client_close(&a);
		client_close(&b);
		world_free(w);
	}
}

/* --- cost --- */

static void relaying_takes_no_memory(void **state)
{
	struct world *w = world_new(CONF "allow-loopback-peers\n");
	struct client c, peer;
	struct addr relayed;
	unsigned up = 0, down = 0, before = n_allocs;
	uint8_t data[100];

	(void)state;
	open_client(w, 0, &c, &relayed);
	assert_true(n_allocs > before); /* a session takes some, so this would be seen */
	open_peer(w, &peer);
	assert_int_equal(client_bind(&c, CHANNEL, &peer.me), 0);
	fill(data, 0, sizeof data);
	for (int warm = 1; warm >= 0; warm--) {
		before = n_allocs;
		for (up = down = 0; up + down < (warm ? 100 : 10000);) {
			burst_up(&c, CHANNEL, up, 19, 500, 400);
			burst_down(&peer, &relayed, down, 19, 500, 400);
			client_indicate(&c, &peer.me, data, sizeof data);
			for (unsigned i = 0; i < 20; i++, up++)
				expect_payload(&peer, up, i < 19 ? 500 : 400);
			for (unsigned i = 0; i < 20; i++, down++)
				expect_frame(&c, CHANNEL, down, i < 19 ? 500 : 400);
			expect_payload(&peer, 0, sizeof data);
		}
	}
	assert_int_equal(n_allocs, before);
	client_close(&c);
	client_close(&peer);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bursts_go_up_whole_and_in_order),
		cmocka_unit_test(bursts_come_down_whole_and_in_order),
		cmocka_unit_test(singles_and_bursts_come_down_in_order),
		cmocka_unit_test(mixed_lengths_keep_their_order),
		cmocka_unit_test(two_peers_interleaved_get_their_own),
		cmocka_unit_test(indications_carry_any_length),
		cmocka_unit_test(two_clients_reach_each_other_through_the_relay),
		cmocka_unit_test(relaying_takes_no_memory),
	};

	event_set_mem_functions(event_malloc, event_realloc, free);
	if (!CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free))
		return EXIT_FAILURE;
	own_net();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

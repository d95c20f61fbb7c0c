/*
 * src/relay/share.c, and bps-capacity: what sessions may relay together, on whichever worker. The rate is so low
 * that nothing comes of it while the test runs: what passes is the bucket's depth.
 */
#include "relay_guest.h"
#include "relay_world.h"

#define GUEST_CONF                 \
	"listening-ip=127.0.0.1\n" \
	"realm=test\n"             \
	"user=local:secret\n"      \
	"user=other:secret\n"      \
	"allow-loopback-peers\n"   \
	"relay-threads=2\n"

enum { LEN = 1000, DEPTH = 65536 };

static void open_guest(struct guest *g, struct world *w, int site, const char *user, const struct addr *peer)
{
	struct wr r;

	guest_open(g, &w->site[site].listener.at, pump, w, user, "secret");
	guest_greet(g);
	assert_int_equal(guest_ask(g, STUN_ALLOCATE), 0);
	r = guest_begin(g, STUN_CHANNEL_BIND);
	stun_add_u32(&r, STUN_T_CHANNEL_NUMBER, (uint32_t)CHANNEL << 16);
	stun_add_xor_addr(&r, STUN_T_XOR_PEER_ADDRESS, peer);
	guest_sign(g, &r);
	g->len = wr_len(&r);
	guest_send(g);
	assert_int_equal(guest_answer(g), 0);
}

static uint64_t passed(struct world *w)
{
	return counter_get(counters(w, 0), tx_peer_packets) + counter_get(counters(w, 1), tx_peer_packets);
}

static uint64_t dropped(struct world *w)
{
	return counter_get(counters(w, 0), drop_bandwidth) + counter_get(counters(w, 1), drop_bandwidth);
}

/* n datagrams up, taken or dropped by the time it returns. */
static void push(struct world *w, struct guest *g, int n)
{
	const tick end = tick_now() + CLIENT_WAIT_MS;

	for (int i = 0; i < n; i++) {
		uint64_t before = passed(w) + dropped(w);

		send_frame(&g->c, CHANNEL, 0, LEN);
		while (passed(w) + dropped(w) == before) {
			assert_true(tick_now() < end);
			pump(w);
		}
	}
}

static void sessions_of_a_user_share_his_bandwidth(void **state)
{
	struct world *w = world_new(GUEST_CONF "user-max-bps=1\n");
	struct guest a, b, c;
	struct client peer;

	(void)state;
	open_peer(w, &peer);
	open_guest(&a, w, 0, "local", &peer.me);
	open_guest(&b, w, 1, "local", &peer.me);
	open_guest(&c, w, 1, "other", &peer.me);
	push(w, &a, 40);
	push(w, &b, 40);
	assert_int_equal(passed(w), DEPTH / LEN);
	assert_int_equal(dropped(w), 80 - DEPTH / LEN);
	push(w, &c, 10); /* another user has his own */
	assert_int_equal(passed(w), DEPTH / LEN + 10);
	guest_close(&a);
	guest_close(&b);
	guest_close(&c);
	client_close(&peer);
	world_free(w);
}

static void without_a_limit_nothing_is_kept(void **state)
{
	struct world *w = world_new(GUEST_CONF);
	struct client peer;
	struct guest a;

	(void)state;
	open_peer(w, &peer);
	open_guest(&a, w, 0, "local", &peer.me);
	assert_int_equal(w->site[0].relay->bills_slab.n_used, 0);
	push(w, &a, 100);
	assert_int_equal(passed(w), 100);
	guest_close(&a);
	client_close(&peer);
	world_free(w);
}

static void sessions_reserve_their_max_bps(void **state)
{
	struct world *w = world_new(CONF "max-bps=1000\nbps-capacity=2500\n");
	struct client c[N_SITES + 1];
	struct addr relayed;

	(void)state;
	for (int i = 0; i < N_SITES; i++)
		open_client(w, i, &c[i], &relayed);
	client_open(&c[N_SITES], &w->site[0].listener.at, pump, w);
	assert_int_equal(client_allocate(&c[N_SITES], false, &relayed), 486);
	assert_int_equal(client_refresh(&c[0], 0), 0);
	assert_int_equal(client_allocate(&c[N_SITES], false, &relayed), 0); /* its place is free */
	for (int i = 0; i <= N_SITES; i++)
		client_close(&c[i]);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_of_a_user_share_his_bandwidth),
		cmocka_unit_test(without_a_limit_nothing_is_kept),
		cmocka_unit_test(sessions_reserve_their_max_bps),
	};

	return cmocka_run_group_tests_name("relay_share", tests, NULL, NULL);
}

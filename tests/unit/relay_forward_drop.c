/* The packet path: what may not pass is counted and goes nowhere; sessions end in the middle of it. */
#include "relay_world.h"
#include "own_net.h"

static void data_without_a_session_is_counted(void **state)
{
	struct world *w = world_new(CONF "allow-loopback-peers\n");
	struct client c, peer;

	(void)state;
	client_open(&c, &w->site[0].listener.at, pump, w);
	open_peer(w, &peer);
	send_frame(&c, CHANNEL, 0, 100);
	until(w, drop_no_session, 1);
	client_indicate(&c, &peer.me, "x", 1);
	until(w, drop_no_session, 2);
	assert_false(client_try(&c)); /* no answer: nobody is made to send to a victim */
	assert_false(client_try(&peer));
	client_close(&c);
	client_close(&peer);
	world_free(w);
}

static void data_without_channel_or_permission_is_counted(void **state)
{
	struct world *w = world_new(CONF "allow-loopback-peers\nexternal-ip=198.41.0.4/127.0.0.1\n");
	struct addr relayed, inner, v6;
	struct client c, peer;

	(void)state;
	open_client(w, 0, &c, &relayed);
	open_peer(w, &peer);
	inner = relayed;
	memcpy(inner.ip, peer.me.ip, sizeof inner.ip);
	send_frame(&c, CHANNEL, 0, 100);
	until(w, drop_no_channel, 1);
	client_indicate(&c, &peer.me, "x", 1);
	until(w, drop_no_permission, 1);
	send_payload(&peer, &inner, 0, 100); /* the other direction */
	until(w, drop_no_permission, 2);
	burst_down(&peer, &inner, 0, 9, 100, 50);
	until(w, drop_no_permission, 12);
	assert_int_equal(addr_parse(str_of("[2001:4860:4860::8888]:53"), 0, &v6), OK);
	client_indicate(&c, &v6, "x", 1);
	until(w, drop_family, 1);
	assert_int_equal(client_bind(&c, CHANNEL, &peer.me), 0);
	send_frame(&c, CHANNEL + 1, 0, 100); /* another number is another channel */
	until(w, drop_no_channel, 2);
	assert_int_equal(counter_get(counters(w, 0), tx_peer_packets), 0);
	assert_false(client_try(&c));
	assert_false(client_try(&peer));
	client_close(&c);
	client_close(&peer);
	world_free(w);
}

static void what_is_no_message_is_counted(void **state)
{
	static const uint8_t junk[] = { 0xff, 1, 2, 3 }, dtls[] = { 22, 0xfe, 0xfd, 0 };
	static const uint8_t longer[] = { 0x40, 0x00, 0x00, 0x05, 'a', 'b', 'c', 'd' };
	static const uint8_t cut[] = { 0x40, 0x00, 0x00 }, stun[] = { 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42 };
	struct world *w = world_new(CONF "allow-loopback-peers\n");
	struct addr relayed;
	struct client c;

	(void)state;
	open_client(w, 0, &c, &relayed);
	client_send(&c, &c.server, junk, sizeof junk);
	client_send(&c, &c.server, dtls, sizeof dtls);
	client_send(&c, &c.server, junk, 0);
	until(w, drop_junk, 3);
	client_send(&c, &c.server, longer, sizeof longer);
	client_send(&c, &c.server, cut, sizeof cut);
	client_send(&c, &c.server, stun, sizeof stun);
	until(w, drop_malformed, 3);
	assert_int_equal(counter_get(counters(w, 0), rx_client_packets), 7);
	assert_int_equal(client_binding(&c), 0); /* and it serves on */
	client_close(&c);
	world_free(w);
}

/* Own addresses are open for relayed ports: not for another socket of this host, whatever its port. */
static void an_own_address_is_relayed_ports_only(void **state)
{
	const struct net_sock_options o = { .kind = NET_SOCK_RELAY, .buf_size = 65536 };
	struct world *w = world_new(CONF "external-ip=198.41.0.4/127.0.0.1\n");
	struct addr relayed, other, target[3];
	struct client c, peer;
	int fd = -1;
	char byte;

	(void)state;
	client_open(&c, &w->site[0].listener.at, pump, w);
	assert_int_equal(client_allocate(&c, true, &relayed), 0);
	open_peer(w, &peer);
	other = peer.me; /* a port that is reserved, so ours, but that another program has */
	other.port = (uint16_t)(relayed.port + 1);
	assert_int_equal(net_sock_udp(&other, &o, &fd), OK);
	target[0] = target[1] = target[2] = relayed;
	target[0].port = peer.me.port;			   /* some service */
	target[1].port = w->site[1].listener.at.port; /* our own listener */
	target[2].port = other.port;
	for (uint16_t i = 0; i < 3; i++) {
		assert_int_equal(client_bind(&c, CHANNEL + i, &target[i]), 0);
		send_frame(&c, CHANNEL + i, 0, 100);
		until(w, drop_own_port, 2u * i + 1);
		client_indicate(&c, &target[i], "x", 1);
		until(w, drop_own_port, 2u * i + 2);
	}
	assert_int_equal(counter_get(counters(w, 0), tx_peer_packets), 0);
	assert_false(client_try(&peer));
	assert_true(recv(fd, &byte, 1, MSG_DONTWAIT) < 0);
	net_sock_close(&fd);
	client_close(&c);
	client_close(&peer);
	world_free(w);
}

/* 120 datagrams of 1000 bytes in one moment; the bucket holds 65536. */
static void what_is_above_max_bps_is_dropped(void **state)
{
	struct world *w = world_new(CONF "allow-loopback-peers\nmax-bps=1000\n");
	struct client c, peer;
	struct addr relayed;

	(void)state;
	open_client(w, 0, &c, &relayed);
	open_peer(w, &peer);
	assert_int_equal(client_bind(&c, CHANNEL, &peer.me), 0);
	/* a second refills one datagram's worth: whoever is as slow as that sees a few more pass */
	for (unsigned i = 0; i < 3; i++)
		burst_up(&c, CHANNEL, i * 40, 39, 1000, 1000);
	for (unsigned i = 0; i < 65; i++)
		expect_payload(&peer, i, 1000);
	until(w, rx_client_packets, 120u + 2);
	assert_in_range(counter_get(counters(w, 0), drop_bandwidth), 120 - 65 - 20, 120 - 65);
	assert_int_equal(counter_get(counters(w, 0), drop_bandwidth) + counter_get(counters(w, 0), tx_peer_packets),
			 120);

	uint64_t up = counter_get(counters(w, 0), drop_bandwidth);
	for (unsigned i = 0; i < 3; i++) /* the other direction has its own */
		burst_down(&peer, &relayed, i * 40, 39, 1000, 1000);
	for (unsigned i = 0; i < 65; i++)
		expect_frame(&c, CHANNEL, i, 1000);
	until(w, rx_peer_packets, 120u);
	assert_in_range(counter_get(counters(w, 0), drop_bandwidth) - up, 120 - 65 - 20, 120 - 65);
	client_close(&c);
	client_close(&peer);
	world_free(w);
}

/* --- lives that end in the middle --- */

/* Two ChannelData, a Refresh that ends it all, two more: one burst of five equal lengths. */
static void a_session_may_end_within_a_burst(void **state)
{
	enum { LEN = 28 }; /* of a Refresh with a lifetime: 20 + 8 */
	struct world *w = world_new(CONF "allow-loopback-peers\n");
	uint8_t burst[5 * LEN], data[LEN];
	struct client c, peer;
	struct addr relayed;

	(void)state;
	open_client(w, 0, &c, &relayed);
	open_peer(w, &peer);
	assert_int_equal(client_bind(&c, CHANNEL, &peer.me), 0);
	for (unsigned i = 0; i < 5; i++) {
		fill(data, i, LEN);
		client_frame(burst + i * LEN, CHANNEL, data, LEN - STUN_CHAN_HEADER_LEN);
	}
	struct wr refresh = wr_init(burst + 2 * LEN, LEN);
	client_write_refresh(&c, &refresh, 0);
	assert_int_equal(wr_len(&refresh), LEN);
	client_burst(&c, &c.server, burst, sizeof burst, LEN);
	client_recv(&c);
	assert_int_equal(stun_decode(c.buf, c.len, &c.msg), OK);
	assert_int_equal(c.msg.class, STUN_SUCCESS);
	expect_payload(&peer, 0, LEN - STUN_CHAN_HEADER_LEN);
	expect_payload(&peer, 1, LEN - STUN_CHAN_HEADER_LEN);
	until(w, drop_no_session, 2);
	assert_false(client_try(&peer));
	assert_int_equal(relay_ports_used(w->shared->ports), 0);
	client_close(&c);
	client_close(&peer);
	world_free(w);
}

/* Its relay socket is readable in the very turn that the session ends in, or has errors to tell. */
static void a_session_may_end_while_data_waits_for_it(void **state)
{
	struct world *w = world_new(CONF "allow-loopback-peers\n");
	struct client c[8], peer;
	struct addr relayed[8];

	(void)state;
	open_peer(w, &peer);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 8; i++) {
			open_client(w, 0, &c[i], &relayed[i]);
			assert_int_equal(client_bind(&c[i], CHANNEL, &peer.me), 0);
		}
		for (int i = 0; i < 8; i++) { /* all of it before the relay has its turn */
			uint8_t buf[CLIENT_MSG_MAX];
			struct wr refresh = wr_init(buf, sizeof buf);

			burst_down(&peer, &relayed[i], 0, 5, 100, 7);
			send_payload(&peer, &relayed[i], 0, 20);
			client_write_refresh(&c[i], &refresh, 0);
			client_send(&c[i], &c[i].server, refresh.start, wr_len(&refresh));
			burst_down(&peer, &relayed[i], 0, 5, 100, 7);
			send_payload(&peer, &relayed[i], 0, 20);
		}
		until(w, alloc_closed, 8u * ((unsigned)round + 1));
		assert_int_equal(relay_ports_used(w->shared->ports), 0);
		for (int i = 0; i < 8; i++)
			client_close(&c[i]);
	}
	client_close(&peer);
	world_free(w);
}

static void an_icmp_error_reaches_the_client(void **state)
{
	struct world *w = world_new(CONF "allow-loopback-peers\n");
	struct client c, gone, peer;
	struct addr relayed;

	(void)state;
	open_client(w, 0, &c, &relayed);
	open_peer(w, &gone);
	open_peer(w, &peer);
	client_close(&gone);
	assert_int_equal(client_bind(&c, CHANNEL, &gone.me), 0);
	assert_int_equal(client_bind(&c, CHANNEL + 1, &peer.me), 0);
	send_frame(&c, CHANNEL, 0, 10);
	send_frame(&c, CHANNEL + 1, 1, 10); /* the error of the one does not cost the other */
	client_recv(&c);
	assert_int_equal(stun_decode(c.buf, c.len, &c.msg), OK);
	assert_int_equal(c.msg.method, STUN_DATA);
	assert_true(addr_eq(&c.msg.peer, &gone.me));
	assert_int_equal(c.msg.icmp, 3 << 8 | 3);
	expect_payload(&peer, 1, 10);
	assert_int_equal(counter_get(counters(w, 0), drop_send), 0);
	assert_int_equal(counter_get(counters(w, 0), icmp_relayed), 1);
	client_close(&c);
	client_close(&peer);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_without_a_session_is_counted),
		cmocka_unit_test(data_without_channel_or_permission_is_counted),
		cmocka_unit_test(what_is_no_message_is_counted),
		cmocka_unit_test(an_own_address_is_relayed_ports_only),
		cmocka_unit_test(what_is_above_max_bps_is_dropped),
		cmocka_unit_test(a_session_may_end_within_a_burst),
		cmocka_unit_test(a_session_may_end_while_data_waits_for_it),
		cmocka_unit_test(an_icmp_error_reaches_the_client),
	};

	own_net();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

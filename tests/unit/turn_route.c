/* src/turn/route.c: RFC 8656 s.11 and s.12.6, s.12.7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bug.h"
#include "turn_world.h"

#define NAT "external-ip=203.0.113.1/192.0.2.1\n"

static int setup(void **state)
{
	*state = world_new(WORLD_CONF NAT);
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

static struct world_client alice(struct world *w)
{
	struct world_client c = world_client("192.0.2.77:5000", "alice", "wonder");

	assert_int_equal(world_allocate_both(w, &c), 0);
	return c;
}

static enum turn_route send_built(struct world *w, const struct world_client *c)
{
	struct stun_msg ind;

	assert_int_equal(stun_decode(w->body, wr_len(&w->req), &ind), OK);
	return turn_route_send(&w->env, world_session(w, c), &ind, &w->out);
}

/* s.11.2: both attributes, well-formed; nothing that is not understood; DATA may be empty. */
static void test_send_indication(void **state)
{
	static const struct {
		bool peer, data, odd_peer, odd_fragment;
		uint16_t unknown; /* type of one more; 0: none */
		enum turn_route route;
	} row[] = {
		{ true, true, false, false, 0, TURN_ROUTE_OK },
		{ true, false, false, false, 0, TURN_ROUTE_INVALID },
		{ false, true, false, false, 0, TURN_ROUTE_INVALID },
		{ false, true, true, false, 0, TURN_ROUTE_INVALID },
		{ true, true, false, true, 0, TURN_ROUTE_INVALID },
		{ true, true, false, false, 0x7FFF, TURN_ROUTE_INVALID },
		{ true, true, false, false, 0xFFFF, TURN_ROUTE_OK },
		/* known to the codec, not served */
		{ true, true, false, false, STUN_T_CHANGE_REQUEST, TURN_ROUTE_INVALID },
	};
	static const uint8_t odd[8] = { 0, 9 };
	struct world *w = *state;
	struct world_client c = alice(w);

	assert_int_equal(world_permit(w, &c, "198.51.100.9"), 0);
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		for (size_t len = 0; len < 6; len++) {
			world_begin(w, STUN_INDICATION, STUN_SEND);
			if (row[i].odd_peer)
				stun_add(&w->req, STUN_T_XOR_PEER_ADDRESS, odd, sizeof odd);
			if (row[i].peer)
				world_add_peer(w, "198.51.100.9:7");
			if (row[i].data)
				stun_add(&w->req, STUN_T_DATA, "hello", len);
			if (row[i].odd_fragment)
				stun_add(&w->req, STUN_T_DONT_FRAGMENT, "1234", 4);
			if (row[i].unknown)
				stun_add(&w->req, row[i].unknown, NULL, 0);
			assert_int_equal(send_built(w, &c), row[i].route);
			if (row[i].route != TURN_ROUTE_OK)
				continue;
			assert_int_equal(w->out.data.len, len);
			assert_memory_equal(w->out.data.p, "hello", len);
			assert_false(w->out.dont_fragment || w->out.own);
		}
}

static void test_dont_fragment(void **state)
{
	struct world *w = *state;
	struct world_client c = alice(w);

	assert_int_equal(world_permit(w, &c, "198.51.100.9"), 0);
	world_begin(w, STUN_INDICATION, STUN_SEND);
	world_add_peer(w, "198.51.100.9:7");
	stun_add(&w->req, STUN_T_DONT_FRAGMENT, NULL, 0);
	stun_add(&w->req, STUN_T_DATA, "hi", 2);
	assert_int_equal(send_built(w, &c), TURN_ROUTE_OK);
	assert_true(w->out.dont_fragment);
}

/* s.11.3, s.12.7: the channel where one is bound to that very address and port, else 0. */
static void test_from_peer(void **state)
{
	static const struct {
		const char *from;
		enum turn_route route;
		uint16_t channel;
	} row[] = {
		{ "198.51.100.9:7", TURN_ROUTE_OK, 0x4000 },
		{ "198.51.100.9:8", TURN_ROUTE_OK, 0 },
		{ "198.51.100.8:7", TURN_ROUTE_NO_PERMISSION, 0 },
		{ "[2001:db8:1::9]:7", TURN_ROUTE_OK, 0x4001 },
		{ "[2001:db8:1::8]:7", TURN_ROUTE_NO_PERMISSION, 0 },
		{ "[::ffff:198.51.100.9]:7", TURN_ROUTE_NO_PERMISSION, 0 },
	};
	struct world *w = *state;
	struct world_client c = alice(w);

	assert_int_equal(world_bind(w, &c, 0x4000, "198.51.100.9:7"), 0);
	assert_int_equal(world_bind(w, &c, 0x4001, "[2001:db8:1::9]:7"), 0);
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct addr from = world_addr(row[i].from), peer;
		uint16_t channel = 1;

		assert_int_equal(world_from_peer(w, &c, row[i].from, &channel, &peer), row[i].route);
		if (row[i].route != TURN_ROUTE_OK)
			continue;
		assert_int_equal(channel, row[i].channel);
		assert_true(addr_eq(&peer, &from));
	}
}

/* Two clients of one relay: sent to the external address, delivered to the inner one, and told
 * by the name that the client knows. */
static void test_own_relays_behind_a_nat(void **state)
{
	const struct addr inner = world_addr("192.0.2.1:50001"), outer = world_addr("203.0.113.1:50001");
	struct world *w = *state;
	struct world_client c = alice(w);
	uint16_t channel;
	struct addr peer;

	assert_int_equal(w->ans.xor_relayed.ip[0], 203);
	assert_int_equal(world_permit(w, &c, "203.0.113.1"), 0);
	assert_int_equal(world_send(w, &c, "203.0.113.1:50001"), TURN_ROUTE_OK);
	assert_true(addr_eq(&w->out.to, &inner));
	assert_true(w->out.own);
	assert_int_equal(world_from_peer(w, &c, "192.0.2.1:50001", &channel, &peer), TURN_ROUTE_OK);
	assert_true(addr_eq(&peer, &outer));
	/* a client that names the inner address is answered in its own words */
	assert_int_equal(world_refresh(w, &c, 0), 0);
	assert_int_equal(world_allocate(w, &c), 0);
	assert_int_equal(world_bind(w, &c, 0x4000, "192.0.2.1:50001"), 0);
	assert_int_equal(world_from_peer(w, &c, "192.0.2.1:50001", &channel, &peer), TURN_ROUTE_OK);
	assert_true(addr_eq(&peer, &inner));
	assert_int_equal(channel, 0x4000);
}

/* s.11.3: the indication that the header begins is one that a client can read. */
static void test_data_header(void **state)
{
	static const char *const from[] = { "198.51.100.9:7", "[2001:db8:1::9]:65535" };
	struct world *w = *state;
	uint8_t raw[TURN_DATA_HEADER_V6 + 1504];
	struct stun_msg m;

	for (size_t i = 0; i < 2; i++)
		for (size_t len = 0; len <= 1500; len++) {
			struct addr peer = world_addr(from[i]);
			size_t n = turn_route_data_header(&peer, len, &w->rng, raw);

			assert_int_equal(n, i ? TURN_DATA_HEADER_V6 : TURN_DATA_HEADER_V4);
			memset(raw + n, 0x5a, len);
			memset(raw + n + len, 0, 3);
			assert_int_equal(stun_decode(raw, n + (len + 3) / 4 * 4, &m), OK);
			assert_int_equal(m.class, STUN_INDICATION);
			assert_int_equal(m.method, STUN_DATA);
			assert_true(addr_eq(&m.peer, &peer));
			assert_int_equal(m.data.len, len);
		}
}

/* The length of a message has 16 bits: what does not fit is not begun, rather than cut. */
static void test_data_header_limit(void **state)
{
	static const struct {
		const char *from;
		size_t most; /* 65532 less XOR-PEER-ADDRESS and the header of DATA */
	} rows[] = { { "198.51.100.9:7", 65516 }, { "[2001:db8:1::9]:65535", 65504 } };
	struct world *w = *state;
	uint8_t raw[TURN_DATA_HEADER_V6];

	for (size_t i = 0; i < 2; i++) {
		struct addr peer = world_addr(rows[i].from);

		assert_int_not_equal(turn_route_data_header(&peer, rows[i].most, &w->rng, raw), 0);
		assert_int_equal(raw[2] << 8 | raw[3], 65532);
		for (size_t len = rows[i].most + 1; len <= 65535; len++)
			assert_int_equal(turn_route_data_header(&peer, len, &w->rng, raw), 0);
	}
}

/* s.11.5: type, code and data of an error that a permitted peer's address caused. */
static void test_icmp(void **state)
{
	struct world *w = *state;
	struct world_client c = alice(w);
	const struct addr peer = world_addr("198.51.100.9:7"), other = world_addr("198.51.100.8:7");
	uint8_t raw[128];
	struct wr out = wr_init(raw, sizeof raw);
	struct stun_msg m;

	assert_false(turn_route_icmp(&w->env, world_session(w, &c), &peer, 3, 4, 1280, &out));
	assert_int_equal(world_bind(w, &c, 0x4000, "198.51.100.9:7"), 0);
	assert_false(turn_route_icmp(&w->env, world_session(w, &c), &other, 3, 4, 1280, &out));
	assert_int_equal(wr_len(&out), 0);
	assert_true(turn_route_icmp(&w->env, world_session(w, &c), &peer, 3, 4, 1280, &out));
	assert_int_equal(stun_decode(raw, wr_len(&out), &m), OK);
	assert_int_equal(m.method, STUN_DATA);
	assert_int_equal(m.class, STUN_INDICATION);
	assert_true(addr_eq(&m.peer, &peer));
	assert_int_equal(m.icmp, 3 << 8 | 4);
	assert_int_equal(m.icmp_data, 1280);
	assert_false(stun_has(&m, STUN_A_DATA));
	world_hang(w, SEC(300));
	out = wr_init(raw, sizeof raw);
	assert_false(turn_route_icmp(&w->env, world_session(w, &c), &peer, 3, 4, 1280, &out));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_send_indication),
		T(test_dont_fragment),
		T(test_from_peer),
		T(test_own_relays_behind_a_nat),
		T(test_data_header),
		T(test_data_header_limit),
		T(test_icmp),
	};

	return cmocka_run_group_tests_name("turn_route", tests, NULL, NULL);
}

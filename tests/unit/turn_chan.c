/* src/turn/chan.c: RFC 8656 s.12. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/bug.h"
#include "turn_world.h"

static int setup(void **state)
{
	*state = world_new(WORLD_CONF);
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

static int setup_5766(void **state)
{
	*state = world_new(WORLD_CONF "rfc5766-channel-numbers\n");
	return 0;
}

static int setup_nat(void **state)
{
	*state = world_new(WORLD_CONF "external-ip=203.0.113.1/192.0.2.1\n");
	return 0;
}

static struct world_client alice(struct world *w)
{
	struct world_client c = world_client("192.0.2.77:5000", "alice", "wonder");

	assert_int_equal(world_allocate(w, &c), 0);
	assert_int_equal(world_refresh(w, &c, 3600), 0);
	return c;
}

struct number {
	uint16_t number;
	unsigned code, code_5766;
};

/* s.12: 0x4000 through 0x4FFF; RFC 5766 s.11: through 0x7FFF. */
static const struct number numbers[] = {
	{ 0x0000, 400, 400 }, { 0x0001, 400, 400 }, { 0x3FFF, 400, 400 }, { 0x4000, 0, 0 },
	{ 0x4001, 0, 0 },     { 0x4FFF, 0, 0 },	    { 0x5000, 400, 0 },	  { 0x7FFE, 400, 0 },
	{ 0x7FFF, 400, 0 },   { 0x8000, 400, 400 }, { 0xFFFF, 400, 400 },
};

static void try_numbers(struct world *w, bool old)
{
	struct world_client c = alice(w);
	char peer[32];

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		unsigned code = old ? numbers[i].code_5766 : numbers[i].code;

		snprintf(peer, sizeof peer, "198.51.100.9:%zu", i + 1);
		assert_int_equal(world_bind(w, &c, numbers[i].number, peer), code);
		assert_int_equal(world_channel(w, &c, numbers[i].number),
				 code ? TURN_ROUTE_NO_CHANNEL : TURN_ROUTE_OK);
	}
}

static void test_numbers(void **state)
{
	try_numbers(*state, false);
}

static void test_numbers_of_rfc5766(void **state)
{
	try_numbers(*state, true);
}

/* s.12.2: a number has one peer, a peer one number; the same pair is a refresh. */
static void test_pairs(void **state)
{
	static const struct {
		uint16_t number;
		const char *peer;
		unsigned code;
	} row[] = {
		{ 0x4000, "198.51.100.9:7", 0 },
		{ 0x4000, "198.51.100.9:7", 0 },
		{ 0x4000, "198.51.100.9:8", 400 },
		{ 0x4000, "198.51.100.8:7", 400 },
		{ 0x4001, "198.51.100.9:7", 400 },
		{ 0x4001, "198.51.100.9:8", 0 },
		{ 0x4000, "198.51.100.9:8", 400 },
		/* 400 comes before 403 and 443 */
		{ 0x4001, "10.0.0.1:7", 400 },
		{ 0x4001, "[2001:db8:1::1]:7", 400 },
		{ 0x4002, "10.0.0.1:7", 403 },
		{ 0x4002, "[2001:db8:1::1]:7", 443 },
		{ 0x4002, "[::1]:7", 443 },
	};
	struct world *w = *state;
	struct world_client c = alice(w);

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		assert_int_equal(world_bind(w, &c, row[i].number, row[i].peer), row[i].code);
		assert_true(world_signed(w, &c));
	}
	assert_int_equal(world_session(w, &c)->chans.n, 2);
}

static void test_attributes_missing_or_malformed(void **state)
{
	static const uint8_t odd[8] = { 0, 3 };
	struct world *w = *state;
	struct world_client c = alice(w);

	world_begin(w, STUN_REQUEST, STUN_CHANNEL_BIND);
	assert_int_equal(world_do(w, &c), 400);
	world_begin(w, STUN_REQUEST, STUN_CHANNEL_BIND);
	stun_add_u32(&w->req, STUN_T_CHANNEL_NUMBER, 0x4000u << 16);
	assert_int_equal(world_do(w, &c), 400);
	world_begin(w, STUN_REQUEST, STUN_CHANNEL_BIND);
	world_add_peer(w, "198.51.100.9:7");
	assert_int_equal(world_do(w, &c), 400);
	world_begin(w, STUN_REQUEST, STUN_CHANNEL_BIND);
	stun_add(&w->req, STUN_T_CHANNEL_NUMBER, "\x40\x00", 2);
	world_add_peer(w, "198.51.100.9:7");
	assert_int_equal(world_do(w, &c), 400);
	world_begin(w, STUN_REQUEST, STUN_CHANNEL_BIND);
	stun_add_u32(&w->req, STUN_T_CHANNEL_NUMBER, 0x4000u << 16);
	stun_add(&w->req, STUN_T_XOR_PEER_ADDRESS, odd, sizeof odd);
	assert_int_equal(world_do(w, &c), 400);
	assert_int_equal(world_session(w, &c)->perms.n, 0);
}

/* s.12: ten minutes, to the millisecond; the permission, which is shorter, kept fresh. */
static void test_lifetime(void **state)
{
	static const struct {
		tick at_ms;
		bool bound;
	} row[] = { { SEC(600) - 1, true }, { SEC(600), false }, { SEC(600) + 1, false } };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(row) * 2; i++) {
		struct world_client c = alice(w);
		uint16_t channel = 1;
		struct addr peer;

		assert_int_equal(world_bind(w, &c, 0x4000, "198.51.100.9:7"), 0);
		world_pass(w, SEC(400));
		assert_int_equal(world_permit(w, &c, "198.51.100.9"), 0);
		(i & 1 ? world_hang : world_pass)(w, row[i / 2].at_ms - SEC(400));
		assert_int_equal(world_channel(w, &c, 0x4000),
				 row[i / 2].bound ? TURN_ROUTE_OK : TURN_ROUTE_NO_CHANNEL);
		assert_int_equal(world_from_peer(w, &c, "198.51.100.9:7", &channel, &peer), TURN_ROUTE_OK);
		assert_int_equal(channel, row[i / 2].bound ? 0x4000 : 0);
		assert_int_equal(world_refresh(w, &c, 0), 0);
	}
}

/* s.12: once unbound, the number may go to another peer and the peer to another number, also in
 * the moment before the wheel has come by. */
static void test_free_again_when_expired(void **state)
{
	struct world *w = *state;
	struct world_client c = alice(w);

	for (int late = 0; late < 2; late++) {
		assert_int_equal(world_bind(w, &c, 0x4000, "198.51.100.9:7"), 0);
		assert_int_equal(world_bind(w, &c, 0x4001, "198.51.100.9:8"), 0);
		world_pass(w, SEC(600) - 1);
		assert_int_equal(world_bind(w, &c, 0x4000, "198.51.100.9:9"), 400);
		(late ? world_hang : world_pass)(w, 1);
		assert_int_equal(world_bind(w, &c, 0x4001, "198.51.100.9:7"), 0);
		assert_int_equal(world_bind(w, &c, 0x4000, "198.51.100.9:8"), 0);
		assert_int_equal(world_channel(w, &c, 0x4001), TURN_ROUTE_OK);
		assert_int_equal(w->out.to.port, 7);
		world_pass(w, SEC(601));
	}
}

/* s.12.2: installs the permission, and refreshes it. */
static void test_binding_permits(void **state)
{
	struct world *w = *state;
	struct world_client c = alice(w);

	assert_int_equal(world_bind(w, &c, 0x4000, "198.51.100.9:7"), 0);
	assert_int_equal(world_send(w, &c, "198.51.100.9:99"), TURN_ROUTE_OK);
	world_pass(w, SEC(300));
	assert_int_equal(world_channel(w, &c, 0x4000), TURN_ROUTE_NO_PERMISSION);
	assert_int_equal(world_bind(w, &c, 0x4000, "198.51.100.9:7"), 0);
	world_pass(w, SEC(299));
	assert_int_equal(world_channel(w, &c, 0x4000), TURN_ROUTE_OK);
	world_pass(w, SEC(301)); /* 600 s after the second binding */
	assert_int_equal(world_channel(w, &c, 0x4000), TURN_ROUTE_NO_CHANNEL);
}

/* A refused binding grants nothing. */
static void test_refusal_changes_nothing(void **state)
{
	struct world *w = *state;
	struct world_client c = alice(w);

	assert_int_equal(world_bind(w, &c, 0x4000, "198.51.100.9:7"), 0);
	assert_int_equal(world_bind(w, &c, 0x4000, "198.51.100.1:7"), 400);
	assert_int_equal(world_bind(w, &c, 0x5000, "198.51.100.1:7"), 400);
	assert_int_equal(world_send(w, &c, "198.51.100.1:7"), TURN_ROUTE_NO_PERMISSION);
	world_pass(w, SEC(200));
	assert_int_equal(world_bind(w, &c, 0x4001, "198.51.100.9:7"), 400);
	world_pass(w, SEC(100));
	assert_int_equal(world_channel(w, &c, 0x4000), TURN_ROUTE_NO_PERMISSION);
}

static void test_all_numbers_at_once(void **state)
{
	struct world *w = *state;
	struct world_client c = alice(w);
	char peer[32];

	for (unsigned n = 0x4000; n <= 0x4FFF; n++) {
		snprintf(peer, sizeof peer, "198.51.100.9:%u", n);
		assert_int_equal(world_bind(w, &c, (uint16_t)n, peer), 0);
	}
	for (unsigned n = 0x4000; n <= 0x4FFF; n++) {
		assert_int_equal(world_channel(w, &c, (uint16_t)n), TURN_ROUTE_OK);
		assert_int_equal(w->out.to.port, n);
	}
	assert_int_equal(world_session(w, &c)->perms.n, 1);
	world_pass(w, SEC(601));
	assert_int_equal(w->pools.chans.n_used, 0);
}

/* An own external address is reached by its inner one, and marked. */
static void test_own_external_peer(void **state)
{
	struct world *w = *state;
	struct world_client c = alice(w);

	assert_int_equal(world_bind(w, &c, 0x4000, "203.0.113.1:50007"), 0);
	assert_int_equal(world_channel(w, &c, 0x4000), TURN_ROUTE_OK);
	assert_true(w->out.own);
	assert_true(addr_eq(&w->out.to, &(struct addr){ { 192, 0, 2, 1 }, 50007, ADDR_V4, 0 }));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_numbers),
		cmocka_unit_test_setup_teardown(test_numbers_of_rfc5766, setup_5766, teardown),
		T(test_pairs),
		T(test_attributes_missing_or_malformed),
		T(test_lifetime),
		T(test_free_again_when_expired),
		T(test_binding_permits),
		T(test_refusal_changes_nothing),
		T(test_all_numbers_at_once),
		cmocka_unit_test_setup_teardown(test_own_external_peer, setup_nat, teardown),
	};

	return cmocka_run_group_tests_name("turn_chan", tests, NULL, NULL);
}

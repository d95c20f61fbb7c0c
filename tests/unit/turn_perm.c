/* src/turn/perm.c: RFC 8656 s.9 and s.10. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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

static struct world_client alice(struct world *w)
{
	struct world_client c = world_client("192.0.2.77:5000", "alice", "wonder");

	assert_int_equal(world_allocate(w, &c), 0);
	return c;
}

/* s.9: the lifetime is 300 seconds, to the millisecond, however late the wheel is. */
static void test_lifetime(void **state)
{
	static const struct {
		tick at_ms;
		bool alive;
	} row[] = {
		{ 0, true }, { 1, true }, { SEC(299), true }, { SEC(300) - 1, true },
		{ SEC(300), false }, { SEC(300) + 1, false }, { SEC(400), false },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(row) * 2; i++) {
		struct world_client c = alice(w);
		uint16_t channel;
		struct addr peer;

		assert_int_equal(world_permit(w, &c, "198.51.100.9"), 0);
		(i & 1 ? world_hang : world_pass)(w, row[i / 2].at_ms);
		assert_int_equal(world_send(w, &c, "198.51.100.9:7"),
				 row[i / 2].alive ? TURN_ROUTE_OK : TURN_ROUTE_NO_PERMISSION);
		assert_int_equal(world_from_peer(w, &c, "198.51.100.9:8", &channel, &peer),
				 row[i / 2].alive ? TURN_ROUTE_OK : TURN_ROUTE_NO_PERMISSION);
		assert_int_equal(world_refresh(w, &c, 0), 0);
	}
}

/* s.9: only a request refreshes it; data does not, nor does another peer's request. */
static void test_refreshed_by_requests_only(void **state)
{
	struct world *w = *state;
	struct world_client c = alice(w);
	uint16_t channel;
	struct addr peer;

	assert_int_equal(world_permit(w, &c, "198.51.100.9"), 0);
	world_pass(w, SEC(200));
	assert_int_equal(world_permit(w, &c, "198.51.100.10"), 0);
	assert_int_equal(world_send(w, &c, "198.51.100.9:7"), TURN_ROUTE_OK);
	assert_int_equal(world_from_peer(w, &c, "198.51.100.9:7", &channel, &peer), TURN_ROUTE_OK);
	world_pass(w, SEC(100));
	assert_int_equal(world_send(w, &c, "198.51.100.9:7"), TURN_ROUTE_NO_PERMISSION);
	assert_int_equal(world_send(w, &c, "198.51.100.10:7"), TURN_ROUTE_OK);
	assert_int_equal(world_permit(w, &c, "198.51.100.10"), 0);
	world_pass(w, SEC(299));
	assert_int_equal(world_send(w, &c, "198.51.100.10:7"), TURN_ROUTE_OK);
}

/* s.9: an address, whatever the port; and that address only. */
static void test_matches_the_address_alone(void **state)
{
	static const struct {
		const char *peer;
		enum turn_route route;
	} row[] = {
		{ "198.51.100.9:1", TURN_ROUTE_OK },
		{ "198.51.100.9:65535", TURN_ROUTE_OK },
		{ "198.51.100.8:1", TURN_ROUTE_NO_PERMISSION },
		{ "198.51.101.9:1", TURN_ROUTE_NO_PERMISSION },
		{ "[::ffff:198.51.100.9]:1", TURN_ROUTE_NO_FAMILY },
	};
	struct world *w = *state;
	struct world_client c = alice(w);

	assert_int_equal(world_permit(w, &c, "198.51.100.9:4242"), 0);
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		assert_int_equal(world_send(w, &c, row[i].peer), row[i].route);
}

/* s.10.2: each of the peers must be good, or none is granted. */
static const struct {
	const char *peer[4];
	unsigned code;
} requests[] = {
	{ { "198.51.100.1", "198.51.100.2", "198.51.100.1", "203.0.113.3" }, 0 },
	{ { NULL }, 400 },
	{ { "198.51.100.1", "10.0.0.1" }, 403 },
	{ { "127.0.0.1", "198.51.100.1" }, 403 },
	{ { "198.51.100.1", "2001:db8:1::1" }, 443 },
	{ { "2001:db8:1::1", "127.0.0.1" }, 443 },
	{ { "127.0.0.1", "2001:db8:1::1" }, 403 },
};

static void test_all_or_none(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		struct world_client c = alice(w);

		world_begin(w, STUN_REQUEST, STUN_CREATE_PERMISSION);
		for (int n = 0; n < 4 && requests[i].peer[n]; n++)
			world_add_peer(w, requests[i].peer[n]);
		assert_int_equal(world_do(w, &c), requests[i].code);
		assert_true(world_signed(w, &c));
		assert_int_equal(world_session(w, &c)->perms.n, requests[i].code ? 0 : 3);
		assert_int_equal(world_refresh(w, &c, 0), 0);
	}
}

/* s.10.2: an invalid one among them is 400, before any other reason. */
static void test_malformed_peer(void **state)
{
	static const uint8_t odd[8] = { 0, 3 };
	struct world *w = *state;
	struct world_client c = alice(w);

	for (int first = 0; first < 2; first++) {
		world_begin(w, STUN_REQUEST, STUN_CREATE_PERMISSION);
		if (first)
			stun_add(&w->req, STUN_T_XOR_PEER_ADDRESS, odd, sizeof odd);
		world_add_peer(w, "2001:db8:1::1");
		world_add_peer(w, "127.0.0.1");
		if (!first)
			stun_add(&w->req, STUN_T_XOR_PEER_ADDRESS, odd, sizeof odd);
		assert_int_equal(world_do(w, &c), 400);
	}
	assert_int_equal(world_session(w, &c)->perms.n, 0);
}

static unsigned permit_many(struct world *w, struct world_client *c, int first, int n)
{
	struct addr a = world_addr("198.51.100.0");

	world_begin(w, STUN_REQUEST, STUN_CREATE_PERMISSION);
	for (int i = first; i < first + n; i++) {
		a = world_addr("2001:db8:1::");
		wr_put16(a.ip + 14, (uint16_t)i);
		stun_add_xor_addr(&w->req, STUN_T_XOR_PEER_ADDRESS, &a);
	}
	return world_do(w, c);
}

/* s.10.2: a capacity limit is 508; what is there already can still be refreshed, and there is
 * room again when they have expired. */
static void test_capacity(void **state)
{
	struct world *w = *state;
	struct world_client c = world_client("192.0.2.77:5000", "alice", "wonder");

	assert_int_equal(world_allocate_both(w, &c), 0);
	for (int i = 0; i < TURN_MAX_PERMS / 128; i++)
		assert_int_equal(permit_many(w, &c, i * 128, 128), 0);
	assert_int_equal(world_session(w, &c)->perms.n, TURN_MAX_PERMS);
	assert_int_equal(permit_many(w, &c, TURN_MAX_PERMS, 1), 508);
	assert_int_equal(permit_many(w, &c, TURN_MAX_PERMS - 1, 2), 508);
	assert_int_equal(world_bind(w, &c, 0x4000, "198.51.100.1:7"), 508);
	assert_int_equal(permit_many(w, &c, TURN_MAX_PERMS - 2, 2), 0);
	world_pass(w, SEC(301));
	assert_int_equal(world_session(w, &c)->perms.n, 0);
	assert_int_equal(permit_many(w, &c, 5000, 2), 0);
}

/* s.9: permissions of one allocation mean nothing to another. */
static void test_another_session(void **state)
{
	struct world *w = *state;
	struct world_client a = alice(w), b = world_client("192.0.2.77:5001", "alice", "wonder");

	assert_int_equal(world_allocate(w, &b), 0);
	assert_int_equal(world_permit(w, &a, "198.51.100.9"), 0);
	assert_int_equal(world_send(w, &a, "198.51.100.9:7"), TURN_ROUTE_OK);
	assert_int_equal(world_send(w, &b, "198.51.100.9:7"), TURN_ROUTE_NO_PERMISSION);
}

/* The permission of a live channel stays where it is when it expires, and can be renewed. */
static void test_kept_for_a_channel(void **state)
{
	struct world *w = *state;
	struct world_client c = alice(w);
	struct turn_session *s = world_session(w, &c);

	assert_int_equal(world_refresh(w, &c, 3600), 0);
	assert_int_equal(world_bind(w, &c, 0x4000, "198.51.100.9:7"), 0);
	assert_int_equal(world_bind(w, &c, 0x4001, "198.51.100.9:8"), 0);
	assert_int_equal(s->perms.n, 1);
	world_pass(w, SEC(400));
	assert_int_equal(world_channel(w, &c, 0x4000), TURN_ROUTE_NO_PERMISSION);
	assert_int_equal(world_permit(w, &c, "198.51.100.9"), 0);
	assert_int_equal(world_channel(w, &c, 0x4000), TURN_ROUTE_OK);
	assert_int_equal(s->perms.n, 1);
	world_pass(w, SEC(201)); /* the channels go, it stays */
	assert_int_equal(s->chans.n, 0);
	assert_int_equal(s->perms.n, 1);
	assert_int_equal(world_send(w, &c, "198.51.100.9:9"), TURN_ROUTE_OK);
	world_pass(w, SEC(100));
	assert_int_equal(s->perms.n, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_lifetime),
		T(test_refreshed_by_requests_only),
		T(test_matches_the_address_alone),
		T(test_all_or_none),
		T(test_malformed_peer),
		T(test_capacity),
		T(test_another_session),
		T(test_kept_for_a_channel),
	};

	return cmocka_run_group_tests_name("turn_perm", tests, NULL, NULL);
}

/* src/turn/alloc.c: RFC 8656 s.7, Allocate. */
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

enum { UDP = 17 << 24, TCP = 6 << 24, V4 = 1 << 24, V6 = 2 << 24 };

static int setup_ageless(void **state)
{
	*state = world_new(WORLD_CONF "stale-nonce=0\n");
	return 0;
}

static int setup_v4(void **state)
{
	*state = world_new("listening-ip=192.0.2.1\nrealm=example.org\nuser=alice:wonder\n"
			   "allowed-peer-ip=198.51.100.0/24\nuser-quota=2\ntotal-quota=3\nuser=bob:builder\n");
	return 0;
}

static int setup_v6(void **state)
{
	*state = world_new("listening-ip=2001:db8::1\nrealm=example.org\nuser=alice:wonder\n");
	return 0;
}

static struct world_client alice(int port)
{
	struct world_client c = world_client("192.0.2.77:5000", "alice", "wonder");

	c.at.port = (uint16_t)port;
	return c;
}

/* Attributes of an Allocate request; 4 bytes each unless told otherwise. */
struct row {
	struct {
		uint16_t type;
		uint32_t v;
		int len; /* 0: 4 bytes; -1: none at all */
	} a[4];
	unsigned code, only_v4, only_v6;
};

#define TRANSPORT { STUN_T_REQUESTED_TRANSPORT, UDP, 0 }

static const struct row allocates[] = {
	{ { TRANSPORT }, 0, 0, 440 },
	/* s.7.2, check 3 */
	{ { { STUN_T_LIFETIME, 600, 0 } }, 400, 400, 400 },
	{ { { STUN_T_REQUESTED_TRANSPORT, UDP, 1 } }, 400, 400, 400 },
	{ { { STUN_T_REQUESTED_TRANSPORT, TCP, 0 } }, 400, 400, 400 }, /* RFC 6062 s.5.1: over UDP */
	{ { { STUN_T_REQUESTED_TRANSPORT, 0, 0 } }, 442, 442, 442 },
	/* check 4: supported here */
	{ { TRANSPORT, { STUN_T_DONT_FRAGMENT, 0, -1 } }, 0, 0, 440 },
	{ { TRANSPORT, { STUN_T_DONT_FRAGMENT, 0, 4 } }, 400, 400, 400 },
	/* … but not where it would be translated from IPv4 to IPv6 (s.3.7) */
	{ { TRANSPORT, { STUN_T_DONT_FRAGMENT, 0, -1 }, { STUN_T_REQUESTED_ADDRESS_FAMILY, V6, 0 } },
	  420, 440, 420 },
	{ { TRANSPORT, { STUN_T_DONT_FRAGMENT, 0, -1 }, { STUN_T_ADDITIONAL_ADDRESS_FAMILY, V6, 0 } },
	  420, 0, 420 },
	/* check 5 */
	{ { TRANSPORT, { STUN_T_RESERVATION_TOKEN, 1, 8 } }, 508, 508, 508 },
	{ { TRANSPORT, { STUN_T_RESERVATION_TOKEN, 1, 8 }, { STUN_T_EVEN_PORT, 0, 1 } }, 400, 400, 400 },
	{ { TRANSPORT, { STUN_T_RESERVATION_TOKEN, 1, 8 }, { STUN_T_REQUESTED_ADDRESS_FAMILY, V4, 0 } },
	  400, 400, 400 },
	{ { TRANSPORT, { STUN_T_RESERVATION_TOKEN, 1, 8 }, { STUN_T_ADDITIONAL_ADDRESS_FAMILY, V6, 0 } },
	  400, 400, 400 },
	{ { TRANSPORT, { STUN_T_RESERVATION_TOKEN, 1, 4 } }, 400, 400, 400 },
	/* check 6 */
	{ { TRANSPORT, { STUN_T_REQUESTED_ADDRESS_FAMILY, V4, 0 },
	    { STUN_T_ADDITIONAL_ADDRESS_FAMILY, V6, 0 } }, 400, 400, 400 },
	/* check 7 */
	{ { TRANSPORT, { STUN_T_REQUESTED_ADDRESS_FAMILY, V4, 0 } }, 0, 0, 440 },
	{ { TRANSPORT, { STUN_T_REQUESTED_ADDRESS_FAMILY, V6, 0 } }, 0, 440, 0 },
	{ { TRANSPORT, { STUN_T_REQUESTED_ADDRESS_FAMILY, 3 << 24, 0 } }, 440, 440, 440 },
	{ { TRANSPORT, { STUN_T_REQUESTED_ADDRESS_FAMILY, V6, 1 } }, 400, 400, 400 },
	/* check 8 */
	{ { TRANSPORT, { STUN_T_EVEN_PORT, 0, 1 } }, 0, 0, 440 },
	{ { TRANSPORT, { STUN_T_EVEN_PORT, 0x80u << 24, 1 } }, 0, 0, 440 },
	{ { TRANSPORT, { STUN_T_EVEN_PORT, 0x80u << 24, 1 }, { STUN_T_ADDITIONAL_ADDRESS_FAMILY, V6, 0 } },
	  400, 400, 400 },
	{ { TRANSPORT, { STUN_T_EVEN_PORT, 0, 1 }, { STUN_T_ADDITIONAL_ADDRESS_FAMILY, V6, 0 } }, 0, 0, 0 },
	{ { TRANSPORT, { STUN_T_EVEN_PORT, 0, 4 } }, 400, 400, 400 },
	/* check 9 */
	{ { TRANSPORT, { STUN_T_ADDITIONAL_ADDRESS_FAMILY, V6, 0 } }, 0, 0, 0 },
	{ { TRANSPORT, { STUN_T_ADDITIONAL_ADDRESS_FAMILY, V4, 0 } }, 400, 400, 400 },
	/* RFC 8489 s.6.3.1: what must be understood and is not; what need not be */
	{ { TRANSPORT, { 0x7F00, 0, 0 } }, 420, 420, 420 },
	{ { TRANSPORT, { 0xFF00, 0, 0 } }, 0, 0, 440 },
};

static void add(struct world *w, uint16_t type, uint32_t v, int len)
{
	uint8_t value[8] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	stun_add(&w->req, type, value, len < 0 ? 0 : len ? (size_t)len : 4);
}

static void try_allocates(struct world *w, int which)
{
	for (size_t i = 0; i < ARRAY_LEN(allocates); i++) {
		const struct row *r = &allocates[i];
		const unsigned code[] = { r->code, r->only_v4, r->only_v6 };
		struct world_client c = alice(5000);

		world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
		for (int n = 0; n < 4 && r->a[n].type; n++)
			add(w, r->a[n].type, r->a[n].v, r->a[n].len);
		if (world_do(w, &c) != code[which])
			fail_msg("row %zu: %u instead of %u", i, w->code, code[which]);
		assert_true(world_signed(w, &c));
		assert_int_equal(w->n_sessions, w->code == 0);
		if (w->code == 0)
			assert_int_equal(world_refresh(w, &c, 0), 0);
		world_pass(w, SEC(61)); /* reservations are over */
	}
}

static void test_checks(void **state)
{
	try_allocates(*state, 0);
}

static void test_checks_ipv4_only(void **state)
{
	try_allocates(*state, 1);
}

static void test_checks_ipv6_only(void **state)
{
	try_allocates(*state, 2);
}

/* How many there are of an attribute in the last answer. */
static int n_attrs(struct world *w, uint16_t type)
{
	struct rd r = rd_init(w->raw + STUN_HEADER_LEN, w->raw_len - STUN_HEADER_LEN);
	int n = 0;

	while (rd_left(&r)) {
		n += rd_u16(&r) == type;
		rd_take(&r, (size_t)(rd_u16(&r) + 3) / 4 * 4);
		assert_true(rd_ok(&r));
	}
	return n;
}

/* s.7.2: XOR-RELAYED-ADDRESS, LIFETIME, XOR-MAPPED-ADDRESS, and a token when there is one. */
static void test_success_answer(void **state)
{
	struct world *w = *state;
	struct world_client c = alice(5000), d = alice(5001);
	struct addr relayed = world_addr("192.0.2.1:50000");

	assert_int_equal(world_allocate(w, &c), 0);
	assert_true(addr_eq(&w->ans.xor_relayed, &relayed));
	assert_true(addr_eq(&w->ans.xor_mapped, &c.at));
	assert_int_equal(w->ans.lifetime_s, 600);
	assert_int_equal(n_attrs(w, STUN_T_XOR_RELAYED_ADDRESS), 1);
	assert_false(stun_has(&w->ans, STUN_A_RESERVATION_TOKEN));
	assert_false(stun_has(&w->ans, STUN_A_ADDRESS_ERROR_CODE));

	assert_int_equal(world_allocate_both(w, &d), 0);
	assert_int_equal(n_attrs(w, STUN_T_XOR_RELAYED_ADDRESS), 2);
	assert_false(stun_has(&w->ans, STUN_A_ADDRESS_ERROR_CODE));
}

/* s.7.2, check 9: half of a dual allocation, with the reason for the other half. */
static void test_half_of_a_dual_allocation(void **state)
{
	struct world *w = *state;
	struct world_client c = alice(5000);

	for (int again = 0; again < 2; again++) {
		assert_int_equal(again ? world_give(w, &c.at, w->wire, w->wire_len) :
					 world_allocate_both(w, &c),
				 0);
		assert_int_equal(n_attrs(w, STUN_T_XOR_RELAYED_ADDRESS), 1);
		assert_int_equal(n_attrs(w, STUN_T_ADDRESS_ERROR_CODE), 1);
	}
	assert_int_equal(world_permit(w, &c, "198.51.100.9"), 0);
	assert_int_equal(world_permit(w, &c, "2001:db8:1::9"), 443);
}

static const struct {
	uint32_t asked, given;
} lifetimes[] = {
	{ 0, 600 },    { 1, 600 },     { 599, 600 },   { 600, 600 },	    { 601, 601 },
	{ 3599, 3599 }, { 3600, 3600 }, { 3601, 3600 }, { UINT32_MAX, 3600 },
};

/* s.7.2: no less than the default, no more than the maximum; and that long it lives. */
static void test_lifetime(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(lifetimes) * 2; i++) {
		struct world_client c = alice(5000);

		world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
		stun_add_u32(&w->req, STUN_T_REQUESTED_TRANSPORT, UDP);
		stun_add_u32(&w->req, STUN_T_LIFETIME, lifetimes[i / 2].asked);
		assert_int_equal(world_do(w, &c), 0);
		assert_int_equal(w->ans.lifetime_s, lifetimes[i / 2].given);
		(i & 1 ? world_pass : world_hang)(w, SEC(lifetimes[i / 2].given) - 1);
		assert_int_equal(world_permit(w, &c, "198.51.100.9"), 0);
		world_hang(w, 1);
		assert_int_equal(world_send(w, &c, "198.51.100.9:7"), TURN_ROUTE_NO_FAMILY);
		assert_int_equal(world_permit(w, &c, "198.51.100.9"), 437);
		world_pass(w, 250);
		assert_int_equal(w->n_sessions, 0);
	}
	assert_int_equal(w->n_ended[TURN_END_EXPIRED], ARRAY_LEN(lifetimes) * 2);
}

/* In the moment between expiry and the wheel's coming by there is no allocation any more, for
 * any request (s.5: 437), and the 5-tuple is free for a new one. */
static void test_expired_before_the_wheel_comes(void **state)
{
	struct world *w = *state;
	struct world_client c = alice(5000);

	for (int i = 0; i < 5; i++) {
		assert_int_equal(world_allocate(w, &c), 0);
		world_hang(w, SEC(600));
		switch (i) {
		case 0:
			assert_int_equal(world_refresh(w, &c, 600), 437);
			break;
		case 1:
			assert_int_equal(world_refresh(w, &c, 0), 437);
			break;
		case 2:
			assert_int_equal(world_bind(w, &c, 0x4000, "198.51.100.9:7"), 437);
			break;
		case 3: /* the request of then, again */
			assert_int_equal(world_give(w, &c.at, w->wire, w->wire_len), 0);
			assert_int_equal(w->ans.lifetime_s, 600);
			assert_int_equal(world_refresh(w, &c, 0), 0);
			break;
		default:
			assert_int_equal(world_allocate(w, &c), 0);
			assert_int_equal(w->ans.lifetime_s, 600);
		}
		assert_int_equal(w->n_ended[TURN_END_EXPIRED], i + 1);
	}
}

/* s.7.2: a retransmission is answered alike and opens nothing; anything else there is 437. */
static void test_retransmission(void **state)
{
	struct world *w = *state;
	struct world_client c = alice(5000), bob = world_client("192.0.2.77:5000", "bob", "builder");
	struct addr relayed;
	uint8_t kept[sizeof w->wire];
	size_t len;

	assert_int_equal(world_allocate(w, &c), 0);
	relayed = w->ans.xor_relayed;
	len = w->wire_len;
	memcpy(kept, w->wire, len);
	world_pass(w, 1500);
	assert_int_equal(world_give(w, &c.at, kept, len), 0);
	assert_true(addr_eq(&w->ans.xor_relayed, &relayed));
	assert_int_equal(w->ans.lifetime_s, 599); /* rounded up: what is left */
	assert_int_equal(w->n_opened, 1);

	assert_int_equal(world_allocate(w, &c), 437);
	assert_true(world_signed(w, &c));
	/* the same transaction id under another name is another request */
	w->req = wr_init(w->body, sizeof w->body);
	stun_begin(&w->req, STUN_REQUEST, STUN_ALLOCATE, kept + 8);
	stun_add_u32(&w->req, STUN_T_REQUESTED_TRANSPORT, UDP);
	assert_int_equal(world_do(w, &bob), 437);
	assert_int_equal(w->n_opened, 1);
}

/* s.7.2, check 10: 486, by user and by realm; given back when a session ends, however it does. */
static void test_quota(void **state)
{
	struct world *w = *state;
	struct world_client a[3] = { alice(5000), alice(5001), alice(5002) };
	struct world_client b[2] = { world_client("192.0.2.78:1", "bob", "builder"),
				     world_client("192.0.2.78:2", "bob", "builder") };

	assert_int_equal(world_allocate(w, &a[0]), 0);
	assert_int_equal(world_allocate(w, &a[1]), 0);
	assert_int_equal(world_allocate(w, &a[2]), 486);
	assert_true(world_signed(w, &a[2]));
	assert_int_equal(world_allocate(w, &b[0]), 0);
	assert_int_equal(world_allocate(w, &b[1]), 486);
	assert_int_equal(world_refresh(w, &a[0], 0), 0);
	assert_int_equal(world_allocate(w, &b[1]), 0);
	world_pass(w, SEC(601));
	assert_int_equal(world_allocate(w, &a[2]), 0);
	assert_int_equal(world_allocate(w, &a[0]), 0);
}

/* s.7.2, check 8: no port left is 508, and leaves nothing behind. */
static void test_no_ports_left(void **state)
{
	struct world *w = *state;
	struct world_client c;

	for (int i = 0; i < WORLD_PORTS; i++) {
		c = alice(5000 + i);
		assert_int_equal(world_allocate(w, &c), 0);
	}
	c = alice(6000);
	assert_int_equal(world_allocate(w, &c), 508);
	assert_true(world_signed(w, &c));
	assert_int_equal(w->n_sessions, WORLD_PORTS);
	assert_int_equal(w->n_ended[TURN_END_REFUSED], 1);
	/* the other family has some: half of what was asked for */
	assert_int_equal(world_allocate_both(w, &c), 0);
	assert_int_equal(w->ans.xor_relayed.family, ADDR_V6);
	assert_int_equal(n_attrs(w, STUN_T_ADDRESS_ERROR_CODE), 1);
}

static void reserve(struct world *w, struct world_client *c, uint8_t token[TURN_TOKEN_LEN])
{
	world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
	stun_add_u32(&w->req, STUN_T_REQUESTED_TRANSPORT, UDP);
	stun_add(&w->req, STUN_T_EVEN_PORT, "\x80", 1);
	assert_int_equal(world_do(w, c), 0);
	assert_int_equal(w->ans.xor_relayed.port % 2, 0);
	assert_true(stun_has(&w->ans, STUN_A_RESERVATION_TOKEN));
	memcpy(token, w->ans.reservation_token.p, TURN_TOKEN_LEN);
}

static unsigned redeem(struct world *w, struct world_client *c, const uint8_t token[TURN_TOKEN_LEN])
{
	world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
	stun_add_u32(&w->req, STUN_T_REQUESTED_TRANSPORT, UDP);
	stun_add(&w->req, STUN_T_RESERVATION_TOKEN, token, TURN_TOKEN_LEN);
	return world_do(w, c);
}

/* s.7.2: the next port is held for the token's bearer, once, and at least 30 seconds. */
static void test_reserved_port(void **state)
{
	struct world *w = *state;
	struct world_client a = alice(5000), b = alice(5001), c = alice(5002);
	uint8_t token[TURN_TOKEN_LEN], other[TURN_TOKEN_LEN];
	uint16_t port;

	reserve(w, &a, token);
	port = w->ans.xor_relayed.port;
	/* told again with a retransmission */
	assert_int_equal(world_give(w, &a.at, w->wire, w->wire_len), 0);
	assert_memory_equal(w->ans.reservation_token.p, token, sizeof token);
	world_pass(w, SEC(30));
	assert_int_equal(redeem(w, &b, token), 0);
	assert_int_equal(w->ans.xor_relayed.port, port + 1);
	assert_false(stun_has(&w->ans, STUN_A_RESERVATION_TOKEN));
	assert_int_equal(redeem(w, &c, token), 508);

	reserve(w, &c, other);
	assert_memory_not_equal(other, token, sizeof token);
	world_pass(w, SEC(TURN_RESERVE_S));
	assert_int_equal(world_refresh(w, &b, 0), 0);
	assert_int_equal(redeem(w, &b, other), 508);
}

/* s.21.4: no allocations for Teredo and 6to4 clients. */
static void test_tunnelled_clients(void **state)
{
	static const struct {
		const char *client;
		unsigned code;
	} row[] = {
		{ "[2001:0:1::1]:5", 403 }, { "[2002:c633:6401::1]:5", 403 },
		{ "[2001:db8::5]:5", 0 },   { "[2003::1]:5", 0 },
		{ "[2001:1::1]:5", 0 },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct world_client c = world_client(row[i].client, "alice", "wonder");

		assert_int_equal(world_allocate(w, &c), row[i].code);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_checks),
		cmocka_unit_test_setup_teardown(test_checks_ipv4_only, setup_v4, teardown),
		cmocka_unit_test_setup_teardown(test_checks_ipv6_only, setup_v6, teardown),
		T(test_success_answer),
		cmocka_unit_test_setup_teardown(test_half_of_a_dual_allocation, setup_v4, teardown),
		T(test_lifetime),
		cmocka_unit_test_setup_teardown(test_expired_before_the_wheel_comes, setup_ageless, teardown),
		T(test_retransmission),
		cmocka_unit_test_setup_teardown(test_quota, setup_v4, teardown),
		T(test_no_ports_left),
		T(test_reserved_port),
		T(test_tunnelled_clients),
	};

	return cmocka_run_group_tests_name("turn_alloc", tests, NULL, NULL);
}

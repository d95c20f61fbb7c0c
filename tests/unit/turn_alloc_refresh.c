/* src/turn/alloc.c: RFC 8656 s.8, Refresh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bug.h"
#include "turn_world.h"

enum { V4 = 1 << 24, V6 = 2 << 24 };

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

static struct world_client alice(void)
{
	return world_client("192.0.2.77:5000", "alice", "wonder");
}

static const struct {
	uint32_t asked, given;
} lifetimes[] = {
	{ 1, 600 },	{ 599, 600 },	{ 600, 600 },	{ 601, 601 },
	{ 3599, 3599 }, { 3600, 3600 }, { 3601, 3600 }, { UINT32_MAX, 3600 },
};

/* s.8.2: the same bounds; zero deletes. */
static void test_refresh_lifetimes(void **state)
{
	struct world *w = *state;
	struct world_client c = alice();

	assert_int_equal(world_allocate(w, &c), 0);
	for (size_t i = 0; i < ARRAY_LEN(lifetimes); i++) {
		assert_int_equal(world_refresh(w, &c, lifetimes[i].asked), 0);
		assert_int_equal(w->ans.lifetime_s, lifetimes[i].given);
		world_pass(w, SEC(lifetimes[i].given) - 1);
	}
	world_begin(w, STUN_REQUEST, STUN_REFRESH);
	assert_int_equal(world_do(w, &c), 0);
	assert_int_equal(w->ans.lifetime_s, 600);
	world_begin(w, STUN_REQUEST, STUN_REFRESH);
	stun_add(&w->req, STUN_T_LIFETIME, "\0", 1);
	assert_int_equal(world_do(w, &c), 400);
	assert_int_equal(world_refresh(w, &c, 0), 0);
	assert_int_equal(w->ans.lifetime_s, 0);
	assert_true(world_signed(w, &c));
	assert_int_equal(w->n_ended[TURN_END_DELETED], 1);
	/* retransmitted: s.8.2 */
	assert_int_equal(world_give(w, &c.at, w->wire, w->wire_len), 437);
}

static unsigned refresh_family(struct world *w, struct world_client *c, uint32_t family, uint32_t lifetime_s)
{
	world_begin(w, STUN_REQUEST, STUN_REFRESH);
	stun_add_u32(&w->req, STUN_T_REQUESTED_ADDRESS_FAMILY, family);
	stun_add_u32(&w->req, STUN_T_LIFETIME, lifetime_s);
	return world_do(w, c);
}

/* s.8.2: a family that the allocation does not have is 443. */
static void test_refresh_of_a_family(void **state)
{
	struct world *w = *state;
	struct world_client c = alice();

	assert_int_equal(world_allocate(w, &c), 0);
	assert_int_equal(refresh_family(w, &c, V4, 700), 0);
	assert_int_equal(refresh_family(w, &c, V6, 700), 443);
	assert_int_equal(refresh_family(w, &c, V6, 0), 443);
	assert_int_equal(refresh_family(w, &c, 7 << 24, 700), 443);
	world_begin(w, STUN_REQUEST, STUN_REFRESH);
	stun_add(&w->req, STUN_T_REQUESTED_ADDRESS_FAMILY, "\1", 1);
	assert_int_equal(world_do(w, &c), 400);
	assert_int_equal(w->n_sessions, 1);
}

/* s.8.1: deleting one family destroys what belongs to it, and nothing of the other. */
static void test_deletion_of_one_family(void **state)
{
	struct world *w = *state;
	struct world_client c = alice();

	assert_int_equal(world_allocate_both(w, &c), 0);
	assert_int_equal(world_bind(w, &c, 0x4000, "198.51.100.9:7"), 0);
	assert_int_equal(world_bind(w, &c, 0x4001, "[2001:db8:1::9]:7"), 0);
	assert_int_equal(refresh_family(w, &c, V4, 0), 0);
	assert_int_equal(w->ans.lifetime_s, 0);
	assert_int_equal(w->n_sessions, 1);
	assert_int_equal(w->n_legs, 1);
	assert_int_equal(world_channel(w, &c, 0x4000), TURN_ROUTE_NO_CHANNEL);
	assert_int_equal(world_send(w, &c, "198.51.100.9:7"), TURN_ROUTE_NO_FAMILY);
	assert_int_equal(world_channel(w, &c, 0x4001), TURN_ROUTE_OK);
	assert_int_equal(world_permit(w, &c, "198.51.100.9"), 443);
	assert_int_equal(refresh_family(w, &c, V4, 0), 443);
	assert_int_equal(refresh_family(w, &c, V6, 0), 0);
	assert_int_equal(w->n_sessions, 0);
}

/* s.8.1: without a family, it is about all of them; and each has its own time. */
static void test_families_expire_apart(void **state)
{
	struct world *w = *state;
	struct world_client c = alice();

	assert_int_equal(world_allocate_both(w, &c), 0);
	assert_int_equal(refresh_family(w, &c, V6, 1000), 0);
	world_hang(w, SEC(600)); /* the wheel is late */
	assert_int_equal(world_send(w, &c, "198.51.100.9:7"), TURN_ROUTE_NO_FAMILY);
	assert_int_equal(refresh_family(w, &c, V4, 600), 443);
	assert_int_equal(world_refresh(w, &c, 700), 0);
	world_pass(w, 250);
	assert_int_equal(w->n_legs, 1);
	world_pass(w, SEC(699));
	assert_int_equal(w->n_legs, 1);
	assert_int_equal(world_refresh(w, &c, 0), 0);
	assert_int_equal(w->n_legs, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_refresh_lifetimes),
		T(test_refresh_of_a_family),
		T(test_deletion_of_one_family),
		T(test_families_expire_apart),
	};

	return cmocka_run_group_tests_name("turn_alloc_refresh", tests, NULL, NULL);
}

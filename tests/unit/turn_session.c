/* src/turn/session.c: what a session owns, and that it all ends with it. */
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

static void fill(struct world *w, struct world_client *c)
{
	char peer[64];

	assert_int_equal(world_allocate_both(w, c), 0);
	for (int i = 0; i < 100; i++) {
		snprintf(peer, sizeof peer, i & 1 ? "198.51.100.%d:7" : "[2001:db8:1::%x]:7", i);
		assert_int_equal(i % 3 ? world_permit(w, c, peer) :
					 world_bind(w, c, (uint16_t)(0x4000 + i), peer),
				 0);
	}
}

/* Whatever ends it: no timer, permission, channel or port is left. */
static void test_everything_goes_with_it(void **state)
{
	static const enum turn_end ends[] = { TURN_END_DELETED, TURN_END_EXPIRED, TURN_END_SHUTDOWN };
	struct world *w = *state;
	struct world_client c = world_client("192.0.2.77:5000", "alice", "wonder");

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		enum turn_end how = ends[i];

		fill(w, &c);
		assert_int_equal(w->pools.perms.n_used, 100);
		assert_int_equal(w->pools.chans.n_used, 34);
		assert_int_equal(w->wheel.n, 135);
		if (how == TURN_END_DELETED)
			assert_int_equal(world_refresh(w, &c, 0), 0);
		else if (how == TURN_END_EXPIRED)
			world_pass(w, SEC(600) + 250);
		else
			turn_session_end(&w->env, world_session(w, &c), TURN_END_SHUTDOWN);
		assert_int_equal(w->n_ended[how], 1);
		assert_int_equal(w->pools.perms.n_used, 0);
		assert_int_equal(w->pools.chans.n_used, 0);
		assert_int_equal(w->wheel.n, 0);
		assert_int_equal(world_ports_used(w), 0);
	}
}

/* The account is the same part of the name in the session's own copy. */
static void test_identity(void **state)
{
	struct world *w = *state;
	struct world_client guest = world_guest(w, "192.0.2.77:5000", "carol", "south", 60);
	struct world_client nobody = world_guest(w, "192.0.2.77:5001", "", "south", 60);
	struct world_client alice = world_client("192.0.2.77:5002", "alice", "wonder");
	const struct turn_session *s;

	assert_int_equal(world_allocate(w, &guest), 0);
	s = world_session(w, &guest);
	assert_true(str_eq(s->username, str_of(guest.user)));
	assert_true(str_eq(s->user, STR_LIT("carol")));
	assert_int_equal(s->cred_expires_s, WORLD_T0 + 60);
	assert_true(s->has_key);
	assert_int_equal(world_allocate(w, &nobody), 0);
	s = world_session(w, &nobody);
	assert_true(str_eq(s->user, str_of(nobody.user)));
	assert_int_equal(world_allocate(w, &alice), 0);
	s = world_session(w, &alice);
	assert_true(str_eq(s->user, STR_LIT("alice")));
	assert_int_equal(s->cred_expires_s, 0);
}

static void test_seconds_left(void **state)
{
	static const struct {
		tick at_ms;
		uint32_t left_s;
	} row[] = {
		{ 0, 600 }, { 1, 600 }, { 999, 600 }, { 1000, 599 }, { SEC(600) - 1, 1 }, { SEC(600), 0 },
		{ SEC(700), 0 },
	};
	struct world *w = *state;
	struct world_client c = world_client("192.0.2.77:5000", "alice", "wonder");
	const struct turn_session *s;

	assert_int_equal(world_allocate(w, &c), 0);
	s = world_session(w, &c);
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		assert_int_equal(turn_session_left_s(s, TURN_LEG_V4, s->opened + row[i].at_ms),
				 row[i].left_s);
		assert_int_equal(turn_session_has(s, TURN_LEG_V4, s->opened + row[i].at_ms),
				 row[i].left_s > 0);
		assert_int_equal(turn_session_left_s(s, TURN_LEG_V6, s->opened + row[i].at_ms), 0);
	}
}

static void test_words(void **state)
{
	(void)state;
	for (int i = 0; i < N_TURN_END; i++)
		assert_string_not_equal(turn_end_text((enum turn_end)i), "unknown");
	assert_string_equal(turn_end_text(N_TURN_END), "unknown");
	assert_int_equal(turn_session_burst(1), 65536);
	assert_int_equal(turn_session_burst(1000000), 1000000);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_everything_goes_with_it),
		T(test_identity),
		T(test_seconds_left),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests_name("turn_session", tests, NULL, NULL);
}

/* Ticket keys: a new one each rotation, the two before it still known. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bug.h"
#include "net/tickets.h"

enum { ROTATE_S = 100, START = SEC(5000) };

static int open_keys(void **state)
{
	struct net_tickets *t = NULL;
	struct net_tickets_key k;

	assert_int_equal(net_tickets_new(&t, ROTATE_S), OK);
	net_tickets_current(t, START, &k);
	*state = t;
	return 0;
}

static int close_keys(void **state)
{
	net_tickets_free(*state);
	net_tickets_free(NULL);
	return 0;
}

static bool same(const struct net_tickets_key *a, const struct net_tickets_key *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

static void a_key_serves_for_a_rotation_and_is_known_for_two_more(void **state)
{
	static const struct {
		tick at;
		bool known, current;
	} rows[] = {
		{ START, true, true },
		{ START + SEC(ROTATE_S) - 1, true, true },
		{ START + SEC(ROTATE_S), true, false },
		{ START + SEC(2 * ROTATE_S), true, false },
		{ START + SEC(3 * ROTATE_S) - 1, true, false },
		{ START + SEC(3 * ROTATE_S), false, false },
	};
	struct net_tickets_key k, got;

	net_tickets_current(*state, START, &k);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool current = !rows[i].current;

		memset(&got, 0, sizeof got);
		assert_int_equal(net_tickets_find(*state, rows[i].at, k.name, &got, &current),
				 rows[i].known);
		assert_int_equal(same(&got, &k), rows[i].known);
		assert_int_equal(current, rows[i].known ? rows[i].current : !rows[i].current);
	}
}

static void keys_differ_in_every_part(void **state)
{
	struct net_tickets_key k[5];

	for (size_t i = 0; i < ARRAY_LEN(k); i++) {
		net_tickets_current(*state, START + SEC(ROTATE_S * i), &k[i]);
		assert_memory_not_equal(k[i].cipher, k[i].mac, NET_TICKETS_SECRET);
		for (size_t j = 0; j < i; j++) {
			assert_memory_not_equal(k[i].name, k[j].name, NET_TICKETS_NAME);
			assert_memory_not_equal(k[i].cipher, k[j].cipher, NET_TICKETS_SECRET);
			assert_memory_not_equal(k[i].mac, k[j].mac, NET_TICKETS_SECRET);
		}
	}
}

static void rotations_nobody_saw_are_made_up_for(void **state)
{
	struct net_tickets_key before, later, got;
	bool current;

	net_tickets_current(*state, START, &before);
	/* two and a half go by: the clock of rotations does not start again with who asks */
	net_tickets_current(*state, START + SEC(ROTATE_S) * 5 / 2, &later);
	assert_false(same(&before, &later));
	assert_true(net_tickets_find(*state, START + SEC(ROTATE_S) * 5 / 2, before.name, &got,
				     &current));
	net_tickets_current(*state, START + SEC(3 * ROTATE_S), &got);
	assert_false(same(&later, &got));
	/* a year goes by: nothing of what was is left */
	assert_false(net_tickets_find(*state, SEC(86400 * 365), got.name, &later, &current));
}

static void time_does_not_run_backwards(void **state)
{
	struct net_tickets_key later, got;

	net_tickets_current(*state, START + SEC(ROTATE_S), &later);
	net_tickets_current(*state, START - SEC(ROTATE_S), &got);
	assert_true(same(&later, &got));
}

static void lives_as_long_as_the_last_ticket_of_a_key(void **state)
{
	assert_int_equal(net_tickets_lifetime_s(*state), 2 * ROTATE_S);
}

static void *rotate_and_find(void *arg)
{
	for (tick at = START; at < START + SEC(ROTATE_S) * 200; at += SEC(ROTATE_S) / 2) {
		struct net_tickets_key k, got;
		bool current;

		net_tickets_current(arg, at, &k);
		/* the other thread may be ahead, so that it may be gone; but never half of it
		 * */
		if (net_tickets_find(arg, at, k.name, &got, &current) && !same(&k, &got))
			return arg; /* it was torn */
	}
	return NULL;
}

static void two_threads_never_see_half_a_key(void **state)
{
	pthread_t other;
	void *theirs = NULL;

	assert_int_equal(pthread_create(&other, NULL, rotate_and_find, *state), 0);
	assert_null(rotate_and_find(*state));
	assert_int_equal(pthread_join(other, &theirs), 0);
	assert_null(theirs);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_keys, close_keys)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_key_serves_for_a_rotation_and_is_known_for_two_more),
		TEST(keys_differ_in_every_part),
		TEST(rotations_nobody_saw_are_made_up_for),
		TEST(time_does_not_run_backwards),
		TEST(lives_as_long_as_the_last_ticket_of_a_key),
		TEST(two_threads_never_see_half_a_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

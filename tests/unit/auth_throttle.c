/* src/auth/throttle.c: answers to strangers are rationed, a crowd that authenticates is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "auth/throttle.h"

enum { RPS = 10, BURST = RPS * AUTH_THROTTLE_BURST, T0 = 1000000 };

static int setup(void **state)
{
	struct auth_throttle *t = calloc(1, sizeof *t);
	struct rng rng;

	rng_init_seeded(&rng, 3);
	auth_throttle_init(t, &rng);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static struct addr from(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(str_of(text), 0, &a), OK);
	return a;
}

/* How many answers `client` gets of `n` requests at `now`. */
static int answers(struct auth_throttle *t, const char *client, int n, tick now)
{
	const struct addr a = from(client);
	int got = 0;

	while (n--)
		got += auth_throttle_take(t, &a, RPS, now);
	return got;
}

static void test_burst_then_rate(void **state)
{
	assert_int_equal(answers(*state, "198.51.100.1:1", 1000, T0), BURST);
	assert_int_equal(answers(*state, "198.51.100.1:1", 1000, T0), 0);
	assert_int_equal(answers(*state, "198.51.100.1:1", 1000, T0 + 1000), RPS);
	assert_int_equal(answers(*state, "198.51.100.1:1", 1000, T0 + 1099), 0);
	assert_int_equal(answers(*state, "198.51.100.1:1", 1000, T0 + 1100), 1);
	assert_int_equal(answers(*state, "198.51.100.1:1", 1000, T0 + SEC(3600)), BURST);
}

/* One source is an IPv4 address or an IPv6 /64, whatever the port. */
static void test_sources(void **state)
{
	static const struct {
		const char *client;
		bool same; /* as one that is used up */
	} row[] = {
		{ "198.51.100.1:2", true },
		{ "198.51.100.2:1", false },
		{ "[2001:db8:0:1::1]:1", true },
		{ "[2001:db8:0:1:ffff:ffff:ffff:ffff]:9", true },
		{ "[2001:db8:0:2::1]:1", false },
	};

	answers(*state, "198.51.100.1:1", 1000, T0);
	answers(*state, "[2001:db8:0:1::77]:1", 1000, T0);
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++)
		assert_int_equal(answers(*state, row[i].client, 1, T0), !row[i].same);
}

/* Each client of a crowd is challenged once and then authenticates: all are answered. */
static void test_success_gives_the_answer_back(void **state)
{
	const struct addr a = from("198.51.100.1:1");

	for (int i = 0; i < 10 * BURST; i++) {
		assert_true(auth_throttle_take(*state, &a, RPS, T0));
		auth_throttle_give(*state, &a, RPS);
	}
	/* and never more than the burst is saved up that way */
	for (int i = 0; i < 10 * BURST; i++)
		auth_throttle_give(*state, &a, RPS);
	assert_int_equal(answers(*state, "198.51.100.1:1", 1000, T0), BURST);
}

static void test_give_to_a_stranger_keeps_nothing(void **state)
{
	const struct auth_throttle *t = *state;
	const struct addr a = from("198.51.100.1:1");

	auth_throttle_give(*state, &a, RPS);
	for (int r = 0; r < AUTH_THROTTLE_ROWS; r++)
		for (int i = 0; i < AUTH_THROTTLE_WAYS; i++)
			assert_int_equal(t->rows[r][i].id, 0);
}

/* A flood from many sources takes the places of those that were quiet longest, not of one that
 * keeps on flooding. */
static void test_who_floods_stays_known(void **state)
{
	struct addr many = from("203.0.113.0:1");

	answers(*state, "198.51.100.1:1", 1000, T0);
	for (uint32_t i = 0; i < 100000; i++) {
		many.ip[1] = (uint8_t)(i >> 16);
		many.ip[2] = (uint8_t)(i >> 8);
		many.ip[3] = (uint8_t)i;
		auth_throttle_take(*state, &many, RPS, T0 + 1 + i / 50);
		if (i % 100 == 0)
			assert_true(answers(*state, "198.51.100.1:1", 10, T0 + 1 + i / 50) <= 1);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_burst_then_rate),
		T(test_sources),
		T(test_success_gives_the_answer_back),
		T(test_give_to_a_stranger_keeps_nothing),
		T(test_who_floods_stays_known),
	};

	return cmocka_run_group_tests_name("auth_throttle", tests, NULL, NULL);
}

/* Allocations per user and of all: exactly the limit, whoever asks, and all of it given back. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bug.h"

/* The source itself, with memory that can be made to run out. */
static bool no_memory;

static void *scarce_malloc(size_t n)
{
	return no_memory ? NULL : malloc(n);
}

#define malloc scarce_malloc
#include "relay/quota.c"
#undef malloc

#define REALM STR_LIT("r")

static struct relay_quota *quota_new(void)
{
	struct relay_quota *q = NULL;
	struct rng rng;

	rng_init_seeded(&rng, 3);
	assert_int_equal(relay_quota_new(&q, &rng), OK);
	return q;
}

static enum err take(struct relay_quota *q, const char *user, int64_t user_max, int64_t total_max)
{
	return relay_quota_take(q, REALM, str_of(user), user_max, total_max);
}

static void a_user_gets_the_limit_and_no_more(void **state)
{
	struct relay_quota *q = quota_new();

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 5; i++)
			assert_int_equal(take(q, "alice", 5, 0), OK);
		assert_int_equal(take(q, "alice", 5, 0), ERR_FULL);
		assert_int_equal(take(q, "alicf", 5, 0), OK); /* another one has his own */
		relay_quota_give(q, REALM, str_of("alicf"));
		relay_quota_give(q, REALM, str_of("alice"));
		assert_int_equal(take(q, "alice", 5, 0), OK);
		assert_int_equal(take(q, "alice", 5, 0), ERR_FULL);
		for (int i = 0; i < 5; i++)
			relay_quota_give(q, REALM, str_of("alice"));
	}
	relay_quota_free(q);
}

static void all_users_together_get_the_total(void **state)
{
	struct relay_quota *q = quota_new();
	char user[16];

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(user, sizeof user, "user%d", i);
		assert_int_equal(take(q, user, 1, 100), OK);
	}
	assert_int_equal(take(q, "one more", 1, 100), ERR_FULL);
	relay_quota_give(q, REALM, str_of("user50"));
	assert_int_equal(take(q, "user51", 1, 100), ERR_FULL); /* his own limit; the total stays free */
	assert_int_equal(take(q, "one more", 1, 100), OK);
	assert_int_equal(take(q, "user50", 1, 100), ERR_FULL);
	relay_quota_free(q);
}

static void realms_are_counted_for_themselves(void **state)
{
	struct relay_quota *q = quota_new();
	const struct relay_quota_draw d = { true, 100000, 0, 60000, 0 };

	(void)state;
	assert_int_equal(relay_quota_take(q, STR_LIT("r"), STR_LIT("alice"), 1, 2), OK);
	assert_int_equal(relay_quota_take(q, STR_LIT("s"), STR_LIT("alice"), 1, 1), OK);
	assert_int_equal(relay_quota_take(q, STR_LIT("r"), STR_LIT("alice"), 1, 2), ERR_FULL);
	assert_int_equal(relay_quota_take(q, STR_LIT("s"), STR_LIT("bob"), 1, 1), ERR_FULL);
	assert_int_equal(relay_quota_take(q, STR_LIT("r"), STR_LIT("bob"), 1, 2), OK);
	/* "ra" "lice" is nobody's */
	assert_int_equal(relay_quota_draw(q, STR_LIT("ra"), STR_LIT("lice"), &d), 0);
	assert_int_equal(relay_quota_draw(q, STR_LIT("r"), STR_LIT("alice"), &d), 60000);
	assert_int_equal(relay_quota_draw(q, STR_LIT("s"), STR_LIT("alice"), &d), 60000);
	relay_quota_give(q, STR_LIT("s"), STR_LIT("alice"));
	assert_int_equal(relay_quota_take(q, STR_LIT("s"), STR_LIT("bob"), 1, 1), OK);
	assert_int_equal(q->totals.n, 2);
	relay_quota_free(q);
}

static void zero_is_no_limit_and_names_are_any_bytes(void **state)
{
	static const struct str names[] = {
		{ NULL, 0 }, { "a\0b", 3 }, { "a\0c", 3 }, { "a", 1 }, { "\xff\xfe", 2 },
	};
	struct relay_quota *q = quota_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		for (int k = 0; k < 1000; k++)
			assert_int_equal(relay_quota_take(q, REALM, names[i], 0, 0), OK);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) { /* each is counted for itself */
		assert_int_equal(relay_quota_take(q, REALM, names[i], 1001, 0), OK);
		assert_int_equal(relay_quota_take(q, REALM, names[i], 1001, 0), ERR_FULL);
	}
	relay_quota_free(q);
}

/* A name of any length, and as many names as there are clients, cost nothing once given back. */
static void a_user_without_allocations_costs_nothing(void **state)
{
	struct relay_quota *q = quota_new();
	char user[16];

	(void)state;
	for (int i = 0; i < 10000; i++) {
		snprintf(user, sizeof user, "user%d", i);
		assert_int_equal(take(q, user, 1, 0), OK);
	}
	for (int i = 0; i < 10000; i++) {
		snprintf(user, sizeof user, "user%d", i);
		relay_quota_give(q, REALM, str_of(user));
	}
	for (size_t i = 0; i < STRIPES; i++)
		assert_int_equal(q->stripes[i].accounts.n, 0);
	assert_int_equal(q->totals.n, 0);
	relay_quota_free(q);
}

static void without_memory_nothing_is_counted(void **state)
{
	struct relay_quota *q = quota_new();

	(void)state;
	no_memory = true;
	assert_int_equal(take(q, "alice", 5, 1), ERR_NOMEM);
	no_memory = false;
	assert_int_equal(take(q, "alice", 5, 1), OK);
	no_memory = true; /* who is known needs none */
	assert_int_equal(take(q, "alice", 5, 2), OK);
	no_memory = false;
	relay_quota_free(q);
}

/* --- threads --- */

enum { N_THREADS = 4, N_USERS = 8, USER_MAX = 5, TOTAL_MAX = 37, N_ROUNDS = 20000 };

struct taker {
	pthread_t thread;
	struct relay_quota *q;
	_Atomic int *held; /* by user; [N_USERS]: all */
	struct rng rng;
	unsigned mine[N_USERS];
	unsigned n_taken;
	bool beyond;
};

/* Counted up after it was granted and down before it is given back: never more than is held. */
static void take_one(struct taker *t, unsigned user)
{
	const char name = (char)('a' + user);

	if (relay_quota_take(t->q, REALM, (struct str){ &name, 1 }, USER_MAX, TOTAL_MAX))
		return;
	t->n_taken++;
	t->mine[user]++;
	if (atomic_fetch_add(&t->held[user], 1) >= USER_MAX || atomic_fetch_add(&t->held[N_USERS], 1) >= TOTAL_MAX)
		t->beyond = true;
}

static void give_one(struct taker *t, unsigned user)
{
	const char name = (char)('a' + user);

	t->mine[user]--;
	atomic_fetch_sub(&t->held[user], 1);
	atomic_fetch_sub(&t->held[N_USERS], 1);
	relay_quota_give(t->q, REALM, (struct str){ &name, 1 });
}

static void *come_and_go(void *arg)
{
	struct taker *t = arg;

	for (int i = 0; i < N_ROUNDS; i++) {
		unsigned user = rng_below(&t->rng, N_USERS);

		take_one(t, user);
		user = rng_below(&t->rng, N_USERS);
		if (t->mine[user] && rng_below(&t->rng, 2))
			give_one(t, user);
	}
	return NULL;
}

static void *take_what_there_is(void *arg)
{
	struct taker *t = arg;

	for (int i = 0; i < TOTAL_MAX; i++)
		for (unsigned user = 0; user < N_USERS; user++)
			take_one(t, user);
	return NULL;
}

static void run(struct taker t[N_THREADS], struct relay_quota *q, _Atomic int *held, void *(*fn)(void *))
{
	for (unsigned i = 0; i < N_THREADS; i++) {
		t[i] = (struct taker){ .q = q, .held = held };
		rng_init_seeded(&t[i].rng, i + 1);
		assert_int_equal(pthread_create(&t[i].thread, NULL, fn, &t[i]), 0);
	}
	for (unsigned i = 0; i < N_THREADS; i++) {
		assert_int_equal(pthread_join(t[i].thread, NULL), 0);
		assert_false(t[i].beyond);
	}
}

static void threads_never_pass_a_limit_and_lose_nothing(void **state)
{
	_Atomic int held[N_USERS + 1] = { 0 };
	struct relay_quota *q = quota_new();
	struct taker t[N_THREADS];

	(void)state;
	run(t, q, held, come_and_go);
	for (unsigned i = 0; i < N_THREADS; i++)
		for (unsigned user = 0; user < N_USERS; user++)
			while (t[i].mine[user])
				give_one(&t[i], user);
	assert_int_equal(q->totals.n, 0);
	for (size_t i = 0; i < STRIPES; i++)
		assert_int_equal(q->stripes[i].accounts.n, 0);
	relay_quota_free(q);
}

/* 8 users of 5 want 40; 37 is what there is, and a refusal of the one limit costs nothing of the other. */
static void threads_get_exactly_the_limit(void **state)
{
	struct taker t[N_THREADS];

	(void)state;
	for (int round = 0; round < 50; round++) {
		_Atomic int held[N_USERS + 1] = { 0 };
		struct relay_quota *q = quota_new();
		unsigned sum = 0;

		run(t, q, held, take_what_there_is);
		for (unsigned i = 0; i < N_THREADS; i++)
			sum += t[i].n_taken;
		assert_int_equal(sum, TOTAL_MAX);
		relay_quota_free(q);
	}
}

struct hammer {
	pthread_t thread;
	struct relay_quota *q;
	_Atomic bool *stop;
};

static void *ask_in_vain(void *arg)
{
	struct hammer *h = arg;

	while (!atomic_load(h->stop))
		(void)!relay_quota_take(h->q, REALM, str_of("greedy"), 1, 2);
	return NULL;
}

/* One user who has all of his keeps asking; the last place of the total is there for another. */
static void a_refused_user_takes_no_place_from_others(void **state)
{
	struct relay_quota *q = quota_new();
	_Atomic bool stop = false;
	struct hammer h[2] = { { .q = q, .stop = &stop }, { .q = q, .stop = &stop } };

	(void)state;
	assert_int_equal(take(q, "greedy", 1, 2), OK);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&h[i].thread, NULL, ask_in_vain, &h[i]), 0);
	for (int i = 0; i < 20000; i++) {
		assert_int_equal(take(q, "modest", 1, 2), OK);
		relay_quota_give(q, REALM, str_of("modest"));
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(h[i].thread, NULL), 0);
	relay_quota_free(q);
}

static uint64_t draw(struct relay_quota *q, const char *user, bool up, uint64_t want, tick now)
{
	const struct relay_quota_draw d = { up, 100000, 0, want, now };

	return relay_quota_draw(q, REALM, str_of(user), &d);
}

/* However many sessions draw: a second's worth at once, and the rate from then on. */
static void a_users_bandwidth_is_one_bucket(void **state)
{
	struct relay_quota *q = quota_new();
	const struct relay_quota_draw back = { true, 100000, 700, 0, 50 };
	uint64_t n = 0;

	(void)state;
	assert_int_equal(draw(q, "alice", true, 1000, 0), 0); /* holds nothing */
	assert_int_equal(take(q, "alice", 0, 0), OK);
	assert_int_equal(take(q, "bob", 0, 0), OK);
	for (int i = 0; i < 30; i++)
		n += draw(q, "alice", true, 5000, 0);
	assert_int_equal(n, 100000);
	assert_int_equal(draw(q, "alice", false, 5000, 0), 5000); /* the other direction has its own */
	assert_int_equal(draw(q, "bob", true, 5000, 0), 5000);
	assert_int_equal(draw(q, "alice", true, 5000, 20), 2000);
	assert_int_equal(relay_quota_draw(q, REALM, str_of("alice"), &back), 0);
	assert_int_equal(draw(q, "alice", true, 5000, 50), 3700); /* 30 ms, and what came back */
	relay_quota_give(q, REALM, str_of("alice"));
	relay_quota_give(q, REALM, str_of("bob"));
	relay_quota_free(q);
}

static void reservations_never_pass_the_capacity(void **state)
{
	struct relay_quota *q = quota_new();

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 3; i++)
			assert_true(relay_quota_reserve(q, 30, 100));
		assert_false(relay_quota_reserve(q, 30, 100));
		assert_true(relay_quota_reserve(q, 10, 100));
		assert_false(relay_quota_reserve(q, 1, 100));
		assert_false(relay_quota_reserve(q, 1, 50)); /* made smaller meanwhile */
		for (int i = 0; i < 3; i++)
			relay_quota_unreserve(q, 30);
		relay_quota_unreserve(q, 10);
	}
	relay_quota_free(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_gets_the_limit_and_no_more),
		cmocka_unit_test(all_users_together_get_the_total),
		cmocka_unit_test(realms_are_counted_for_themselves),
		cmocka_unit_test(zero_is_no_limit_and_names_are_any_bytes),
		cmocka_unit_test(a_user_without_allocations_costs_nothing),
		cmocka_unit_test(without_memory_nothing_is_counted),
		cmocka_unit_test(threads_never_pass_a_limit_and_lose_nothing),
		cmocka_unit_test(threads_get_exactly_the_limit),
		cmocka_unit_test(a_users_bandwidth_is_one_bucket),
		cmocka_unit_test(reservations_never_pass_the_capacity),
		cmocka_unit_test(a_refused_user_takes_no_place_from_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

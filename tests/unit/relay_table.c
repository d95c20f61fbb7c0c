/* From 5-tuples to sessions: open addressing against a model that is plainly right. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"

/* The source itself, with memory that can be made to run out. */
static bool no_memory;

static void *scarce_calloc(size_t n, size_t size)
{
	return no_memory ? NULL : calloc(n, size);
}

#define calloc scarce_calloc
#include "relay/table.c"
#undef calloc

enum { N_SESSIONS = 3000 };

struct world {
	struct relay_table table;
	struct relay_session *s; /* N_SESSIONS of them, each with a tuple of its own */
	bool in[N_SESSIONS];
	size_t n;
};

/* Tuples differ in one field each: the client's port, its address, ours, the transport. */
static struct turn_tuple tuple_of(size_t i)
{
	struct turn_tuple t = { .client = { .ip = { 192, 0, 2, 1 }, .port = 1000, .family = ADDR_V4 },
				.server = { .ip = { 192, 0, 2, 9 }, .port = 3478, .family = ADDR_V4 } };

	switch (i % 4) {
	case 0:
		t.client.port = (uint16_t)(2000 + i);
		break;
	case 1:
		t.client.ip[2] = (uint8_t)(i >> 8);
		t.client.ip[3] = (uint8_t)i;
		break;
	case 2:
		t.server.port = (uint16_t)(4000 + i);
		break;
	default:
		t.client.family = ADDR_V6;
		t.transport = TURN_TLS;
		memcpy(t.client.ip + 8, &i, sizeof i);
		break;
	}
	return t;
}

static void world_init(struct world *w, uint64_t seed)
{
	const uint64_t key[2] = { seed, ~seed };

	memset(w, 0, sizeof *w);
	w->s = calloc(N_SESSIONS, sizeof *w->s);
	for (size_t i = 0; i < N_SESSIONS; i++)
		w->s[i].turn.tuple = tuple_of(i);
	assert_int_equal(relay_table_init(&w->table, key), OK);
}

static void world_fini(struct world *w)
{
	relay_table_fini(&w->table);
	free(w->s);
}

static void insert(struct world *w, size_t i)
{
	assert_int_equal(relay_table_insert(&w->table, &w->s[i]), OK);
	w->in[i] = true;
	w->n++;
}

static void remove_one(struct world *w, size_t i)
{
	relay_table_remove(&w->table, &w->s[i]);
	w->in[i] = false;
	w->n--;
}

/* Every tuple finds its own session, or nothing. */
static void check(const struct world *w, size_t n_tuples)
{
	assert_int_equal(w->table.n, w->n);
	for (size_t i = 0; i < n_tuples; i++) {
		struct turn_tuple t = tuple_of(i);

		assert_ptr_equal(relay_table_find(&w->table, &t), w->in[i] ? &w->s[i] : NULL);
	}
}

static void grows_and_shrinks_with_every_session_in_its_place(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 5);
	check(&w, N_SESSIONS);
	for (size_t i = 0; i < N_SESSIONS; i++)
		insert(&w, i);
	check(&w, N_SESSIONS);
	assert_true(w.table.mask + 1 >= N_SESSIONS * 4 / 3);
	for (size_t i = 0; i < N_SESSIONS; i++) {
		remove_one(&w, i * 7 % N_SESSIONS);
		if (i % 100 == 0)
			check(&w, N_SESSIONS);
	}
	check(&w, N_SESSIONS);
	assert_int_equal(w.table.mask + 1, MIN_SLOTS); /* as it was on the first day */
	world_fini(&w);
}

/* Few slots, nearly full, so that searches pass over one another and around the end. */
static void no_search_ends_too_early_after_removals(void **state)
{
	enum { N_TUPLES = 60, MAX_IN = 47 };

	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct world w;
		struct rng rng;

		world_init(&w, seed);
		rng_init_seeded(&rng, seed);
		for (int i = 0; i < 400; i++) {
			size_t k = rng_below(&rng, N_TUPLES);

			if (w.in[k])
				remove_one(&w, k);
			else if (w.n < MAX_IN)
				insert(&w, k);
			check(&w, N_TUPLES);
		}
		assert_int_equal(w.table.mask + 1, MIN_SLOTS);
		world_fini(&w);
	}
}

static void without_memory_it_refuses_and_keeps_what_it_has(void **state)
{
	const uint64_t key[2] = { 1, 2 };
	struct relay_table none;
	struct world w;
	size_t i = 0;

	(void)state;
	world_init(&w, 5);
	no_memory = true;
	assert_int_equal(relay_table_init(&none, key), ERR_NOMEM);
	while (relay_table_insert(&w.table, &w.s[i]) == OK) {
		w.in[i++] = true;
		w.n++;
	}
	assert_int_equal(w.n, MIN_SLOTS * 3 / 4);
	check(&w, N_SESSIONS);
	no_memory = false;
	while (i < 1000)
		insert(&w, i++);
	no_memory = true; /* to shrink is a wish, not a need */
	for (i = 0; i < 1000; i++)
		remove_one(&w, i);
	check(&w, N_SESSIONS);
	no_memory = false;
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_shrinks_with_every_session_in_its_place),
		cmocka_unit_test(no_search_ends_too_early_after_removals),
		cmocka_unit_test(without_memory_it_refuses_and_keeps_what_it_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

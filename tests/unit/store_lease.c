#include "store/lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store_fake.h"

enum { BEGIN = 1000 * 1000 }; /* ms since the machine was started: not in its first minute */

static const uint64_t key[2] = { 1, 2 };

struct world {
	struct store_link link;
	struct store_leases *l;
};

static void begin(struct world *w)
{
	fake_link(&w->link);
	assert_int_equal(store_leases_new(&w->l, &w->link, key), OK);
	store_leases_run(w->l, BEGIN);
}

static void end(struct world *w)
{
	store_link_close(&w->link);
	store_leases_free(w->l);
}

static const char *id_of(unsigned n)
{
	static char id[STORE_ID_LEN];

	snprintf(id, sizeof id, "n.1.%u", n);
	return id;
}

static void took(struct world *w, unsigned n)
{
	store_leases_took(w->l, STR_LIT("r"), STR_LIT("alice"), id_of(n));
}

static void gave(struct world *w, unsigned n)
{
	store_leases_gave(w->l, STR_LIT("r"), STR_LIT("alice"), id_of(n));
}

/* The oldest op is of that kind, about that lease alone; it is answered. */
static void expect_one(enum store_op_kind kind, unsigned n, enum store_status answer)
{
	assert_true(fake->n > 0);
	assert_int_equal(fake->op[0]->kind, kind);
	assert_int_equal(fake->op[0]->n_held, 1);
	assert_string_equal(fake->op[0]->held[0].id, id_of(n));
	assert_true(str_eq(fake->op[0]->held[0].user, STR_LIT("alice")));
	fake_answer(fake, answer);
}

static void a_lease_is_renewed_each_third_of_its_time(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	took(&w, 1);
	for (int i = 1; i <= 3; i++) {
		store_leases_run(w.l, BEGIN + i * STORE_LEASE_MS / 3 - 1);
		assert_int_equal(fake->n, 0);
		store_leases_run(w.l, BEGIN + i * STORE_LEASE_MS / 3);
		expect_one(STORE_RENEW, 1, STORE_OK);
	}
	assert_int_equal(store_leases_held(w.l), 1);
	end(&w);
}

static void one_that_ended_is_given_back_and_not_renewed(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	took(&w, 1);
	gave(&w, 1);
	assert_int_equal(store_leases_held(w.l), 0);
	assert_false(store_leases_idle(w.l));
	store_leases_run(w.l, BEGIN);
	expect_one(STORE_RELEASE, 1, STORE_OK);
	assert_true(store_leases_idle(w.l));
	store_leases_run(w.l, BEGIN + STORE_LEASE_MS);
	assert_int_equal(fake->n, 0);
	end(&w);
}

/* The database is away, or has no memory: nothing is forgotten, and it is not asked all the time. */
static void what_failed_is_tried_again(void **state)
{
	static const enum store_status bad[] = { STORE_DOWN, STORE_REFUSED };
	struct world w;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		tick now = BEGIN + STORE_LEASE_MS;

		begin(&w);
		took(&w, 1);
		gave(&w, 2);
		store_leases_run(w.l, now);
		expect_one(STORE_RELEASE, 2, bad[i]);
		expect_one(STORE_RENEW, 1, bad[i]);
		store_leases_run(w.l, now + STORE_LEASE_AGAIN_MS - 1);
		assert_int_equal(fake->n, 0);
		store_leases_run(w.l, now + STORE_LEASE_AGAIN_MS);
		expect_one(STORE_RELEASE, 2, STORE_OK);
		expect_one(STORE_RENEW, 1, STORE_OK);
		end(&w);
	}
}

static void while_it_is_away_nothing_is_asked_and_then_all_is_renewed(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	for (unsigned i = 0; i < 300; i++)
		took(&w, i);
	fake_set_up(fake, false);
	gave(&w, 7);
	store_leases_run(w.l, BEGIN + STORE_LEASE_MS);
	assert_int_equal(fake->n, 0);
	fake_set_up(fake, true);
	store_leases_renew_all(w.l);
	store_leases_run(w.l, BEGIN + STORE_LEASE_MS + 1);
	expect_one(STORE_RELEASE, 7, STORE_OK);
	assert_int_equal(fake->n, 2);
	assert_int_equal(fake->op[0]->n_held + fake->op[1]->n_held, 299);
	end(&w);
}

/* Let in without a lease: taken with the next run, though it was never granted. */
static void one_that_is_held_is_taken_as_soon_as_may_be(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	fake_set_up(fake, false);
	store_leases_hold(w.l, STR_LIT("r"), STR_LIT("alice"), id_of(5));
	store_leases_run(w.l, BEGIN + 10);
	assert_int_equal(fake->n, 0);
	fake_set_up(fake, true);
	store_leases_run(w.l, BEGIN + 20);
	expect_one(STORE_RENEW, 5, STORE_OK);
	gave(&w, 5);
	store_leases_run(w.l, BEGIN + 30);
	expect_one(STORE_RELEASE, 5, STORE_OK);
	end(&w);
}

/* The answer was too late for the one who asked; his session may run all the same. */
static void a_late_grant_does_not_end_what_is_held(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	store_leases_hold(w.l, STR_LIT("r"), STR_LIT("alice"), id_of(5));
	store_leases_spare(w.l, STR_LIT("r"), STR_LIT("alice"), id_of(5));
	store_leases_spare(w.l, STR_LIT("r"), STR_LIT("alice"), id_of(6));
	store_leases_run(w.l, BEGIN + 1);
	expect_one(STORE_RELEASE, 6, STORE_OK);
	expect_one(STORE_RENEW, 5, STORE_OK);
	assert_int_equal(fake->n, 0);
	end(&w);
}

/* Given back before it was held: the order of both is that of the database. */
static void held_after_it_was_spared_it_is_there_in_the_end(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	store_leases_spare(w.l, STR_LIT("r"), STR_LIT("alice"), id_of(5));
	store_leases_hold(w.l, STR_LIT("r"), STR_LIT("alice"), id_of(5));
	store_leases_run(w.l, BEGIN + 1);
	expect_one(STORE_RELEASE, 5, STORE_OK);
	expect_one(STORE_RENEW, 5, STORE_OK);
	assert_int_equal(store_leases_held(w.l), 1);
	end(&w);
}

/* … and what failed to be given back is not tried again, for it would end what was renewed meanwhile. */
static void what_is_held_is_not_given_back_a_second_time(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	store_leases_spare(w.l, STR_LIT("r"), STR_LIT("alice"), id_of(5));
	store_leases_hold(w.l, STR_LIT("r"), STR_LIT("alice"), id_of(5));
	store_leases_run(w.l, BEGIN + 1);
	expect_one(STORE_RELEASE, 5, STORE_DOWN);
	expect_one(STORE_RENEW, 5, STORE_OK);
	store_leases_run(w.l, BEGIN + 1 + STORE_LEASE_AGAIN_MS);
	assert_int_equal(fake->n, 0);
	assert_true(store_leases_idle(w.l));
	assert_int_equal(store_leases_held(w.l), 1);
	end(&w);
}

static void what_waits_to_be_given_back_is_bounded(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	fake_set_up(fake, false);
	for (unsigned i = 0; i < STORE_LEASE_GIVING + 5; i++)
		gave(&w, i);
	fake_set_up(fake, true);
	store_leases_run(w.l, BEGIN);
	assert_int_equal(fake->n, STORE_LEASE_IN_FLIGHT);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lease_is_renewed_each_third_of_its_time),
		cmocka_unit_test(one_that_ended_is_given_back_and_not_renewed),
		cmocka_unit_test(what_failed_is_tried_again),
		cmocka_unit_test(while_it_is_away_nothing_is_asked_and_then_all_is_renewed),
		cmocka_unit_test(one_that_is_held_is_taken_as_soon_as_may_be),
		cmocka_unit_test(a_late_grant_does_not_end_what_is_held),
		cmocka_unit_test(held_after_it_was_spared_it_is_there_in_the_end),
		cmocka_unit_test(what_is_held_is_not_given_back_a_second_time),
		cmocka_unit_test(what_waits_to_be_given_back_is_bounded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

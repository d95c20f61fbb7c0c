/* src/worker/board.c: every worker learns what was posted, once, and what nobody needs any more is gone. */
#include "relay_world.h"

#include "worker/board.h"

static struct conf_live *live_new(void)
{
	static const uint64_t key[2] = { 1, 2 };
	struct conf_live *l = NULL;

	assert_int_equal(conf_live_new(&l, key), OK);
	return l;
}

static void the_newest_snapshot_reaches_each_worker(void **state)
{
	struct world *w = world_new(CONF);
	struct worker_reader at[N_SITES] = { { 0 } };
	struct conf_live *first = live_new(), *second = live_new();
	struct worker_board *b = NULL;

	(void)state;
	assert_int_equal(worker_board_new(&b, N_SITES), OK);
	worker_board_set_live(b, first);
	worker_board_read(b, &at[0], w->site[0].relay);
	assert_null(w->site[0].relay->env.auth.live); /* what is being handled goes on with the old one */
	relay_turn(w->site[0].relay);
	assert_ptr_equal(w->site[0].relay->env.auth.live, first);
	worker_board_set_live(b, second);
	for (int i = 0; i < N_SITES; i++) {
		worker_board_read(b, &at[i], w->site[i].relay);
		relay_turn(w->site[i].relay);
		assert_ptr_equal(w->site[i].relay->env.auth.live, second);
	}
	assert_int_equal(first->refs, 1); /* ours */
	assert_int_equal(second->refs, 2 + N_SITES);
	conf_live_drop(first);
	conf_live_drop(second);
	world_free(w);
	worker_board_free(b);
}

/* Sessions of no-auth have no user: those that a secret opened are told apart by hand. */
static void sessions_end_on_whichever_worker_they_are(void **state)
{
	struct world *w = world_new(CONF);
	struct worker_reader at[N_SITES] = { { 0 } };
	const struct relay_expel withdrawn = { .why = TURN_END_WITHDRAWN, .secret = 7 };
	struct worker_board *b = NULL;
	struct client c[2 * N_SITES];
	struct addr relayed;

	(void)state;
	assert_int_equal(worker_board_new(&b, N_SITES), OK);
	for (int i = 0; i < 2 * N_SITES; i++) {
		struct relay *r = w->site[i / 2].relay;

		open_client(w, i / 2, &c[i], &relayed);
		list_entry(r->sessions.prev, struct relay_session, all)->turn.secret = i % 2 ? 7 : 8;
	}
	assert_int_equal(worker_board_expel(b, &withdrawn), OK);
	for (int i = 0; i < N_SITES; i++) {
		assert_int_equal(w->site[i].relay->table.n, 2);
		worker_board_read(b, &at[i], w->site[i].relay);
		assert_int_equal(w->site[i].relay->table.n, 1);
		worker_board_read(b, &at[i], w->site[i].relay);
		assert_int_equal(client_refresh(&c[2 * i], 600), 0);
		assert_int_equal(client_refresh(&c[2 * i + 1], 600), 437);
	}
	for (int i = 0; i < 2 * N_SITES; i++)
		client_close(&c[i]);
	world_free(w);
	worker_board_free(b);
}

static void a_worker_that_does_not_read_cannot_pile_up_orders(void **state)
{
	struct world *w = world_new(CONF);
	struct worker_reader at[N_SITES] = { { 0 } };
	const struct relay_expel o = { .why = TURN_END_QUOTA, .realm = STR_LIT("test"), .user = STR_LIT("alice") };
	struct worker_board *b = NULL;

	(void)state;
	assert_int_equal(worker_board_new(&b, N_SITES), OK);
	for (int i = 0; i < WORKER_BOARD_MAX; i++)
		assert_int_equal(worker_board_expel(b, &o), OK);
	assert_int_equal(worker_board_expel(b, &o), ERR_FULL);
	worker_board_read(b, &at[0], w->site[0].relay);
	assert_int_equal(worker_board_expel(b, &o), ERR_FULL);
	worker_board_read(b, &at[1], w->site[1].relay);
	assert_int_equal(worker_board_expel(b, &o), OK);
	world_free(w);
	worker_board_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_snapshot_reaches_each_worker),
		cmocka_unit_test(sessions_end_on_whichever_worker_they_are),
		cmocka_unit_test(a_worker_that_does_not_read_cannot_pile_up_orders),
	};

	return cmocka_run_group_tests_name("worker_board", tests, NULL, NULL);
}

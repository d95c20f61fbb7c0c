#include "suite.h"
#include "world.h"

static bool is_up(void *arg)
{
	(void)arg;
	return world.kind->is_up(world.b) && world.kind->is_up(world.other);
}

static bool is_down(void *arg)
{
	(void)arg;
	return !world.kind->is_up(world.b);
}

/* Something that writes, and can be told apart by its answer. */
static enum store_status write_one(struct str realm, uint64_t seq, uint64_t *total, char *why)
{
	struct store_usage row = { .realm = realm, .user = STR_LIT("alice"), .period = "2026-11", .rx_bytes = 1 };
	struct asked *a = asked_new(STORE_USAGE, realm, STR_LIT("alice"));
	enum store_status s;

	a->op.node = realm;
	a->op.epoch = 1;
	a->op.seq = seq;
	a->op.usage = &row;
	a->op.n_usage = 1;
	s = asked_of(a, world.b);
	*total = row.total_bytes;
	if (why)
		strcpy(why, a->op.why);
	asked_free(a);
	return s;
}

/* Sends a batch until it is taken, as the store does. */
static uint64_t write_surely(struct str realm, uint64_t seq)
{
	tick start = tick_now();
	uint64_t total = 0;

	while (write_one(realm, seq, &total, NULL) != STORE_OK) {
		assert_true(tick_now() - start < WORLD_PATIENCE_MS);
		world_pass(20);
	}
	return total;
}

static void one_that_stops_is_down_at_once_and_comes_back(void **state)
{
	struct str realm = world_realm();
	uint64_t total;
	unsigned n;
	char why[256];

	(void)state;
	assert_int_equal(write_one(realm, 1, &total, NULL), STORE_OK);
	n = world.n_changed;
	if (!world_control("stop", NULL, 0))
		skip();
	world_until(is_down, NULL);
	assert_true(world.n_changed > n);
	assert_false(world.is_up);
	assert_true(world.why[0]);
	assert_int_equal(write_one(realm, 2, &total, why), STORE_DOWN);
	assert_true(why[0]);
	assert_true(world_control("start", NULL, 0));
	world_until(is_up, NULL);
	assert_true(world.is_up);
	write_surely(realm, 2);
}

static void one_that_hangs_is_given_up_in_time(void **state)
{
	struct str realm = world_realm();
	uint64_t total;
	tick start;

	(void)state;
	assert_int_equal(write_one(realm, 1, &total, NULL), STORE_OK);
	if (!world_control("hang", NULL, 0))
		skip();
	start = tick_now();
	assert_int_equal(write_one(realm, 2, &total, NULL), STORE_DOWN);
	assert_true(tick_now() - start >= WORLD_TIMEOUT_MS / 2);
	world_until(is_down, NULL);
	/* while it is known to hang nobody waits */
	start = tick_now();
	assert_int_equal(write_one(realm, 2, &total, NULL), STORE_DOWN);
	assert_true(tick_now() - start < WORLD_TIMEOUT_MS);
	assert_true(world_control("resume", NULL, 0));
	world_until(is_up, NULL);
	/* the hung server may have done it after all: once, either way */
	assert_int_equal(write_surely(realm, 2), 2);
}

static void one_that_is_full_refuses_and_says_why(void **state)
{
	struct str realm = world_realm();
	uint64_t total;
	char why[256];

	(void)state;
	assert_int_equal(write_one(realm, 1, &total, NULL), STORE_OK);
	if (!world_control("full", NULL, 0))
		skip();
	assert_int_equal(write_one(realm, 2, &total, why), STORE_REFUSED);
	assert_true(why[0]);
	assert_true(world_control("roomy", NULL, 0));
	assert_int_equal(write_surely(realm, 2), 2);
}

static void another_takes_over(void **state)
{
	struct str realm = world_realm();
	uint64_t total;

	(void)state;
	assert_int_equal(write_one(realm, 1, &total, NULL), STORE_OK);
	if (!world_control("failover", NULL, 0))
		skip();
	for (uint64_t seq = 2; seq < 6; seq++)
		(void)write_surely(realm, seq);
	world_until(is_up, NULL);
}

static bool said_something(void *arg)
{
	return ((struct seen *)arg)->n_changed > 0;
}

static void a_wrong_password_is_one_clear_line(void **state)
{
	char conninfo[512];
	struct seen seen;
	struct store_backend *b;
	struct asked *a;

	(void)state;
	if (!world_control("wrong-password", conninfo, sizeof conninfo))
		skip();
	b = world_connect(conninfo, &seen);
	assert_non_null(b);
	world_until(said_something, &seen);
	assert_false(seen.is_up);
	assert_non_null(strstr(seen.why, "password"));
	assert_null(strchr(seen.why, '\n'));
	assert_null(strstr(seen.why, "opensesame"));
	a = asked_new(STORE_KEY, STR_LIT("r"), STR_LIT("u"));
	assert_int_equal(asked_of(a, b), STORE_DOWN);
	assert_non_null(strstr(a->op.why, "password"));
	asked_free(a);
	world.kind->close(b);
}

static void an_op_waits_for_the_first_connection(void **state)
{
	struct seen seen;
	struct store_backend *b = world_connect(world.conninfo, &seen);
	struct asked *a = asked_new(STORE_KEY, STR_LIT("r"), STR_LIT("u"));

	(void)state;
	assert_non_null(b);
	assert_int_equal(asked_of(a, b), STORE_NONE);
	asked_free(a);
	world.kind->close(b);
}

static void close_ends_what_is_under_way(void **state)
{
	enum { N = 50 };
	struct str realm = world_realm();
	struct asked *all[N];
	struct seen seen;

	(void)state;
	/* before it is connected, and after */
	for (int round = 0; round < 2; round++) {
		struct store_backend *b = world_connect(world.conninfo, &seen);

		assert_non_null(b);
		while (round && !world.kind->is_up(b))
			assert_int_equal(net_loop_turn(world.loop), OK);
		for (size_t i = 0; i < N; i++) {
			all[i] = asked_new(STORE_KEY, realm, STR_LIT("u"));
			asked_start(all[i], b);
		}
		world.kind->close(b);
		for (size_t i = 0; i < N; i++) {
			assert_int_equal(all[i]->n_done, 1);
			assert_true(all[i]->status == STORE_DOWN || all[i]->status == STORE_NONE);
			asked_free(all[i]);
		}
	}
}

static void open_refuses_nonsense(void **state)
{
	struct seen seen;

	(void)state;
	/* what is no connection string may well be the name of a file */
	assert_null(world_connect(strcmp(world.kind->name, "sqlite") == 0 ? "" : "nonsense", &seen));
	assert_true(seen.why[0]);
}

int suite_trouble(void)
{
	const struct CMUnitTest trouble[] = {
		cmocka_unit_test(open_refuses_nonsense),
		cmocka_unit_test(a_wrong_password_is_one_clear_line),
		cmocka_unit_test(one_that_is_full_refuses_and_says_why),
		cmocka_unit_test(one_that_stops_is_down_at_once_and_comes_back),
		cmocka_unit_test(one_that_hangs_is_given_up_in_time),
	};

	return cmocka_run_group_tests(trouble, world_open, world_close);
}

int suite_first(void)
{
	const struct CMUnitTest first[] = {
		cmocka_unit_test(an_op_waits_for_the_first_connection),
		cmocka_unit_test(close_ends_what_is_under_way),
	};

	return cmocka_run_group_tests(first, world_open, world_close);
}

int suite_failover(void)
{
	const struct CMUnitTest failover[] = {
		cmocka_unit_test(another_takes_over),
	};

	return cmocka_run_group_tests(failover, world_open, world_close);
}

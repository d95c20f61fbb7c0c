/* A database that coturn made and filled, with none of our tables: users work as they are, and the rest says what
 * to do. The tests follow each other on one database. */
#include "suite.h"
#include "world.h"

#include "base/crypto.h"

#define REALM STR_LIT("coturn.example")

static enum store_status schema(enum store_admin_do what_to_do, char why[256])
{
	struct asked *a = asked_new(STORE_ADMIN, STR_LIT(""), STR_LIT(""));
	enum store_status s;

	a->op.admin_do = what_to_do;
	a->op.admin_what = STORE_ADMIN_SCHEMA;
	s = asked_of(a, world.b);
	memcpy(why, a->op.why, sizeof a->op.why);
	asked_free(a);
	return s;
}

static enum store_status use(struct store_usage *row, char why[256])
{
	struct asked *a = asked_new(STORE_USAGE, REALM, row->user);
	enum store_status s;

	a->op.node = STR_LIT("n");
	a->op.epoch = a->op.seq = 1;
	a->op.usage = row;
	a->op.n_usage = 1;
	s = asked_of(a, world.b);
	memcpy(why, a->op.why, sizeof a->op.why);
	asked_free(a);
	return s;
}

static void what_turnadmin_added_gives_the_same_key(void **state)
{
	const struct str parts[] = { STR_LIT("alice:coturn.example:opensesame") };
	struct asked *a = asked_new(STORE_KEY, REALM, STR_LIT("alice"));
	uint8_t want[CRYPTO_MD5_LEN];
	struct crypto *c;

	(void)state;
	assert_true(world_control("turnadmin alice opensesame", NULL, 0));
	assert_int_equal(crypto_new(&c), OK);
	assert_int_equal(crypto_digest(c, CRYPTO_MD5, parts, 1, want), OK);
	crypto_free(c);
	assert_int_equal(asked_of(a, world.b), STORE_OK);
	assert_memory_equal(a->op.key, want, sizeof want);
	asked_free(a);
}

static void users_work_without_our_tables(void **state)
{
	struct store_usage row = { .realm = REALM, .user = STR_LIT("alice"), .period = "2026-11", .rx_bytes = 1 };
	struct asked *a = asked_new(STORE_LEASE, REALM, STR_LIT("alice"));
	char why[256];

	(void)state;
	assert_int_equal(schema(STORE_ADMIN_CHECK, why), STORE_NONE);
	assert_non_null(strstr(why, "taciturnctl db init"));
	conf_live_drop(world_live(world.b));
	assert_int_equal(asked_of(a, world.b), STORE_OK);
	assert_int_equal(a->op.lease.limits.max_bytes, CONF_LIVE_UNSET);
	assert_false(a->op.lease.counted);
	asked_free(a);
	assert_int_equal(use(&row, why), STORE_REFUSED);
	assert_non_null(strstr(why, "taciturnctl db init"));
}

static void peers_of_an_old_coturn_hold_for_all_realms(void **state)
{
	struct conf_live *live;
	const struct conf_live_realm *all;

	(void)state;
	assert_true(world_control("old-peers", NULL, 0));
	world_close(NULL);
	world_open(NULL);
	live = world_live(world.b);
	all = conf_live_find_realm(live, STR_LIT(""));
	assert_non_null(all);
	assert_int_equal(all->denied.n, 1);
	conf_live_drop(live);
}

static void init_adds_ours_and_keeps_theirs(void **state)
{
	struct store_usage row = { .realm = REALM, .user = STR_LIT("alice"), .period = "2026-11", .rx_bytes = 1 };
	struct asked *a = asked_new(STORE_KEY, REALM, STR_LIT("alice"));
	char why[256];

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(schema(STORE_ADMIN_INIT, why), STORE_OK);
	assert_int_equal(schema(STORE_ADMIN_CHECK, why), STORE_OK);
	assert_int_equal(use(&row, why), STORE_OK);
	assert_int_equal(asked_of(a, world.b), STORE_OK);
	asked_free(a);
}

static void limits_that_end_an_allocation_come_from_our_tables(void **state)
{
	struct asked *a = asked_new(STORE_LEASE, REALM, STR_LIT("alice"));

	(void)state;
	strcpy(a->op.lease.period, "2026-11");
	a->op.lease.bytes_max = 1;
	assert_int_equal(asked_of(a, world.b), STORE_FULL_BYTES);
	assert_int_equal(world_admin(STORE_ADMIN_SET, STORE_ADMIN_LIMIT, REALM, STR_LIT("alice"),
				     STR_LIT("max_allocations=2 max_bytes=5")),
			 STORE_OK);
	assert_int_equal(asked_of(a, world.b), STORE_OK);
	assert_int_equal(a->op.lease.limits.max_bytes, 5);
	asked_free(a);
}

/* As many as there may be at once, of users nobody asked for before. */
static void ten_thousand_questions_at_once_are_answered(void **state)
{
	enum { N = 10000 };
	static struct asked *all[N];
	static char names[N][16];
	tick start = tick_now();

	(void)state;
	for (int i = 0; i < N; i++) {
		snprintf(names[i], sizeof names[i], "u%d", i);
		all[i] = asked_new(STORE_KEY, REALM, i % 2 ? STR_LIT("alice") : str_of(names[i]));
		asked_start(all[i], world.b);
	}
	for (int i = 0; i < N; i++) {
		asked_wait(all[i]);
		assert_int_equal(all[i]->status, i % 2 ? STORE_OK : STORE_NONE);
		asked_free(all[i]);
	}
	print_message("# %d keys in %llu ms\n", N, (unsigned long long)(tick_now() - start));
}

static void a_missing_table_is_named(void **state)
{
	struct asked *a = asked_new(STORE_KEY, REALM, STR_LIT("alice"));
	char why[256];

	(void)state;
	assert_true(world_control("drop turnusers_lt", NULL, 0));
	world_close(NULL);
	world_open(NULL);
	assert_int_equal(asked_of(a, world.b), STORE_REFUSED);
	assert_non_null(strstr(a->op.why, "turnusers_lt"));
	assert_non_null(strstr(a->op.why, "taciturnctl db init"));
	asked_free(a);
	assert_int_equal(schema(STORE_ADMIN_CHECK, why), STORE_REFUSED);
	assert_non_null(strstr(why, "turnusers_lt"));
}

int suite_coturn(void)
{
	const struct CMUnitTest coturn[] = {
		cmocka_unit_test(what_turnadmin_added_gives_the_same_key),
		cmocka_unit_test(users_work_without_our_tables),
		cmocka_unit_test(peers_of_an_old_coturn_hold_for_all_realms),
		cmocka_unit_test(init_adds_ours_and_keeps_theirs),
		cmocka_unit_test(limits_that_end_an_allocation_come_from_our_tables),
		cmocka_unit_test(ten_thousand_questions_at_once_are_answered),
		cmocka_unit_test(a_missing_table_is_named),
	};

	return cmocka_run_group_tests(coturn, world_open, world_close);
}

#include "suite.h"
#include "world.h"

enum { TTL_MS = 20000, SHORT_MS = 400 };

static struct asked *lease_new(struct str realm, const char *user, const char *id, int64_t user_max)
{
	struct asked *a = asked_new(STORE_LEASE, realm, str_of(user));

	snprintf(a->op.lease.id, sizeof a->op.lease.id, "%s", id);
	snprintf(a->op.lease.period, sizeof a->op.lease.period, "2026-11");
	a->op.lease.user_max = user_max;
	a->op.lease.ttl_ms = TTL_MS;
	return a;
}

static enum store_status lease(struct str realm, const char *user, const char *id, int64_t user_max)
{
	struct asked *a = lease_new(realm, user, id, user_max);
	enum store_status s = asked_of(a, world.b);

	assert_int_equal(a->op.lease.counted, world.counts_leases && s == STORE_OK);
	asked_free(a);
	return s;
}

static enum store_status hold(enum store_op_kind kind, struct str realm, const char *user, const char *id, int64_t ttl_ms)
{
	struct store_held held = { .realm = realm, .user = str_of(user) };
	struct asked *a = asked_new(kind, realm, str_of(user));
	enum store_status s;

	snprintf(held.id, sizeof held.id, "%s", id);
	a->op.held = &held;
	a->op.n_held = 1;
	a->op.ttl_ms = ttl_ms;
	s = asked_of(a, world.b);
	asked_free(a);
	return s;
}

static void skip_unless_counted(void)
{
	if (!world.counts_leases)
		skip();
}

static void a_user_gets_what_it_may_and_no_more(void **state)
{
	struct str realm = world_realm();

	(void)state;
	skip_unless_counted();
	assert_int_equal(lease(realm, "alice", "n1.1.1", 2), STORE_OK);
	assert_int_equal(lease(realm, "alice", "n1.1.2", 2), STORE_OK);
	assert_int_equal(lease(realm, "alice", "n1.1.3", 2), STORE_FULL_USER);
	assert_int_equal(lease(realm, "bob", "n1.1.4", 2), STORE_OK);
	/* asked again for one that it has */
	assert_int_equal(lease(realm, "alice", "n1.1.2", 2), STORE_OK);
	assert_int_equal(lease(realm, "alice", "n1.1.3", 2), STORE_FULL_USER);
	assert_int_equal(hold(STORE_RELEASE, realm, "alice", "n1.1.1", 0), STORE_OK);
	assert_int_equal(hold(STORE_RELEASE, realm, "alice", "n1.1.1", 0), STORE_OK);
	assert_int_equal(lease(realm, "alice", "n1.1.3", 2), STORE_OK);
	assert_int_equal(lease(realm, "alice", "n1.1.5", 2), STORE_FULL_USER);
}

static void a_realm_gets_what_it_may_and_no_more(void **state)
{
	struct str realm = world_realm();
	struct asked *a;

	(void)state;
	skip_unless_counted();
	assert_int_equal(lease(realm, "alice", "n1.2.1", 0), STORE_OK);
	assert_int_equal(lease(realm, "bob", "n1.2.2", 0), STORE_OK);
	a = lease_new(realm, "carol", "n1.2.3", 0);
	a->op.lease.total_max = 2;
	assert_int_equal(asked_of(a, world.b), STORE_FULL_REALM);
	asked_free(a);
}

static void two_nodes_share_ten_exactly(void **state)
{
	enum { N = 200, MAX = 10 };
	struct str realm = world_realm();
	struct asked *all[N];
	size_t n_ok = 0;

	(void)state;
	skip_unless_counted();
	for (size_t i = 0; i < N; i++) {
		char id[STORE_ID_LEN];

		snprintf(id, sizeof id, "node%zu.1.%zu", i % 2, i);
		all[i] = lease_new(realm, "alice", id, MAX);
		asked_start(all[i], i % 2 ? world.b : world.other);
	}
	for (size_t i = 0; i < N; i++) {
		asked_wait(all[i]);
		assert_true(all[i]->status == STORE_OK || all[i]->status == STORE_FULL_USER);
		n_ok += all[i]->status == STORE_OK;
		asked_free(all[i]);
	}
	assert_int_equal(n_ok, MAX);
}

static void a_dead_node_gives_its_leases_back(void **state)
{
	struct str realm = world_realm();
	struct asked *a;

	(void)state;
	skip_unless_counted();
	a = lease_new(realm, "alice", "dead.1.1", 2);
	a->op.lease.ttl_ms = SHORT_MS;
	assert_int_equal(asked_of(a, world.b), STORE_OK);
	asked_free(a);
	/* one that lives on: the dead one has to go alone */
	assert_int_equal(lease(realm, "alice", "live.1.0", 2), STORE_OK);
	world_pass(SHORT_MS + 50);
	assert_int_equal(lease(realm, "alice", "live.1.1", 2), STORE_OK);
	assert_int_equal(lease(realm, "alice", "live.1.2", 2), STORE_FULL_USER);
}

static void renewed_leases_stay_and_forgotten_ones_return(void **state)
{
	struct str realm = world_realm();
	struct asked *a;

	(void)state;
	skip_unless_counted();
	a = lease_new(realm, "alice", "n.1.1", 1);
	a->op.lease.ttl_ms = SHORT_MS;
	assert_int_equal(asked_of(a, world.b), STORE_OK);
	asked_free(a);
	assert_int_equal(hold(STORE_RENEW, realm, "alice", "n.1.1", TTL_MS), STORE_OK);
	world_pass(SHORT_MS + 50);
	assert_int_equal(lease(realm, "alice", "n.1.2", 1), STORE_FULL_USER);
	if (!world_control("forget", NULL, 0))
		skip();
	assert_int_equal(hold(STORE_RENEW, realm, "alice", "n.1.1", TTL_MS), STORE_OK);
	assert_int_equal(lease(realm, "alice", "n.1.2", 1), STORE_FULL_USER);
}

static void many_leases_are_renewed_and_released(void **state)
{
	enum { N = 450 };
	struct str realms[2] = { world_realm(), world_realm() };
	struct store_held *held;
	struct asked *a;

	(void)state;
	skip_unless_counted();
	held = calloc(N, sizeof *held);
	a = asked_new(STORE_RENEW, realms[0], STR_LIT("u"));
	assert_non_null(held);
	for (size_t i = 0; i < N; i++) {
		held[i].realm = realms[i % 3 == 0];
		held[i].user = STR_LIT("u");
		snprintf(held[i].id, sizeof held[i].id, "n.2.%zu", i);
	}
	a->op.held = held;
	a->op.n_held = N;
	a->op.ttl_ms = TTL_MS;
	assert_int_equal(asked_of(a, world.b), STORE_OK);
	assert_int_equal(lease(realms[0], "u", "n.2.x", N / 3 * 2), STORE_FULL_USER);
	a->op.kind = STORE_RELEASE;
	assert_int_equal(asked_of(a, world.b), STORE_OK);
	assert_int_equal(lease(realms[0], "u", "n.2.x", 1), STORE_OK);
	asked_free(a);
	free(held);
}

static void limits_of_a_user_come_with_the_lease(void **state)
{
	struct str realm = world_realm();
	struct asked *a;

	(void)state;
	assert_int_equal(world_admin(STORE_ADMIN_SET, STORE_ADMIN_LIMIT, realm, STR_LIT("alice"),
				     STR_LIT("max_allocations=1 max_bps=5000 max_bytes=1000000")), STORE_OK);
	a = lease_new(realm, "alice", "n.3.1", 10);
	assert_int_equal(asked_of(a, world.b), STORE_OK);
	assert_int_equal(a->op.lease.limits.max_allocations, 1);
	assert_int_equal(a->op.lease.limits.max_bps, 5000);
	assert_int_equal(a->op.lease.limits.max_bytes, 1000000);
	assert_string_equal(a->op.lease.limits.period, "");
	asked_free(a);
	a = lease_new(realm, "bob", "n.3.2", 10);
	assert_int_equal(asked_of(a, world.b), STORE_OK);
	assert_int_equal(a->op.lease.limits.max_bps, CONF_LIVE_UNSET);
	asked_free(a);
	if (world.counts_leases)
		assert_int_equal(lease(realm, "alice", "n.3.3", 10), STORE_FULL_USER);
}

static void used_bytes_come_with_the_lease_and_end_it(void **state)
{
	struct str realm = world_realm();
	struct store_usage row = { .realm = realm, .user = STR_LIT("alice"), .period = "2026-11", .rx_bytes = 60,
				   .tx_bytes = 40 };
	struct asked *a = asked_new(STORE_USAGE, realm, row.user);

	(void)state;
	a->op.node = realm;
	a->op.epoch = 1;
	a->op.seq = 1;
	a->op.usage = &row;
	a->op.n_usage = 1;
	assert_int_equal(asked_of(a, world.b), STORE_OK);
	asked_free(a);
	a = lease_new(realm, "alice", "n.4.1", 10);
	a->op.lease.bytes_max = 101;
	assert_int_equal(asked_of(a, world.b), STORE_OK);
	assert_int_equal(a->op.lease.used_bytes, 100);
	asked_free(a);
	a = lease_new(realm, "alice", "n.4.2", 10);
	a->op.lease.bytes_max = 100;
	assert_int_equal(asked_of(a, world.b), STORE_FULL_BYTES);
	assert_int_equal(a->op.lease.used_bytes, 100);
	asked_free(a);
}

/* What was made before a moment is refused, also when that moment has passed. */
static void a_revocation_reaches_what_was_made_before_it(void **state)
{
	static const struct {
		int64_t made_s;
		enum store_status status;
	} cases[] = { { 0, STORE_REVOKED }, { 1699999999, STORE_REVOKED }, { 1700000000, STORE_OK } };
	struct str realm = world_realm();

	(void)state;
	assert_int_equal(world_admin(STORE_ADMIN_SET, STORE_ADMIN_REVOKED, realm, STR_LIT("alice"), STR_LIT("1700000000")),
			 STORE_OK);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct asked *a = lease_new(realm, "alice", "n.5.1", 10);

		a->op.lease.made_s = cases[i].made_s;
		assert_int_equal(asked_of(a, world.b), cases[i].status);
		asked_free(a);
	}
	assert_int_equal(lease(realm, "bob", "n.5.2", 10), STORE_OK);
}

/* Of a user with a period of its own the bytes of that period are looked at, whatever the configuration's is. */
static void ones_own_period_is_the_one_that_counts(void **state)
{
	static const struct {
		const char *word;
		enum conf_period kind;
	} own[] = { { "period=day", CONF_PERIOD_DAY }, { "period=30d", CONF_PERIOD_30D }, { "period=month", CONF_PERIOD_MONTH } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		struct str realm = world_realm();
		struct store_usage row = { .realm = realm, .user = STR_LIT("alice"), .rx_bytes = 100 };
		struct asked *a = asked_new(STORE_USAGE, realm, row.user);

		assert_int_equal(world_admin(STORE_ADMIN_SET, STORE_ADMIN_LIMIT, realm, STR_LIT("alice"), str_of(own[i].word)),
				 STORE_OK);
		conf_period_name(own[i].kind, tick_wall_s(), row.period);
		a->op.node = realm;
		a->op.epoch = 1;
		a->op.seq = 1;
		a->op.usage = &row;
		a->op.n_usage = 1;
		assert_int_equal(asked_of(a, world.b), STORE_OK);
		asked_free(a);
		a = lease_new(realm, "alice", "n.6.1", 10);
		strcpy(a->op.lease.period, "1999-12"); /* the configuration's: nothing was relayed in it */
		a->op.lease.bytes_max = 100;
		assert_int_equal(asked_of(a, world.b), STORE_FULL_BYTES);
		assert_int_equal(a->op.lease.used_bytes, 100);
		asked_free(a);
	}
}

int suite_leases(void)
{
	const struct CMUnitTest leases[] = {
		cmocka_unit_test(a_user_gets_what_it_may_and_no_more),
		cmocka_unit_test(a_realm_gets_what_it_may_and_no_more),
		cmocka_unit_test(two_nodes_share_ten_exactly),
		cmocka_unit_test(a_dead_node_gives_its_leases_back),
		cmocka_unit_test(renewed_leases_stay_and_forgotten_ones_return),
		cmocka_unit_test(many_leases_are_renewed_and_released),
		cmocka_unit_test(limits_of_a_user_come_with_the_lease),
		cmocka_unit_test(used_bytes_come_with_the_lease_and_end_it),
		cmocka_unit_test(a_revocation_reaches_what_was_made_before_it),
		cmocka_unit_test(ones_own_period_is_the_one_that_counts),
	};

	return cmocka_run_group_tests(leases, world_open, world_close);
}

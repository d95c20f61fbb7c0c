#include "store/op.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bug.h"
#include "store/backend.h"

static struct store_backend *b;

static void on_changed(void *arg, const struct store_backend *backend, bool is_up, const char *why)
{
	(void)arg;
	(void)backend;
	(void)why;
	assert_true(is_up);
}

static int begin(void **state)
{
	const struct store_env env = { .hash_key = { 1, 2 }, .changed = on_changed };
	char why[64];

	(void)state;
	return store_memory.open(&b, &env, NULL, why, sizeof why);
}

static int end(void **state)
{
	(void)state;
	store_memory.close(b);
	return 0;
}

static void on_done(struct store_op *op, enum store_status status)
{
	*(enum store_status *)op->arg = status;
}

static enum store_status ask(struct store_op *op)
{
	enum store_status status = N_STORE_STATUS;

	op->done = on_done;
	op->arg = &status;
	store_memory.start(b, op);
	assert_true(status < N_STORE_STATUS); /* at once */
	return status;
}

static char listed[200];

static void on_row(struct store_op *op, const struct store_row *row)
{
	size_t n = strlen(listed);

	(void)op;
	snprintf(listed + n, sizeof listed - n, "%.*s:%.*s;", STR_ARG(row->name), STR_ARG(row->value));
}

static enum store_status admin(enum store_admin_do what_to_do, enum store_admin_what what, const char *user,
			       const char *value)
{
	struct store_op op = { .kind = STORE_ADMIN, .admin_do = what_to_do, .admin_what = what, .row = on_row,
			       .admin = { STR_LIT("r"), str_of(user), str_of(value) } };

	listed[0] = '\0';
	return ask(&op);
}

static struct store_op lease(int64_t made_s, int64_t bytes_max)
{
	struct store_op op = { .kind = STORE_LEASE, .realm = STR_LIT("r"), .user = STR_LIT("alice") };

	op.lease.made_s = made_s;
	op.lease.bytes_max = bytes_max;
	conf_period_name(CONF_PERIOD_MONTH, tick_wall_s(), op.lease.period);
	return op;
}

static void spend(enum conf_period kind, uint64_t bytes, struct store_usage *row)
{
	struct store_op op = { .kind = STORE_USAGE, .usage = row, .n_usage = 1 };

	*row = (struct store_usage){ .realm = STR_LIT("r"), .user = STR_LIT("alice"), .rx_bytes = bytes };
	conf_period_name(kind, tick_wall_s(), row->period);
	assert_int_equal(ask(&op), STORE_OK);
}

static void bytes_are_counted_and_limited(void **state)
{
	struct store_op op = lease(0, 100);
	struct store_usage row;

	(void)state;
	spend(CONF_PERIOD_MONTH, 60, &row);
	assert_int_equal(ask(&op), STORE_OK);
	assert_int_equal(op.lease.used_bytes, 60);
	assert_false(op.lease.counted);
	spend(CONF_PERIOD_MONTH, 40, &row);
	assert_int_equal(row.total_bytes, 100);
	assert_int_equal(ask(&op), STORE_FULL_BYTES);
	assert_int_equal(admin(STORE_ADMIN_LIST, STORE_ADMIN_USAGE, "alice", ""), STORE_OK);
	assert_non_null(strstr(listed, ":rx_bytes=100 tx_bytes=0 "));
}

static void ones_own_limits_come_with_leases_and_usage(void **state)
{
	struct store_op op = lease(0, 100);
	struct store_usage row;

	(void)state;
	spend(CONF_PERIOD_MONTH, 150, &row);
	assert_true(row.has_limits);
	assert_int_equal(row.limits.max_bps, CONF_LIVE_UNSET);
	assert_int_equal(admin(STORE_ADMIN_SET, STORE_ADMIN_LIMIT, "alice", "max_bps=9 max_bytes=200"), STORE_OK);
	assert_int_equal(ask(&op), STORE_OK);
	assert_int_equal(op.lease.limits.max_bps, 9);
	spend(CONF_PERIOD_MONTH, 0, &row);
	assert_int_equal(row.limits.max_bytes, 200);
	assert_int_equal(admin(STORE_ADMIN_LIST, STORE_ADMIN_LIMIT, "", ""), STORE_OK);
	assert_string_equal(listed, "alice:max_bps=9 max_bytes=200;");
	assert_int_equal(admin(STORE_ADMIN_DEL, STORE_ADMIN_LIMIT, "alice", ""), STORE_OK);
	assert_int_equal(admin(STORE_ADMIN_DEL, STORE_ADMIN_LIMIT, "alice", ""), STORE_NONE);
	assert_int_equal(ask(&op), STORE_FULL_BYTES);
}

static void ones_own_period_is_the_one_that_counts(void **state)
{
	struct store_op op = lease(0, 100);
	struct store_usage row;

	(void)state;
	spend(CONF_PERIOD_MONTH, 500, &row);
	assert_int_equal(admin(STORE_ADMIN_SET, STORE_ADMIN_LIMIT, "alice", "period=day"), STORE_OK);
	assert_int_equal(ask(&op), STORE_OK);
	assert_int_equal(op.lease.used_bytes, 0);
	assert_string_equal(op.lease.limits.period, "day");
	spend(CONF_PERIOD_DAY, 100, &row);
	assert_int_equal(ask(&op), STORE_FULL_BYTES);
}

static void what_was_made_before_a_revocation_is_refused(void **state)
{
	static const struct {
		int64_t made_s;
		enum store_status status;
	} cases[] = { { 0, STORE_REVOKED }, { 999, STORE_REVOKED }, { 1000, STORE_OK }, { 1001, STORE_OK } };

	(void)state;
	assert_int_equal(admin(STORE_ADMIN_SET, STORE_ADMIN_REVOKED, "alice", "1000"), STORE_OK);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct store_op op = lease(cases[i].made_s, 0);

		assert_int_equal(ask(&op), cases[i].status);
	}
	assert_int_equal(admin(STORE_ADMIN_LIST, STORE_ADMIN_REVOKED, "", ""), STORE_OK);
	assert_string_equal(listed, "alice:1000;");
	assert_int_equal(admin(STORE_ADMIN_DEL, STORE_ADMIN_REVOKED, "alice", ""), STORE_OK);
	assert_int_equal(admin(STORE_ADMIN_LIST, STORE_ADMIN_REVOKED, "", ""), STORE_OK);
	assert_string_equal(listed, "");
}

static void nonsense_is_refused_and_what_it_has_not_unsupported(void **state)
{
	(void)state;
	assert_int_equal(admin(STORE_ADMIN_SET, STORE_ADMIN_LIMIT, "alice", "max=1"), STORE_REFUSED);
	assert_int_equal(admin(STORE_ADMIN_SET, STORE_ADMIN_REVOKED, "alice", "soon"), STORE_REFUSED);
	assert_int_equal(admin(STORE_ADMIN_SET, STORE_ADMIN_USER, "alice", ""), STORE_UNSUPPORTED);
	assert_int_equal(admin(STORE_ADMIN_LIST, STORE_ADMIN_LIMIT, "", ""), STORE_OK);
	assert_string_equal(listed, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bytes_are_counted_and_limited, begin, end),
		cmocka_unit_test_setup_teardown(ones_own_limits_come_with_leases_and_usage, begin, end),
		cmocka_unit_test_setup_teardown(ones_own_period_is_the_one_that_counts, begin, end),
		cmocka_unit_test_setup_teardown(what_was_made_before_a_revocation_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(nonsense_is_refused_and_what_it_has_not_unsupported, begin, end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "store/quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bug.h"

enum { NOW_S = 1795478400 }; /* 2026-11-24 */

static const uint64_t key[2] = { 1, 2 };

static struct store_usage row(const char *period, uint64_t total, int64_t max_bytes, const char *own_period)
{
	struct store_usage u = { .realm = STR_LIT("r"), .user = STR_LIT("alice"), .total_bytes = total,
				 .has_limits = true, .limits = store_limits_none() };

	strcpy(u.period, period);
	u.limits.max_bytes = max_bytes;
	strcpy(u.limits.period, own_period);
	return u;
}

static struct store_quotas *fresh(struct conf *conf, int64_t max)
{
	struct store_quotas *q = NULL;

	memset(conf, 0, sizeof *conf);
	conf->user_byte_quota = max;
	assert_int_equal(store_quotas_new(&q, conf, NULL, key), OK);
	return q;
}

static void who_is_over_which_limit(void **state)
{
	static const struct {
		uint64_t total;
		int64_t own, conf;
		bool over;
	} cases[] = {
		{ 999, CONF_LIVE_UNSET, 1000, false }, { 1000, CONF_LIVE_UNSET, 1000, true },
		{ 5000, CONF_LIVE_UNSET, 0, false },   { 1500, 2000, 1000, false },
		{ 2000, 2000, 1000, true },	       { 5000, 0, 1000, false }, /* 0: without limit */
		{ 500, 400, 1000, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct store_usage u = row("2026-11", cases[i].total, cases[i].own, "");
		struct conf conf;
		struct store_quotas *q = fresh(&conf, cases[i].conf);

		assert_int_equal(store_quota_is_over(q, &u, NOW_S), cases[i].over);
		store_quotas_free(q);
	}
}

/* What is delivered late, out of a file perhaps, is of a window that is over. */
static void the_past_ends_nothing(void **state)
{
	static const struct {
		const char *period, *own;
		enum conf_period usual;
		bool over;
	} cases[] = {
		{ "2026-11", "", CONF_PERIOD_MONTH, true },	{ "2026-10", "", CONF_PERIOD_MONTH, false },
		{ "2026-11-24", "", CONF_PERIOD_DAY, true },	{ "2026-11-23", "", CONF_PERIOD_DAY, false },
		{ "2026-11", "", CONF_PERIOD_DAY, false },	{ "2026-11-24", "day", CONF_PERIOD_MONTH, true },
		{ "2026-11", "day", CONF_PERIOD_MONTH, false }, { "2026-11-24", "30d", CONF_PERIOD_DAY, false },
		{ "2026-11-23", "30d", CONF_PERIOD_DAY, false }, { "2026-11-03", "30d", CONF_PERIOD_DAY, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct store_usage u = row(cases[i].period, 5000, 1000, cases[i].own);
		struct conf conf;
		struct store_quotas *q = fresh(&conf, 0);

		conf.byte_quota_period = (int)cases[i].usual;
		assert_int_equal(store_quota_is_over(q, &u, NOW_S), cases[i].over);
		store_quotas_free(q);
	}
}

static void near_and_over_are_told_once_a_window(void **state)
{
	static const struct {
		const char *period;
		int64_t now;
		uint64_t total, near, over; /* so far */
	} steps[] = {
		{ "2026-11", NOW_S, 899, 0, 0 },		 { "2026-11", NOW_S, 900, 1, 0 },
		{ "2026-11", NOW_S, 950, 1, 0 },		 { "2026-11", NOW_S, 1000, 1, 1 },
		{ "2026-11", NOW_S, 1001, 1, 1 },		 { "2026-12", NOW_S + 10 * 86400, 900, 2, 1 },
		{ "2026-12", NOW_S + 10 * 86400, 2000, 2, 2 },
	};
	struct conf conf;
	struct store_quotas *q = fresh(&conf, 1000);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct store_usage u = row(steps[i].period, steps[i].total, CONF_LIVE_UNSET, "");

		store_quota_is_over(q, &u, steps[i].now);
		assert_int_equal(store_quota_near(q), steps[i].near);
		assert_int_equal(store_quota_over(q), steps[i].over);
	}
	store_quotas_free(q);
}

static void limits_are_news_when_they_change(void **state)
{
	const struct str r = STR_LIT("r"), a = STR_LIT("alice"), b = STR_LIT("bob");
	struct store_limits none = store_limits_none(), some = none;
	struct conf conf;
	struct store_quotas *q = fresh(&conf, 0);

	(void)state;
	some.max_bps = 1000;
	assert_false(store_quota_is_news(q, r, a, &none));
	assert_true(store_quota_is_news(q, r, a, &some));
	store_quota_learn(q, r, a, &some);
	assert_false(store_quota_is_news(q, r, a, &some));
	assert_true(store_quota_is_news(q, r, b, &some));
	assert_true(store_quota_is_news(q, STR_LIT("other"), a, &some));
	assert_true(store_quota_is_news(q, r, a, &none)); /* taken back */
	store_quota_learn(q, r, a, &none);
	assert_false(store_quota_is_news(q, r, a, &none));
	store_quotas_free(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_over_which_limit),
		cmocka_unit_test(the_past_ends_nothing),
		cmocka_unit_test(near_and_over_are_told_once_a_window),
		cmocka_unit_test(limits_are_news_when_they_change),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

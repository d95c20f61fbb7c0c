#include "conf/period.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bug.h"

static void windows_have_names(void **state)
{
	static const struct {
		enum conf_period period;
		int64_t at;
		const char *name;
	} row[] = {
		{ CONF_PERIOD_MONTH, 1795478400, "2026-11" }, /* 2026-11-24 00:00:00 UTC */
		{ CONF_PERIOD_MONTH, 1796083199, "2026-11" }, /* the last second of it */
		{ CONF_PERIOD_MONTH, 1796083200, "2026-12" },
		{ CONF_PERIOD_DAY, 1795478400, "2026-11-24" },
		{ CONF_PERIOD_DAY, 1795478399, "2026-11-23" },
		{ CONF_PERIOD_30D, 0, "1970-01-01" },
		{ CONF_PERIOD_30D, 30 * 86400 - 1, "1970-01-01" },
		{ CONF_PERIOD_30D, 30 * 86400, "1970-01-31" },
	};
	char name[CONF_PERIOD_NAME];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		assert_string_equal(conf_period_name(row[i].period, row[i].at, name), row[i].name);
}

static void words_are_those_of_the_option(void **state)
{
	static const struct {
		const char *word;
		bool is_one;
		enum conf_period period;
	} row[] = {
		{ "month", true, CONF_PERIOD_MONTH },
		{ "day", true, CONF_PERIOD_DAY },
		{ "30d", true, CONF_PERIOD_30D },
		{ "", false, CONF_PERIOD_DAY },
		{ "Day", false, CONF_PERIOD_DAY },
		{ "31d", false, CONF_PERIOD_DAY },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		enum conf_period p = CONF_PERIOD_DAY;

		assert_int_equal(conf_period_find(row[i].word, &p), row[i].is_one);
		assert_int_equal(p, row[i].period); /* untouched when it is none */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_have_names),
		cmocka_unit_test(words_are_those_of_the_option),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "store/op.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bug.h"

enum { U = CONF_LIVE_UNSET };

static void words_are_read_and_written(void **state)
{
	static const struct {
		const char *text;
		bool good;
		struct store_limits l;
		const char *printed; /* NULL: as it was */
	} cases[] = {
		{ "", true, { U, U, U, "" }, NULL },
		{ "max_allocations=10", true, { 10, U, U, "" }, NULL },
		{ "max_bps=0", true, { U, 0, U, "" }, NULL },
		{ "max_allocations=1 max_bps=2 max_bytes=3 period=30d", true, { 1, 2, 3, "30d" }, NULL },
		{ "period=day  max_bytes=3 ", true, { U, U, 3, "day" }, "max_bytes=3 period=day" },
		{ "max_bytes=123456789012345678", true, { U, U, 123456789012345678, "" }, NULL },
		{ "max_bytes=1234567890123456789", false, { 0 }, NULL },
		{ "max_bytes=-1", false, { 0 }, NULL },
		{ "max_bytes=", false, { 0 }, NULL },
		{ "max_bytes", false, { 0 }, NULL },
		{ "max_bytes=1x", false, { 0 }, NULL },
		{ "period=7d", false, { 0 }, NULL },
		{ "period=a-very-long-word", false, { 0 }, NULL },
		{ "max=1", false, { 0 }, NULL },
		{ "=1", false, { 0 }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct store_limits l = { 7, 7, 7, "x" };
		char why[128] = "", text[256];

		assert_int_equal(store_limits_parse(str_of(cases[i].text), &l, why), cases[i].good);
		assert_int_equal(why[0] == '\0', cases[i].good);
		if (!cases[i].good) {
			assert_int_equal(l.max_bps, 7); /* untouched */
			continue;
		}
		assert_true(store_limits_eq(&l, &cases[i].l));
		store_limits_print(&l, text, sizeof text);
		assert_string_equal(text, cases[i].printed ? cases[i].printed : cases[i].text);
	}
}

static void a_window_is_of_ones_own_kind_or_the_usual(void **state)
{
	static const struct {
		const char *own, *window;
	} cases[] = { { "", "2026-W48" }, { "day", "2026-11-24" }, { "month", "2026-11" }, { "30d", "2026-11-03" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct store_limits l = store_limits_none();
		char window[CONF_PERIOD_NAME];

		strcpy(l.period, cases[i].own);
		assert_string_equal(store_limits_window(&l, "2026-W48", 1795478400, window), cases[i].window);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_read_and_written),
		cmocka_unit_test(a_window_is_of_ones_own_kind_or_the_usual),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bug.h"
#include "conf/value.h"

static void booleans_are_coturns(void **state)
{
	static const struct {
		const char *text;
		enum err e;
		bool value;
	} row[] = {
		{ "", OK, true },
		{ "yes", OK, true },
		{ "Y", OK, true },
		{ "true", OK, true },
		{ "on", OK, true },
		{ "ON", OK, true },
		{ "1", OK, true },
		{ "9", OK, true },
		{ "0", OK, false },
		{ "no", OK, false },
		{ "N", OK, false },
		{ "false", OK, false },
		{ "off", OK, false },
		{ "OFF", OK, false },
		{ "o", ERR_MALFORMED, false },
		{ "maybe", ERR_MALFORMED, false },
		{ "-1", ERR_MALFORMED, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		bool value = !row[i].value;

		assert_int_equal(conf_value_bool(str_of(row[i].text), &value), row[i].e);
		if (row[i].e == OK)
			assert_int_equal(value, row[i].value);
	}
}

struct number {
	const char *text;
	enum err e;
	int64_t value;
};

static void check_numbers(const struct number *row, size_t n,
			  enum err (*parse)(struct str text, int64_t *out))
{
	for (size_t i = 0; i < n; i++) {
		int64_t value = -77;
		enum err e = parse(str_of(row[i].text), &value);

		if (e != row[i].e || value != (e ? -77 : row[i].value))
			fail_msg("\"%s\": %s, %lld", row[i].text, err_text(e),
				 (long long)value);
	}
}

static void numbers_are_whole_and_bounded(void **state)
{
	static const struct number row[] = {
		{ "0", OK, 0 },
		{ "65535", OK, 65535 },
		{ "-1", OK, -1 },
		{ "007", OK, 7 },
		{ "9223372036854775807", OK, INT64_MAX },
		{ "9223372036854775808", ERR_RANGE, 0 },
		{ "99999999999999999999999", ERR_RANGE, 0 },
		{ "", ERR_MALFORMED, 0 },
		{ "-", ERR_MALFORMED, 0 },
		{ "--1", ERR_MALFORMED, 0 },
		{ "+1", ERR_MALFORMED, 0 },
		{ "1x", ERR_MALFORMED, 0 },
		{ "0x10", ERR_MALFORMED, 0 },
		{ "1 000", ERR_MALFORMED, 0 },
		{ "1.5", ERR_MALFORMED, 0 },
	};

	(void)state;
	check_numbers(row, ARRAY_LEN(row), conf_value_int);
}

static void sizes_have_units(void **state)
{
	static const struct number row[] = {
		{ "1500", OK, 1500 },
		{ "2K", OK, 2000 },
		{ "2k", OK, 2000 },
		{ "2KB", OK, 2000 },
		{ "2Ki", OK, 2048 },
		{ "2KiB", OK, 2048 },
		{ "3M", OK, 3000000 },
		{ "3Mi", OK, 3145728 },
		{ "1G", OK, 1000000000 },
		{ "1Gi", OK, 1073741824 },
		{ "7B", OK, 7 },
		{ "8589934591Gi", OK, 8589934591 * 1073741824 },
		{ "8589934592Gi", ERR_RANGE, 0 },
		{ "9223372036854775808", ERR_RANGE, 0 },
		{ "K", ERR_MALFORMED, 0 },
		{ "1T", ERR_MALFORMED, 0 },
		{ "1 K", ERR_MALFORMED, 0 },
		{ "1KiBB", ERR_MALFORMED, 0 },
		{ "-1K", ERR_MALFORMED, 0 },
		{ "1s", ERR_MALFORMED, 0 },
	};

	(void)state;
	check_numbers(row, ARRAY_LEN(row), conf_value_size);
}

static void times_have_units(void **state)
{
	static const struct number row[] = {
		{ "600", OK, 600 },
		{ "30s", OK, 30 },
		{ "5m", OK, 300 },
		{ "2h", OK, 7200 },
		{ "1d", OK, 86400 },
		{ "106751991167300d", OK, 106751991167300 * 86400 },
		{ "106751991167301d", ERR_RANGE, 0 },
		{ "", ERR_MALFORMED, 0 },
		{ "5ms", ERR_MALFORMED, 0 },
		{ "5K", ERR_MALFORMED, 0 },
		{ "1h30m", ERR_MALFORMED, 0 },
		{ "-5s", ERR_MALFORMED, 0 },
	};

	(void)state;
	check_numbers(row, ARRAY_LEN(row), conf_value_time);
}

static void words_are_whole(void **state)
{
	static const struct {
		const char *text;
		enum err e;
		int index;
	} row[] = {
		{ "text", OK, 0 },
		{ "json", OK, 1 },
		{ "yaml", OK, 2 },
		{ "tex", ERR_MALFORMED, 0 },
		{ "", ERR_MALFORMED, 0 },
		{ "text|json", ERR_MALFORMED, 0 },
		{ "JSON", ERR_MALFORMED, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		int index = -1;

		assert_int_equal(conf_value_enum(str_of(row[i].text), "text|json|yaml", &index),
				 row[i].e);
		assert_int_equal(index, row[i].e ? -1 : row[i].index);
	}
}

static void examples_of_the_readme_are_known(void **state)
{
	(void)state;
	assert_true(conf_value_is_example(STR_LIT("PUT-A-RANDOM-TOKEN-HERE")));
	assert_true(conf_value_is_example(STR_LIT("PUT--HERE")));
	assert_false(conf_value_is_example(STR_LIT("PUT-HERE"))); /* the hyphen is not there twice */
	assert_false(conf_value_is_example(STR_LIT("PUT-A-TOKEN")));
	assert_false(conf_value_is_example(STR_LIT("A-TOKEN-HERE")));
	assert_false(conf_value_is_example(STR_LIT("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(booleans_are_coturns),
		cmocka_unit_test(numbers_are_whole_and_bounded),
		cmocka_unit_test(sizes_have_units),
		cmocka_unit_test(times_have_units),
		cmocka_unit_test(words_are_whole),
		cmocka_unit_test(examples_of_the_readme_are_known),
	};

	return cmocka_run_group_tests_name("conf_value", tests, NULL, NULL);
}

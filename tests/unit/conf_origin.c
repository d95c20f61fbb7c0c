/* src/conf/origin.c: one spelling for what means one origin, and no other for what does not. */
#include "conf/origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void spellings(void **state)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
		{ "https://a.example", "https://a.example" },
		{ "HTTPS://A.Example", "https://a.example" },
		{ "https://a.example:443", "https://a.example" },
		{ "https://a.example:443/", "https://a.example" },
		{ "https://a.example/path?x=1:443", "https://a.example" },
		{ "http://a.example:80", "http://a.example" },
		{ "http://a.example:443", "http://a.example:443" },
		{ "https://a.example:8443", "https://a.example:8443" },
		{ "https://[2001:db8::1]", "https://[2001:db8::1]" },
		{ "https://[2001:db8::443]:443", "https://[2001:db8::443]" },
		{ "wss://a.example:443", "wss://a.example" },
		{ "ftp://a.example:21", "ftp://a.example:21" },
		{ "https://", "https://" },
		{ "https://:443", "https://" },
		{ "://a", "://a" }, /* no scheme */
		{ "Some Text", "Some Text" },
		{ "", "" },
	};
	char out[CONF_ORIGIN_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct str got = conf_origin_canon(str_of(rows[i].from), out);

		if (!str_eq(got, str_of(rows[i].to)))
			fail_msg("%s is %.*s, not %s", rows[i].from, STR_ARG(got), rows[i].to);
		/* it is its own spelling */
		assert_true(str_eq(conf_origin_canon(str_of(rows[i].to), out), str_of(rows[i].to)));
	}
}

static void the_longest_and_one_byte_more(void **state)
{
	char text[CONF_ORIGIN_MAX + 1], out[CONF_ORIGIN_MAX];

	(void)state;
	memset(text, 'a', sizeof text);
	memcpy(text, "https://", 8);
	assert_int_equal(conf_origin_canon((struct str){ text, CONF_ORIGIN_MAX }, out).len, CONF_ORIGIN_MAX);
	assert_int_equal(conf_origin_canon((struct str){ text, sizeof text }, out).len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spellings),
		cmocka_unit_test(the_longest_and_one_byte_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

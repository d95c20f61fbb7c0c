/* src/auth/rest.c: time-limited credentials, draft-uberti-behave-turn-rest-00 s.2.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/rest.h"
#include "base/bug.h"

static int setup(void **state)
{
	return crypto_new((struct crypto **)state);
}

static int teardown(void **state)
{
	crypto_free(*state);
	return 0;
}

static const struct {
	const char *name;
	char separator;
	bool good;
	const char *user;
	int64_t expires_s;
} names[] = {
	{ "1700000000:alice", ':', true, "alice", 1700000000 },
	{ "alice:1700000000", ':', true, "alice", 1700000000 },
	{ "1700000000", ':', true, "", 1700000000 },
	{ "1700000000:", ':', true, "", 1700000000 },
	{ ":1700000000", ':', true, "", 1700000000 },
	/* the first separator ends the expiry, the rest is the user's */
	{ "1700000000:a:b", ':', true, "a:b", 1700000000 },
	/* both could be: the front wins */
	{ "1700000000:1800000000", ':', true, "1800000000", 1700000000 },
	{ "1700000000#alice", '#', true, "alice", 1700000000 },
	{ "0:alice", ':', true, "alice", 0 },
	{ "999999999999999999:alice", ':', true, "alice", 999999999999999999 },
	/* no number, or one that does not fit */
	{ "1000000000000000000:alice", ':', false, "", 0 },
	{ "18446744073709551617:alice", ':', false, "", 0 },
	{ "-1:alice", ':', false, "", 0 },
	{ "+1:alice", ':', false, "", 0 },
	{ " 1:alice", ':', false, "", 0 },
	{ "1700000000x:alice", ':', false, "", 0 },
	{ "a:b:1700000000", ':', false, "", 0 },
	{ "1700000000#alice", ':', false, "", 0 },
	{ "alice", ':', false, "", 0 },
	{ ":", ':', false, "", 0 },
	{ "", ':', false, "", 0 },
};

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct auth_rest r = { { "untouched", 9 }, -7 };

		if (auth_rest_parse(str_of(names[i].name), names[i].separator, &r) != names[i].good)
			fail_msg("\"%s\" is%s a name", names[i].name, names[i].good ? "" : " not");
		if (!names[i].good)
			continue;
		assert_true(str_eq(r.user, str_of(names[i].user)));
		assert_int_equal(r.expires_s, names[i].expires_s);
	}
}

/* Computed with another implementation. */
static void test_password(void **state)
{
	static const struct {
		const char *secret, *name, *password;
	} row[] = {
		{ "north", "1433895918:ninefingers", "jy8hTxmOO7UtEKXqSkSlvakPVYA=" },
		{ "logen", "1433895918:ninefingers", "HY+Vd729N0UZ/xCzjg1F0GsoMK8=" },
		{ "", "1", "nq0XwTu1W/PiJ/j+Yl83j0JCEDg=" },
	};
	char out[AUTH_REST_PASSWORD_LEN + 1];

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		assert_int_equal(auth_rest_password(*state, str_of(row[i].secret), str_of(row[i].name), out),
				 OK);
		assert_string_equal(out, row[i].password);
	}
}

/* MD5("1433895918:ninefingers:example.org:jy8hTxmOO7UtEKXqSkSlvakPVYA=") */
static void test_key(void **state)
{
	static const uint8_t expected[AUTH_KEY_LEN] = { 0x6b, 0xed, 0x1a, 0x28, 0x4b, 0x6a,
							0x54, 0x42, 0xfa, 0xf9, 0x3e, 0x90,
							0xf2, 0xb4, 0x36, 0x5d };
	uint8_t key[AUTH_KEY_LEN];

	assert_int_equal(auth_rest_key(*state, STR_LIT("north"), STR_LIT("1433895918:ninefingers"),
				       STR_LIT("example.org"), key),
			 OK);
	assert_memory_equal(key, expected, sizeof key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test_setup_teardown(test_password, setup, teardown),
		cmocka_unit_test_setup_teardown(test_key, setup, teardown),
	};

	return cmocka_run_group_tests_name("auth_rest", tests, NULL, NULL);
}

/* src/auth/longterm.c: RFC 8489 s.9.2.2, the key of a long-term credential. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/longterm.h"

static int setup(void **state)
{
	return crypto_new((struct crypto **)state);
}

static int teardown(void **state)
{
	crypto_free(*state);
	return 0;
}

/* The RFC's own example: user, realm, pass. */
static void test_example_of_the_rfc(void **state)
{
	static const uint8_t expected[AUTH_KEY_LEN] = { 0x84, 0x93, 0xfb, 0xc5, 0x3b, 0xa5,
							0x82, 0xfb, 0x4c, 0x04, 0x4c, 0x45,
							0x6b, 0xdc, 0x40, 0xeb };
	uint8_t key[AUTH_KEY_LEN];

	assert_int_equal(auth_longterm_key(*state, STR_LIT("user"), STR_LIT("realm"), STR_LIT("pass"), key),
			 OK);
	assert_memory_equal(key, expected, sizeof key);
}

static void test_every_part_counts(void **state)
{
	static const struct {
		const char *user, *realm, *password;
	} other[] = {
		{ "User", "realm", "pass" }, { "user", "Realm", "pass" }, { "user", "realm", "Pass" },
		{ "", "realm", "pass" },     { "user", "", "pass" },	  { "user", "realm", "" },
	};
	uint8_t key[AUTH_KEY_LEN], one[AUTH_KEY_LEN];

	assert_int_equal(auth_longterm_key(*state, STR_LIT("user"), STR_LIT("realm"), STR_LIT("pass"), one),
			 OK);
	for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
		assert_int_equal(auth_longterm_key(*state, str_of(other[i].user), str_of(other[i].realm),
						   str_of(other[i].password), key),
				 OK);
		assert_memory_not_equal(key, one, sizeof key);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_example_of_the_rfc, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_part_counts, setup, teardown),
	};

	return cmocka_run_group_tests_name("auth_longterm", tests, NULL, NULL);
}

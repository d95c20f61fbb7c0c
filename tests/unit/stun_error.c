/* src/stun/error.c and the table behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bug.h"
#include "stun/msg.h"

static void test_text(void **state)
{
	(void)state;
	assert_true(str_eq(stun_error_text(401), STR_LIT("Unauthenticated")));
	assert_true(str_eq(stun_error_text(438), STR_LIT("Stale Nonce")));
	assert_true(str_eq(stun_error_text(486), STR_LIT("Allocation Quota Reached")));
	assert_true(str_eq(stun_error_text(508), STR_LIT("Insufficient Capacity")));
	assert_true(str_eq(stun_error_text(499), STR_LIT("Error")));
	assert_true(str_eq(stun_error_text(0), STR_LIT("Error")));
	assert_true(str_eq(stun_error_text(UINT32_MAX), STR_LIT("Error")));
}

/* every code can stand in an ERROR-CODE, and its reason is short enough (RFC 8489 s.14.8) */
static void test_table(void **state)
{
	static const struct {
		unsigned code;
		struct str reason;
	} row[] = {
#define ERRCODE(code, reason, rfc) { code, STR_LIT(reason) },
#include "stun/error.def"
#undef ERRCODE
	};
	unsigned last = 0;

	(void)state;
	assert_int_equal(ARRAY_LEN(row), 18);
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		assert_in_range(row[i].code, 300, 699);
		assert_true(row[i].code > last);
		last = row[i].code;
		assert_in_range(row[i].reason.len, 1, 127);
		assert_true(str_eq(stun_error_text(row[i].code), row[i].reason));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

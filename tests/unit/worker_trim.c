/* When memory is given back to the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bug.h"
#include "worker/trim.h"

static void after_enough_have_gone_and_not_too_often(void **state)
{
	static const struct {
		uint64_t gone;
		tick now;
		bool due;
	} row[] = {
		{ 0, 1000, false },	{ 63, 2000, false },	 { 64, 3000, true },
		{ 64, 30000, false },	{ 127, 31000, false },	 { 128, 32000, true },
		{ 500, 41999, false },	{ 500, 42000, true },	 { 500, 90000, false },
		{ 100000, 91000, true }, { 200000, 92000, false }, { 200000, 101000, true },
	};
	struct worker_trim t;

	(void)state;
	worker_trim_init(&t, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		if (worker_trim_is_due(&t, row[i].gone, row[i].now) != row[i].due)
			fail_msg("row %zu", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_enough_have_gone_and_not_too_often),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

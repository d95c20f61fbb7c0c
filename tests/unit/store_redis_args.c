#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bug.h"
#include "store/redis_args.h"

#define LIT(s) { s, sizeof(s) - 1 }

static struct str arg(const struct store_redis_args *a, size_t i)
{
	size_t from = i ? a->ends[i - 1] : 0;

	assert_true(i < a->n);
	return (struct str){ a->bytes + from, a->ends[i] - from };
}

static void the_realm_alone_is_the_hash_tag(void **state)
{
	static const struct {
		struct str realm, user, key;
	} rows[] = {
		{ LIT("r"), LIT("u"), LIT("taciturn:{r}:alloc:u") },
		{ LIT("a}b{c"), LIT("x{y}"), LIT("taciturn:{a%7Db%7Bc}:alloc:x%7By%7D") },
		{ LIT("50%"), LIT("a\nb"), LIT("taciturn:{50%25}:alloc:a%0Ab") },
		{ LIT("r"), LIT(""), LIT("taciturn:{r}:alloc:") },
		{ LIT("r"), { NULL, 0 }, LIT("taciturn:{r}:alloc") },
		{ LIT("caf\xc3\xa9"), LIT("a\0b"), LIT("taciturn:{caf\xc3\xa9}:alloc:a%00b") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store_redis_args a;

		store_redis_args_init(&a);
		store_redis_args_own(&a, rows[i].realm, "alloc", rows[i].user);
		assert_true(str_eq(arg(&a, 0), rows[i].key));
		store_redis_args_fini(&a);
	}
}

static void coding_is_undone(void **state)
{
	char text[256], out[sizeof text * 3];
	struct store_redis_args a;
	struct str s = { text, sizeof text };

	(void)state;
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)i;
	store_redis_args_init(&a);
	store_redis_args_put_coded(&a, s);
	store_redis_args_end(&a);
	assert_true(arg(&a, 0).len <= sizeof out);
	assert_true(str_eq(store_redis_args_decode(arg(&a, 0), out), s));
	store_redis_args_fini(&a);
}

static void what_is_special_to_scan_is_escaped(void **state)
{
	struct store_redis_args a;

	(void)state;
	store_redis_args_init(&a);
	store_redis_args_put_literal(&a, STR_LIT("a*b?[c]\\{"), false);
	store_redis_args_end(&a);
	store_redis_args_put_literal(&a, STR_LIT("*{"), true);
	store_redis_args_end(&a);
	assert_true(str_eq(arg(&a, 0), STR_LIT("a\\*b\\?\\[c\\]\\\\{")));
	assert_true(str_eq(arg(&a, 1), STR_LIT("\\*%7B")));
	store_redis_args_fini(&a);
}

static void many_and_long_ones_fit(void **state)
{
	struct store_redis_args a;
	char text[1000];

	(void)state;
	memset(text, 'x', sizeof text);
	store_redis_args_init(&a);
	for (size_t i = 0; i < 1000; i++)
		store_redis_args_add(&a, (struct str){ text, i });
	store_redis_args_u64(&a, UINT64_MAX);
	store_redis_args_i64(&a, INT64_MIN);
	assert_false(a.failed);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(arg(&a, i).len, i);
	assert_true(str_eq(arg(&a, 1000), STR_LIT("18446744073709551615")));
	assert_true(str_eq(arg(&a, 1001), STR_LIT("-9223372036854775808")));
	store_redis_args_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_realm_alone_is_the_hash_tag),
		cmocka_unit_test(coding_is_undone),
		cmocka_unit_test(what_is_special_to_scan_is_escaped),
		cmocka_unit_test(many_and_long_ones_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

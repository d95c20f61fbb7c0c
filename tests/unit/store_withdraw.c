/* src/store/withdraw.c: only secrets that are gone and marked are told of, and again until somebody listened. */
#include "store/withdraw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct conf_live *snapshot(const char *const *secrets, const char *marked)
{
	static const uint64_t key[2] = { 1, 2 };
	char mark[STORE_WITHDRAW_MARK_LEN + 1];
	struct conf_live *l;

	assert_int_equal(conf_live_new(&l, key), OK);
	for (; *secrets; secrets++)
		assert_int_equal(conf_live_add_secret(l, STR_LIT("r"), str_of(*secrets)), OK);
	if (marked) {
		assert_int_equal(store_withdraw_mark(STR_LIT("r"), str_of(marked), mark), OK);
		assert_int_equal(conf_live_add_withdrawn(l, str_of(mark)), OK);
	}
	return l;
}

struct heard {
	bool listens;
	unsigned n;
	char secret[16];
};

static bool on_withdrawn(void *arg, struct str secret)
{
	struct heard *h = arg;

	h->n++;
	memcpy(h->secret, secret.p, secret.len);
	return h->listens;
}

static void what_is_gone_and_marked_is_told(void **state)
{
	static const struct {
		const char *before[3], *now[3], *marked, *told;
	} rows[] = {
		{ { "north", "south" }, { "south" }, "north", "north" },
		{ { "north", "south" }, { "south" }, NULL, NULL },	/* went without its sessions */
		{ { "north", "south" }, { "south" }, "south", NULL },	/* marked, but valid */
		{ { "north", "south" }, { "north", "south" }, "north", NULL },
		{ { "south" }, { "south" }, "north", NULL }, /* a mark of before we came */
		{ { NULL }, { "north" }, "north", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct conf_live *before = snapshot(rows[i].before, NULL);
		struct conf_live *now = snapshot(rows[i].now, rows[i].marked);
		struct heard h = { .listens = true };

		assert_true(store_withdraw_find(before, now, on_withdrawn, &h));
		assert_int_equal(h.n, rows[i].told ? 1 : 0);
		if (rows[i].told)
			assert_string_equal(h.secret, rows[i].told);
		assert_true(store_withdraw_find(NULL, now, on_withdrawn, &h));
		assert_int_equal(h.n, rows[i].told ? 1 : 0);
		h.listens = false;
		assert_int_equal(store_withdraw_find(before, now, on_withdrawn, &h), !rows[i].told);
		conf_live_drop(before);
		conf_live_drop(now);
	}
}

static void a_mark_is_of_one_realm_and_one_secret(void **state)
{
	char a[STORE_WITHDRAW_MARK_LEN + 1], b[STORE_WITHDRAW_MARK_LEN + 1];

	(void)state;
	assert_int_equal(store_withdraw_mark(STR_LIT("r"), STR_LIT("north"), a), OK);
	assert_int_equal(strlen(a), STORE_WITHDRAW_MARK_LEN);
	assert_int_equal(store_withdraw_mark(STR_LIT("r"), STR_LIT("north"), b), OK);
	assert_string_equal(a, b);
	assert_int_equal(store_withdraw_mark(STR_LIT("rn"), STR_LIT("orth"), b), OK);
	assert_string_not_equal(a, b);
	assert_int_equal(store_withdraw_mark(STR_LIT("q"), STR_LIT("north"), b), OK);
	assert_string_not_equal(a, b);
	assert_null(strstr(a, "north"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_gone_and_marked_is_told),
		cmocka_unit_test(a_mark_is_of_one_realm_and_one_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

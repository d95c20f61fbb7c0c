#include "suite.h"
#include "world.h"

#define LIT(s) { s, sizeof(s) - 1 }

static char long_name[STORE_NAME_MAX];

static struct str names[] = {
	LIT("'; DROP TABLE turnusers_lt; --"), LIT("\" OR 1=1 --"),	    LIT("$1"),
	LIT("%s%n%x"),			       LIT("*3\r\n$3\r\nSET\r\n"), LIT("a b\tc"),
	LIT("}x{y"),			       LIT("a%7Db"),		    LIT("*"),
	LIT("[ab]?\\"),			       LIT("a/user/b/key"),	    LIT("a:b:2026-11"),
	LIT("nul\0after"),		       LIT("\xff\xfe\x80"),	    LIT("caf\xc3\xa9"),
	{ long_name, sizeof long_name },
};

enum { N_NAMES = sizeof names / sizeof *names };

static void key_for(size_t i, char text[33])
{
	snprintf(text, 33, "%032zx", i + 1);
}

/* Carried as it is, or refused; never taken for another one, and nothing else happens. */
static void each_name_is_its_own_or_refused(bool as_realm)
{
	struct str other = world_realm();
	bool kept[N_NAMES] = { false };

	memset(long_name, 'x', sizeof long_name);
	for (size_t i = 0; i < N_NAMES; i++) {
		struct str realm = as_realm ? names[i] : other, user = as_realm ? other : names[i];
		enum store_status s;
		char text[33];

		key_for(i, text);
		s = world_admin(STORE_ADMIN_SET, STORE_ADMIN_USER, realm, user, str_of(text));
		assert_true(s == STORE_OK || s == STORE_REFUSED);
		kept[i] = s == STORE_OK;
	}
	for (size_t i = 0; i < N_NAMES; i++) {
		struct asked *a = asked_new(STORE_KEY, as_realm ? names[i] : other, as_realm ? other : names[i]);
		enum store_status s = asked_of(a, world.b);
		uint8_t want[STORE_KEY_LEN] = { 0 };

		want[STORE_KEY_LEN - 1] = (uint8_t)(i + 1);
		assert_true(kept[i] ? s == STORE_OK : s != STORE_OK);
		if (kept[i])
			assert_memory_equal(a->op.key, want, sizeof want);
		asked_free(a);
	}
	/* plain text is carried by all of them */
	assert_true(kept[0] && kept[3] && kept[5] && kept[14]);
}

static void user_names_are_data(void **state)
{
	(void)state;
	each_name_is_its_own_or_refused(false);
}

static void realms_are_data(void **state)
{
	(void)state;
	each_name_is_its_own_or_refused(true);
}

static void lists_give_names_back(void **state)
{
	struct str realm = world_realm();

	(void)state;
	for (size_t i = 0; i < N_NAMES; i++) {
		enum store_status s = world_admin(STORE_ADMIN_SET, STORE_ADMIN_LIMIT, realm, names[i],
						  STR_LIT("max_allocations=2"));
		struct asked *list;

		if (s == STORE_REFUSED)
			continue;
		assert_int_equal(s, STORE_OK);
		list = world_list(STORE_ADMIN_LIMIT, realm, names[i]);
		assert_int_equal(list->n_rows, 1);
		assert_non_null(asked_row(list, realm, names[i]));
		asked_free(list);
		assert_int_equal(world_admin(STORE_ADMIN_DEL, STORE_ADMIN_LIMIT, realm, names[i], STR_LIT("")), STORE_OK);
	}
}

static void leases_and_usage_of_any_name_are_counted(void **state)
{
	static uint64_t seq;

	(void)state;
	for (size_t i = 0; i < N_NAMES; i++) {
		struct store_usage row = { .realm = names[i], .user = names[i], .period = "2026-11", .rx_bytes = i + 1 };
		struct asked *a = asked_new(STORE_USAGE, names[i], names[i]);
		enum store_status s;

		a->op.node = STR_LIT("hostile");
		a->op.epoch = tick_wall_s();
		a->op.seq = ++seq;
		a->op.usage = &row;
		a->op.n_usage = 1;
		s = asked_of(a, world.b);
		assert_true(s == STORE_OK || s == STORE_REFUSED);
		if (s == STORE_OK)
			assert_true(row.total_bytes >= i + 1);
		asked_free(a);
	}
}

int suite_hostile(void)
{
	const struct CMUnitTest hostile[] = {
		cmocka_unit_test(user_names_are_data),
		cmocka_unit_test(realms_are_data),
		cmocka_unit_test(lists_give_names_back),
		cmocka_unit_test(leases_and_usage_of_any_name_are_counted),
	};

	return cmocka_run_group_tests(hostile, world_open, world_close);
}

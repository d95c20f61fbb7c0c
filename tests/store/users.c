#include "suite.h"
#include "world.h"

static const char key_text[] = "00112233445566778899aabbccddeeff";
static const uint8_t key_bytes[STORE_KEY_LEN] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
						  0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };

static enum store_status key_of(struct str realm, struct str user, uint8_t key[STORE_KEY_LEN])
{
	struct asked *a = asked_new(STORE_KEY, realm, user);
	enum store_status s = asked_of(a, world.b);

	memcpy(key, a->op.key, STORE_KEY_LEN);
	asked_free(a);
	return s;
}

static void a_user_is_set_listed_and_deleted(void **state)
{
	struct str realm = world_realm();
	uint8_t key[STORE_KEY_LEN];
	struct asked *list;

	(void)state;
	assert_int_equal(key_of(realm, STR_LIT("alice"), key), STORE_NONE);
	assert_int_equal(world_admin(STORE_ADMIN_SET, STORE_ADMIN_USER, realm, STR_LIT("alice"), str_of(key_text)),
			 STORE_OK);
	assert_int_equal(key_of(realm, STR_LIT("alice"), key), STORE_OK);
	assert_memory_equal(key, key_bytes, sizeof key);
	assert_int_equal(key_of(realm, STR_LIT("alic"), key), STORE_NONE);
	list = world_list(STORE_ADMIN_USER, realm, STR_LIT(""));
	assert_int_equal(list->n_rows, 1);
	assert_non_null(asked_row(list, realm, STR_LIT("alice")));
	asked_free(list);
	assert_int_equal(world_admin(STORE_ADMIN_DEL, STORE_ADMIN_USER, realm, STR_LIT("alice"), STR_LIT("")), STORE_OK);
	assert_int_equal(key_of(realm, STR_LIT("alice"), key), STORE_NONE);
}

static bool is_withdrawn(const struct conf_live *live, struct str mark)
{
	for (size_t i = 0; i < live->n_withdrawn; i++)
		if (str_eq(live->withdrawn[i], mark))
			return true;
	return false;
}

static void what_is_set_is_in_the_next_snapshot(void **state)
{
	struct str realm = world_realm(), origin = world_realm(), kid = world_realm();
	const struct conf_live_realm *r;
	struct conf_live *live;

	(void)state;
	conf_live_drop(world_live(world.other)); /* it must not remember */
	assert_int_equal(world_admin(STORE_ADMIN_SET, STORE_ADMIN_SECRET, realm, STR_LIT("north"), STR_LIT("")), STORE_OK);
	assert_int_equal(world_admin(STORE_ADMIN_SET, STORE_ADMIN_SECRET, realm, STR_LIT("south"), STR_LIT("")), STORE_OK);
	assert_int_equal(world_admin(STORE_ADMIN_SET, STORE_ADMIN_OPTION, realm, STR_LIT("max-bps"), STR_LIT("1000")),
			 STORE_OK);
	assert_int_equal(world_admin(STORE_ADMIN_SET, STORE_ADMIN_ALLOWED, realm, STR_LIT("10.0.0.1"), STR_LIT("")),
			 STORE_OK);
	assert_int_equal(world_admin(STORE_ADMIN_SET, STORE_ADMIN_DENIED, realm, STR_LIT("10.1.0.0-10.1.0.9"), STR_LIT("")),
			 STORE_OK);
	assert_int_equal(world_admin(STORE_ADMIN_SET, STORE_ADMIN_ORIGIN, STR_LIT(""), origin, realm), STORE_OK);
	assert_int_equal(world_admin(STORE_ADMIN_SET, STORE_ADMIN_OAUTH, realm, kid,
				     STR_LIT("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")), STORE_OK);
	assert_int_equal(world_admin(STORE_ADMIN_SET, STORE_ADMIN_REVOKED, realm, STR_LIT("mallory"), STR_LIT("1700000000")),
			 STORE_OK);
	assert_int_equal(world_admin(STORE_ADMIN_SET, STORE_ADMIN_WITHDRAWN, realm, kid, STR_LIT("1999999999")), STORE_OK);
	live = world_live(world.other);
	assert_true(is_withdrawn(live, kid));
	r = conf_live_find_realm(live, realm);
	assert_non_null(r);
	assert_int_equal(r->n_secrets, 2);
	assert_int_equal(r->max_bps, 1000);
	assert_int_equal(r->user_quota, CONF_LIVE_UNSET);
	assert_int_equal(r->allowed.n, 1);
	assert_int_equal(r->denied.n, 1);
	assert_non_null(conf_live_find_oauth(live, kid));
	assert_int_equal(conf_live_revoked_before(live, realm, STR_LIT("mallory")), 1700000000);
	conf_live_drop(live);
	assert_int_equal(world_admin(STORE_ADMIN_DEL, STORE_ADMIN_SECRET, realm, STR_LIT("north"), STR_LIT("")), STORE_OK);
	assert_int_equal(world_admin(STORE_ADMIN_DEL, STORE_ADMIN_OAUTH, realm, kid, STR_LIT("")), STORE_OK);
	assert_int_equal(world_admin(STORE_ADMIN_DEL, STORE_ADMIN_WITHDRAWN, realm, kid, STR_LIT("")), STORE_OK);
	live = world_live(world.other);
	assert_false(is_withdrawn(live, kid));
	assert_int_equal(conf_live_find_realm(live, realm)->n_secrets, 1);
	assert_true(str_eq(conf_live_find_realm(live, realm)->secrets[0], STR_LIT("south")));
	assert_null(conf_live_find_oauth(live, kid));
	conf_live_drop(live);
}

static void every_list_shows_what_was_set(void **state)
{
	static const struct {
		enum store_admin_what what;
		const char *name, *value, *shown;
	} rows[] = {
		{ STORE_ADMIN_SECRET, "s1", "", "" },
		{ STORE_ADMIN_OPTION, "user-quota", "7", "7" },
		{ STORE_ADMIN_ALLOWED, "192.0.2.1", "", "" },
		{ STORE_ADMIN_DENIED, "192.0.2.2", "", "" },
		{ STORE_ADMIN_REVOKED, "eve", "1700000001", "1700000001" },
		{ STORE_ADMIN_WITHDRAWN, "0123abcd", "1999999999", "1999999999" },
		{ STORE_ADMIN_LIMIT, "eve", "max_allocations=3 period=day", "max_allocations=3 period=day" },
	};
	struct str realm = world_realm();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str name = str_of(rows[i].name);
		struct asked *list;

		assert_int_equal(world_admin(STORE_ADMIN_SET, rows[i].what, realm, name, str_of(rows[i].value)), STORE_OK);
		list = world_list(rows[i].what, realm, STR_LIT(""));
		assert_int_equal(list->n_rows, 1);
		assert_non_null(asked_row(list, realm, name));
		assert_string_equal(asked_row(list, realm, name)->value, rows[i].shown);
		asked_free(list);
		assert_int_equal(world_admin(STORE_ADMIN_DEL, rows[i].what, realm, name, STR_LIT("")), STORE_OK);
		list = world_list(rows[i].what, realm, STR_LIT(""));
		assert_int_equal(list->n_rows, 0);
		asked_free(list);
		assert_int_equal(world_admin(STORE_ADMIN_DEL, rows[i].what, realm, name, STR_LIT("")), STORE_NONE);
	}
}

/* The runner writes rows as coturn's own tools do, with the database's own client. */
static void what_coturn_wrote_is_read(void **state)
{
	const struct conf_live_realm *r;
	const struct conf_live_oauth *k;
	struct conf_live *live;
	uint8_t key[STORE_KEY_LEN];
	struct str realm = STR_LIT("coturn.example");

	(void)state;
	if (!world_control("coturn", NULL, 0))
		skip();
	assert_int_equal(key_of(realm, STR_LIT("gorst"), key), STORE_OK);
	assert_memory_equal(key, key_bytes, sizeof key);
	assert_int_equal(key_of(realm, STR_LIT("short"), key), STORE_NONE);
	/* a connection that has read before may look for new realms only once a minute */
	world_close(NULL);
	world_open(NULL);
	live = world_live(world.b);
	r = conf_live_find_realm(live, realm);
	assert_non_null(r);
	assert_int_equal(r->n_secrets, 2);
	assert_int_equal(r->max_bps, 100000);
	assert_int_equal(r->total_quota, 50);
	assert_int_equal(r->user_quota, 5);
	assert_int_equal(r->allowed.n, 1);
	assert_int_equal(r->denied.n, 1);
	k = conf_live_find_oauth(live, STR_LIT("north"));
	assert_non_null(k);
	assert_int_equal(k->key_len, 32);
	assert_int_equal(k->lifetime_s, 3600);
	assert_true(live->n_origins > 0);
	conf_live_drop(live);
}

static void schema_is_made_once_and_a_newer_one_refused(void **state)
{
	struct asked *a;

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(world_admin(STORE_ADMIN_INIT, STORE_ADMIN_SCHEMA, STR_LIT(""), STR_LIT(""), STR_LIT("")),
				 STORE_OK);
	assert_int_equal(world_admin(STORE_ADMIN_CHECK, STORE_ADMIN_SCHEMA, STR_LIT(""), STR_LIT(""), STR_LIT("")),
			 STORE_OK);
	if (!world_control("newer-schema", NULL, 0))
		skip();
	a = asked_new(STORE_ADMIN, STR_LIT(""), STR_LIT(""));
	a->op.admin_do = STORE_ADMIN_CHECK;
	a->op.admin_what = STORE_ADMIN_SCHEMA;
	assert_int_equal(asked_of(a, world.b), STORE_REFUSED);
	assert_non_null(strstr(a->op.why, "newer"));
	asked_free(a);
	assert_true(world_control("own-schema", NULL, 0));
	assert_int_equal(world_admin(STORE_ADMIN_CHECK, STORE_ADMIN_SCHEMA, STR_LIT(""), STR_LIT(""), STR_LIT("")),
			 STORE_OK);
}

int suite_users(void)
{
	const struct CMUnitTest users[] = {
		cmocka_unit_test(schema_is_made_once_and_a_newer_one_refused),
		cmocka_unit_test(a_user_is_set_listed_and_deleted),
		cmocka_unit_test(what_is_set_is_in_the_next_snapshot),
		cmocka_unit_test(every_list_shows_what_was_set),
		cmocka_unit_test(what_coturn_wrote_is_read),
	};

	return cmocka_run_group_tests(users, world_open, world_close);
}

#include "conf/live.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bug.h"

#define KEY_OF_32 "AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8="

static const uint64_t hash_key[2] = { 1, 2 };

static struct conf_live *make(void)
{
	struct conf_live *l;

	assert_int_equal(conf_live_new(&l, hash_key), OK);
	return l;
}

static struct addr ip(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(str_of(text), 0, &a), OK);
	return a;
}

static void what_was_added_is_found(void **state)
{
	struct conf_live *l = make();
	const struct conf_live_realm *r;
	struct addr inside = ip("192.0.2.9"), outside = ip("192.0.3.9");

	(void)state;
	assert_int_equal(conf_live_add_secret(l, STR_LIT("a"), STR_LIT("one")), OK);
	assert_int_equal(conf_live_add_secret(l, STR_LIT("a"), STR_LIT("two")), OK);
	assert_int_equal(conf_live_add_secret(l, STR_LIT(""), STR_LIT("all")), OK);
	assert_int_equal(conf_live_add_option(l, STR_LIT("a"), STR_LIT("user-quota"), STR_LIT("7")), OK);
	assert_int_equal(conf_live_add_peer(l, STR_LIT("a"), true, STR_LIT("192.0.2.1-192.0.2.10")), OK);
	r = conf_live_find_realm(l, STR_LIT("a"));
	assert_non_null(r);
	assert_int_equal(r->n_secrets, 2);
	assert_true(str_eq(r->secrets[1], STR_LIT("two")));
	assert_int_equal(r->user_quota, 7);
	assert_int_equal(r->max_bps, CONF_LIVE_UNSET);
	assert_true(prefix_has(&r->allowed, &inside));
	assert_false(prefix_has(&r->allowed, &outside));
	assert_false(prefix_has(&r->denied, &inside));
	assert_int_equal(conf_live_find_realm(l, STR_LIT(""))->n_secrets, 1);
	assert_null(conf_live_find_realm(l, STR_LIT("b")));
	assert_null(conf_live_find_realm(NULL, STR_LIT("a")));
	conf_live_drop(l);
}

static void what_makes_no_sense_is_not_added(void **state)
{
	static const struct {
		const char *name, *value;
	} option[] = { { "max-bps", "" },	 { "max-bps", "1x" }, { "max-bps", "-1" },
		       { "max-bps", "9999999999999999999" }, { "colour", "1" } };
	static const char *const range[] = { "", "x", "1.2.3.4-", "1.2.3.4/33", "1.2.3.5-1.2.3.4" };
	struct conf_live *l = make();
	const struct conf_live_oauth key = { .kid = STR_LIT("k") };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(option); i++)
		if (conf_live_add_option(l, STR_LIT("a"), str_of(option[i].name), str_of(option[i].value)) !=
		    ERR_MALFORMED)
			fail_msg("option %zu", i);
	for (size_t i = 0; i < ARRAY_LEN(range); i++)
		if (conf_live_add_peer(l, STR_LIT("a"), false, str_of(range[i])) != ERR_MALFORMED)
			fail_msg("range %zu", i);
	assert_int_equal(conf_live_add_oauth(l, &key, STR_LIT("*")), ERR_MALFORMED);
	assert_int_equal(conf_live_add_oauth(l, &key, STR_LIT("")), ERR_MALFORMED);
	assert_int_equal(l->digest, 0);
	conf_live_drop(l);
}

static void the_latest_revocation_of_a_user_counts(void **state)
{
	struct conf_live *l = make();

	(void)state;
	assert_int_equal(conf_live_add_revoked(l, STR_LIT("a"), STR_LIT("bob"), 50), OK);
	assert_int_equal(conf_live_add_revoked(l, STR_LIT("a"), STR_LIT("bob"), 90), OK);
	assert_int_equal(conf_live_add_revoked(l, STR_LIT("a"), STR_LIT("bob"), 70), OK);
	assert_int_equal(conf_live_revoked_before(l, STR_LIT("a"), STR_LIT("bob")), 90);
	assert_int_equal(conf_live_revoked_before(l, STR_LIT("b"), STR_LIT("bob")), 0);
	assert_int_equal(conf_live_revoked_before(l, STR_LIT("a"), STR_LIT("bo")), 0);
	assert_int_equal(conf_live_revoked_before(NULL, STR_LIT("a"), STR_LIT("bob")), 0);
	conf_live_drop(l);
}

static void an_oauth_key_and_an_origin_are_kept(void **state)
{
	struct conf_live *l = make();
	const struct conf_live_oauth longer = { .kid = STR_LIT("south") }; /* A256GCM */
	const struct conf_live_oauth unknown = { .kid = STR_LIT("south"), .alg = STR_LIT("A256CBC-HS512") };
	const struct conf_live_oauth key = { .kid = STR_LIT("north"), .alg = STR_LIT("A128GCM"), .lifetime_s = 9 };

	(void)state;
	assert_int_equal(conf_live_add_oauth(l, &key, STR_LIT("AAECAwQFBgcICQoLDA0ODw==")), OK);
	assert_int_equal(conf_live_add_oauth(l, &key, STR_LIT("AAECAwQFBgcICQoLDA0O")), ERR_MALFORMED); /* 15 bytes */
	assert_int_equal(conf_live_add_oauth(l, &longer, STR_LIT("AAECAwQFBgcICQoLDA0ODw==")), ERR_MALFORMED);
	assert_int_equal(conf_live_add_oauth(l, &unknown, STR_LIT("AAECAwQFBgcICQoLDA0ODw==")), ERR_MALFORMED);
	assert_int_equal(conf_live_add_origin(l, STR_LIT("https://a.example"), STR_LIT("a")), OK);
	assert_int_equal(conf_live_find_oauth(l, STR_LIT("north"))->key_len, 16);
	assert_int_equal(conf_live_find_oauth(l, STR_LIT("north"))->key[5], 5);
	assert_null(conf_live_find_oauth(l, STR_LIT("south")));
	assert_int_equal(l->n_origins, 1);
	conf_live_drop(l);
}

/* Equal contents are recognised whatever their order, and small differences too. */
static void the_digest_tells_contents_apart(void **state)
{
	static const struct {
		const char *row[2][2]; /* realm and secret */
		bool same;
	} table[] = {
		{ { { "a", "1" }, { "b", "2" } }, true },   { { { "b", "2" }, { "a", "1" } }, true },
		{ { { "a", "2" }, { "b", "1" } }, false },  { { { "a", "12" }, { "b", "" } }, false },
		{ { { "a", "1" }, { "a", "2" } }, false },
	};
	uint64_t first = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct conf_live *l = make();

		for (size_t k = 0; k < 2; k++)
			assert_int_equal(conf_live_add_secret(l, str_of(table[i].row[k][0]),
							      str_of(table[i].row[k][1])), OK);
		first = i ? first : l->digest;
		if ((l->digest == first) != table[i].same)
			fail_msg("row %zu", i);
		conf_live_drop(l);
	}
}

/* A key whose time was cut short is another one, and so is an algorithm. */
static void the_digest_knows_all_of_an_oauth_key(void **state)
{
	static const struct conf_live_oauth table[] = {
		{ .kid = STR_LIT("k") },
		{ .kid = STR_LIT("k"), .alg = STR_LIT("A128GCM") },
		{ .kid = STR_LIT("k"), .timestamp_s = 1700000000 },
		{ .kid = STR_LIT("k"), .lifetime_s = 1700000000 },
		{ .kid = STR_LIT("k"), .realm = STR_LIT("a") },
		{ .kid = STR_LIT("l") },
	};
	uint64_t seen[ARRAY_LEN(table)];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct conf_live *l = make();

		assert_int_equal(conf_live_add_oauth(l, &table[i], STR_LIT(KEY_OF_32)), OK);
		seen[i] = l->digest;
		for (size_t k = 0; k < i; k++)
			if (seen[k] == seen[i])
				fail_msg("rows %zu and %zu", k, i);
		conf_live_drop(l);
	}
}

/* Names of realms go into buffers of their own, and times are added. */
static void rows_beyond_measure_are_left_out(void **state)
{
	static const int64_t times[] = { -1, INT64_MIN, INT64_MAX, (INT64_C(1) << 48) + 1 };
	char text[CONF_LIVE_REALM_MAX + 1];
	const struct str longest = { text, sizeof text - 1 }, longer = { text, sizeof text };
	struct conf_live *l = make();

	(void)state;
	memset(text, 'r', sizeof text);
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		const struct conf_live_oauth from = { .kid = STR_LIT("k"), .timestamp_s = times[i] };
		const struct conf_live_oauth life = { .kid = STR_LIT("k"), .lifetime_s = times[i] };

		assert_int_equal(conf_live_add_oauth(l, &from, STR_LIT(KEY_OF_32)), ERR_MALFORMED);
		assert_int_equal(conf_live_add_oauth(l, &life, STR_LIT(KEY_OF_32)), ERR_MALFORMED);
	}
	assert_int_equal(conf_live_add_oauth(l, &(struct conf_live_oauth){ .kid = STR_LIT("k"), .realm = longer },
					     STR_LIT(KEY_OF_32)), ERR_MALFORMED);
	assert_int_equal(conf_live_add_origin(l, STR_LIT("https://a.example"), longer), ERR_MALFORMED);
	assert_int_equal(conf_live_add_origin(l, STR_LIT("https://a.example"), STR_LIT("")), ERR_MALFORMED);
	assert_int_equal(l->digest, 0);
	assert_int_equal(conf_live_add_oauth(l, &(struct conf_live_oauth){ .kid = STR_LIT("k"), .realm = longest },
					     STR_LIT(KEY_OF_32)), OK);
	assert_int_equal(conf_live_add_origin(l, STR_LIT("https://a.example"), longest), OK);
	conf_live_drop(l);
}

static void it_grows_and_lives_as_long_as_it_is_held(void **state)
{
	struct conf_live *l = make();
	char name[16];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "realm%d", i % 50);
		assert_int_equal(conf_live_add_secret(l, str_of(name), str_of(name)), OK);
		snprintf(name, sizeof name, "user%d", i);
		assert_int_equal(conf_live_add_revoked(l, STR_LIT("a"), str_of(name), i + 1), OK);
	}
	assert_int_equal(l->n_realms, 50);
	assert_int_equal(conf_live_find_realm(l, STR_LIT("realm49"))->n_secrets, 20);
	assert_ptr_equal(conf_live_hold(l), l);
	conf_live_drop(l);
	assert_int_equal(conf_live_revoked_before(l, STR_LIT("a"), STR_LIT("user999")), 1000);
	conf_live_drop(l);
	conf_live_drop(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_added_is_found),
		cmocka_unit_test(what_makes_no_sense_is_not_added),
		cmocka_unit_test(the_latest_revocation_of_a_user_counts),
		cmocka_unit_test(an_oauth_key_and_an_origin_are_kept),
		cmocka_unit_test(the_digest_tells_contents_apart),
		cmocka_unit_test(the_digest_knows_all_of_an_oauth_key),
		cmocka_unit_test(rows_beyond_measure_are_left_out),
		cmocka_unit_test(it_grows_and_lives_as_long_as_it_is_held),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

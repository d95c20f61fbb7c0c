#include "conf_said.h"

#include "base/crypto.h"

#define BASE "listening-ip=192.0.2.1\n"

/* The first key is md5sum's of name:realm:password. */
static void keys_are_made_of_name_realm_and_password(void **state)
{
	static const struct {
		const char *name, *hex;
	} row[] = {
		{ "user", "8493fbc53ba582fb4c044c456bdc40eb" },
		{ "alice", "" }, /* see below: a password with colons */
		{ "raw", "0123456789abcdef0123456789abcdef" },
		{ "upper", "0123456789abcdef0123456789abcdef" },
	};
	struct said s;
	struct conf *c = said_load(&s, BASE "realm=realm\nuser=user:pass\nuser=alice:a:b:c\n"
					    "user=raw:0x0123456789abcdef0123456789abcdef\n"
					    "user=upper:0x0123456789ABCDEF0123456789ABCDEF\n");
	struct str parts[] = { STR_LIT("alice:realm:a:b:c") };
	uint8_t alice[CONF_KEY_LEN];
	struct crypto *crypto;

	(void)state;
	assert_true(c->has_credentials);
	assert_int_equal(c->users.n, 4);
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		const struct conf_user *u = conf_user_find(c, str_of(row[i].name));
		char hex[2 * CONF_KEY_LEN + 1] = "";

		assert_non_null(u);
		for (size_t k = 0; *row[i].hex && k < CONF_KEY_LEN; k++)
			snprintf(hex + 2 * k, 3, "%02x", u->key[k]);
		assert_string_equal(hex, row[i].hex);
	}
	assert_int_equal(crypto_new(&crypto), OK);
	assert_int_equal(crypto_digest(crypto, CRYPTO_MD5, parts, 1, alice), OK);
	crypto_free(crypto);
	assert_memory_equal(conf_user_find(c, STR_LIT("alice"))->key, alice, CONF_KEY_LEN);
	assert_null(conf_user_find(c, STR_LIT("bob")));
	assert_null(conf_user_find(c, STR_LIT("")));
	assert_null(conf_user_find(c, STR_LIT("use")));
	conf_drop(c);
}

static void passwords_do_not_stay_in_memory(void **state)
{
	struct said s;
	struct conf *c = said_load(&s, BASE "user=bob:hunter2\n");

	(void)state;
	assert_string_equal(c->user.v[0], "bob");
	assert_memory_equal(c->user.v[0] + 3, "\0\0\0\0\0\0\0\0", 8);
	conf_drop(c);
}

static void malformed_users_are_refused(void **state)
{
	static const struct {
		const char *user, *said;
	} row[] = {
		{ "bob", "text:2: user: expected NAME:PASSWORD" },
		{ ":x", "text:2: user: expected NAME:PASSWORD" },
		{ "bob:", "text:2: user: 'bob' has no password" },
		{ "bob:0x", "text:2: user: 'bob': after 0x" },
		{ "bob:0x0123456789abcdef0123456789abcde", "'bob': after 0x" },
		{ "bob:0x0123456789abcdef0123456789abcdef0", "'bob': after 0x" },
		{ "bob:0x0123456789abcdef0123456789abcdeg", "'bob': after 0x" },
	};
	struct said s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		char text[256];

		snprintf(text, sizeof text, BASE "user=%s\n", row[i].user);
		said_refuse(&s, text, row[i].said);
		assert_int_equal(s.n_errors, 1);
	}
}

static void names_and_realms_have_a_longest_length(void **state)
{
	char text[1024] = BASE "user=";
	size_t n = strlen(text);
	struct said s;

	(void)state;
	memset(text + n, 'u', 508);
	strcpy(text + n + 508, ":p\n");
	conf_drop(said_load(&s, text));
	memset(text + n, 'u', 509);
	strcpy(text + n + 509, ":p\n");
	said_refuse(&s, text, "the name is longer than 508 bytes");
}

static void the_last_of_two_users_wins(void **state)
{
	struct said s;
	struct conf *c = said_load(&s, BASE "user=a:0x00000000000000000000000000000000\n"
					    "user=a:0x11111111111111111111111111111111\n");

	(void)state;
	assert_int_equal(c->users.n, 1);
	assert_int_equal(conf_user_find(c, STR_LIT("a"))->key[0], 0x11);
	said_expect(s.warnings, "text:3: user: 'a' given again");
	conf_drop(c);
}

static void many_users_are_all_found(void **state)
{
	enum { N = 500 };
	char *text = calloc(N + 1, 64), *p = text;
	struct said s;
	struct conf *c;

	(void)state;
	assert_non_null(text);
	p += sprintf(p, BASE);
	for (int i = 0; i < N; i++)
		p += sprintf(p, "user=u%d:0x%032x\n", i, i);
	c = said_load(&s, text);
	for (int i = 0; i < N; i++) {
		const struct conf_user *u;
		char name[16];

		sprintf(name, "u%d", i);
		u = conf_user_find(c, str_of(name));
		assert_non_null(u);
		assert_int_equal(u->key[14] << 8 | u->key[15], i);
	}
	conf_drop(c);
	free(text);
}

static void a_secret_implies_its_option(void **state)
{
	struct said s;
	struct conf *c = said_load(&s, BASE "static-auth-secret=one\nstatic-auth-secret=two\n"
					    "static-auth-secret=one\n");

	(void)state;
	assert_true(c->use_auth_secret);
	assert_true(c->has_credentials);
	assert_int_equal(c->n_secrets, 2);
	assert_true(str_eq(c->secrets[0], STR_LIT("one")));
	assert_true(str_eq(c->secrets[1], STR_LIT("two")));
	said_expect(s.warnings, "text:4: static-auth-secret: the same secret");
	conf_drop(c);
}

static void the_realm_has_a_default(void **state)
{
	struct said s;
	struct conf *c = said_load(&s, BASE "no-auth\n");

	(void)state;
	assert_non_null(c->realm);
	assert_true(strlen(c->realm) > 0);
	assert_string_not_equal(c->realm, "(none)");
	assert_string_not_equal(c->realm, "localhost");
	conf_drop(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_made_of_name_realm_and_password),
		cmocka_unit_test(passwords_do_not_stay_in_memory),
		cmocka_unit_test(malformed_users_are_refused),
		cmocka_unit_test(names_and_realms_have_a_longest_length),
		cmocka_unit_test(the_last_of_two_users_wins),
		cmocka_unit_test(many_users_are_all_found),
		cmocka_unit_test(a_secret_implies_its_option),
		cmocka_unit_test(the_realm_has_a_default),
	};

	return cmocka_run_group_tests_name("conf_users", tests, NULL, NULL);
}

/* src/conf/opaque.c: RFC 8265 s.4.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bug.h"
#include "base/crypto.h"
#include "conf/opaque.h"
#include "conf_said.h"

static const struct {
	const char *why, *text;
	enum conf_opaque result;
	const char *prepared;
} row[] = {
	{ "nothing", "", CONF_OPAQUE_SAME, NULL },
	{ "ASCII", "correct horse battery staple", CONF_OPAQUE_SAME, NULL },
	{ "ASCII's own control characters", "a\tb", CONF_OPAQUE_SAME, NULL },
	{ "composed", "\u00e9t\u00e9", CONF_OPAQUE_SAME, NULL },
	{ "RFC 5769's user name", "\u30de\u30c8\u30ea\u30c3\u30af\u30b9", CONF_OPAQUE_SAME, NULL },
	{ "RFC 8265 s.4.3, example 3", "\u03c0\u00df\u00e5", CONF_OPAQUE_SAME, NULL },
	{ "a symbol", "Jack of \u2666s", CONF_OPAQUE_SAME, NULL },
	{ "no compatibility forms", "\uff21\u2168\u00aa", CONF_OPAQUE_SAME, NULL },
	{ "case stays", "\u03a3\u03c2", CONF_OPAQUE_SAME, NULL },
	{ "an emoji with a joiner", "\U0001F469\u200d\U0001F680", CONF_OPAQUE_SAME, NULL },
	{ "decomposed", "e\u0301te\u0301", CONF_OPAQUE_CHANGED, "\u00e9t\u00e9" },
	{ "marks out of order", "a\u0301\u0323", CONF_OPAQUE_CHANGED, "\u1ea1\u0301" },
	{ "the Angstrom sign", "\u212b", CONF_OPAQUE_CHANGED, "\u00c5" },
	{ "Hangul", "\u1100\u1161", CONF_OPAQUE_CHANGED, "\uac00" },
	{ "other spaces", "foo\u1680bar\u00a0b\u3000z", CONF_OPAQUE_CHANGED, "foo bar b z" },
	{ "a soft hyphen", "The\u00adM", CONF_OPAQUE_REFUSED, NULL },
	{ "a byte order mark", "\ufeffa", CONF_OPAQUE_REFUSED, NULL },
	{ "C1", "a\xc2\x85", CONF_OPAQUE_REFUSED, NULL },
	{ "C0 beside others", "\u00e9\a", CONF_OPAQUE_REFUSED, NULL },
	{ "private use", "\ue000", CONF_OPAQUE_REFUSED, NULL },
	{ "unassigned", "\u0378", CONF_OPAQUE_REFUSED, NULL },
	{ "Latin-1", "\xe9t\xe9", CONF_OPAQUE_REFUSED, NULL },
	{ "cut", "a\xc3", CONF_OPAQUE_REFUSED, NULL },
};

static void texts_are_prepared(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		char *out = NULL;

		if (conf_opaque_prepare(row[i].text, &out) != row[i].result)
			fail_msg("%s", row[i].why);
		if (row[i].prepared)
			assert_string_equal(out, row[i].prepared);
		else
			assert_null(out);
		free(out);
	}
}

/* RFC 8489 s.9.2.2: the account is found by the prepared name, and its key is made of prepared texts. */
static void accounts_are_made_of_prepared_texts(void **state)
{
	struct said s;
	struct conf *c = said_load(&s, "listening-ip=192.0.2.1\nrealm=re\u0301alm\nuser=Ame\u0301lie:mot\u00a0de passe\n");
	const struct conf_user *u = conf_user_find(c, STR_LIT("Am\u00e9lie"));
	struct str parts[] = { STR_LIT("Am\u00e9lie:r\u00e9alm:mot de passe") };
	uint8_t key[CONF_KEY_LEN];
	struct crypto *crypto;

	(void)state;
	assert_string_equal(c->realm, "r\u00e9alm");
	assert_non_null(u);
	assert_int_equal(crypto_new(&crypto), OK);
	assert_int_equal(crypto_digest(crypto, CRYPTO_MD5, parts, 1, key), OK);
	crypto_free(crypto);
	assert_memory_equal(u->key, key, CONF_KEY_LEN);
	conf_drop(c);
}

/* Whoever has such a password already keeps it: clients that do not prepare theirs go on. */
static void what_is_not_allowed_is_taken_as_it_stands(void **state)
{
	struct said s;
	struct conf *c = said_load(&s, "listening-ip=192.0.2.1\nuser=neo:The\u00adM\n");

	(void)state;
	assert_non_null(conf_user_find(c, STR_LIT("neo")));
	conf_drop(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_prepared),
		cmocka_unit_test(accounts_are_made_of_prepared_texts),
		cmocka_unit_test(what_is_not_allowed_is_taken_as_it_stands),
	};

#ifdef HAVE_UNISTRING
	return cmocka_run_group_tests_name("conf_opaque", tests, NULL, NULL);
#else
	(void)tests;
	puts("1..0 # SKIP built without libunistring");
	return 0;
#endif
}

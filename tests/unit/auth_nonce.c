/* src/auth/nonce.c: stateless nonces with the cookie of RFC 8489 s.9.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/nonce.h"
#include "base/bug.h"

enum { T0 = 1700000000, TTL_S = 600 };

static const uint8_t secret[AUTH_NONCE_SECRET_LEN] = "one";
static const uint8_t other_secret[AUTH_NONCE_SECRET_LEN] = "two";

struct fixture {
	struct crypto *c;
	struct auth_nonce n;
	struct addr client;
	char nonce[AUTH_NONCE_LEN]; /* of the client, at T0 */
};

static int setup(void **state)
{
	static struct fixture f;

	if (crypto_new(&f.c) || addr_parse(STR_LIT("198.51.100.1:5000"), 0, &f.client))
		return -1;
	auth_nonce_init(&f.n, secret);
	*state = &f;
	return auth_nonce_make(&f.n, f.c, STR_LIT("realm"), &f.client, T0, 7, f.nonce);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	auth_nonce_fini(&f->n);
	crypto_free(f->c);
	return 0;
}

static enum auth_nonce_state check(struct fixture *f, const struct addr *client, int64_t wall_s,
				   int64_t ttl_s, const char *nonce, size_t len)
{
	return auth_nonce_check(&f->n, f->c, STR_LIT("realm"), client, wall_s, ttl_s,
				(struct str){ nonce, len });
}

/* RFC 8489 s.9.2: "obMatJos2" and base64 of 24 bits, none of them set: AAAA. */
static void test_cookie(void **state)
{
	struct fixture *f = *state;

	assert_memory_equal(f->nonce, "obMatJos2AAAA", 13);
	/* s.14.10: fewer than 128 characters; qdtext, so no quote and no backslash */
	assert_true(AUTH_NONCE_LEN < 128);
	for (size_t i = 0; i < AUTH_NONCE_LEN; i++)
		assert_true(f->nonce[i] > 0x20 && f->nonce[i] < 0x7f && f->nonce[i] != '"' &&
			    f->nonce[i] != '\\');
}

static void test_age(void **state)
{
	static const struct {
		int64_t after_s, ttl_s;
		bool fresh;
	} row[] = {
		{ 0, TTL_S, true },
		{ TTL_S - 1, TTL_S, true },
		{ TTL_S + 1, TTL_S, false },
		{ 86400, TTL_S, false },
		/* clocks of a cluster differ a little, not much */
		{ -30, TTL_S, true },
		{ -3600, TTL_S, false },
		/* 0: nonces do not age */
		{ 86400 * 365, 0, true },
		{ 86400, 86400, true },
		{ 86402, 86400, false },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		enum auth_nonce_state s = check(f, &f->client, T0 + row[i].after_s, row[i].ttl_s,
						f->nonce, AUTH_NONCE_LEN);

		assert_int_equal(s, row[i].fresh ? AUTH_NONCE_FRESH : AUTH_NONCE_STALE);
	}
}

/* NATs change ports within one minute; another address is another client. */
static void test_bound_to_the_address_not_the_port(void **state)
{
	static const struct {
		const char *client;
		enum auth_nonce_state state;
	} row[] = {
		{ "198.51.100.1:5000", AUTH_NONCE_FRESH },
		{ "198.51.100.1:5001", AUTH_NONCE_FRESH },
		{ "198.51.100.2:5000", AUTH_NONCE_FOREIGN },
		{ "[::ffff:198.51.100.1]:5000", AUTH_NONCE_FOREIGN },
		{ "[c633:6401::]:5000", AUTH_NONCE_FOREIGN },
	};
	struct fixture *f = *state;
	struct addr a;

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		assert_int_equal(addr_parse(str_of(row[i].client), 0, &a), OK);
		assert_int_equal(check(f, &a, T0, TTL_S, f->nonce, AUTH_NONCE_LEN), row[i].state);
	}
}

/* No other character in any place is accepted, whatever it does to the time. */
static void test_every_character_counts(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < AUTH_NONCE_LEN; i++)
		for (int c = 1; c < 256; c++) {
			char copy[AUTH_NONCE_LEN];

			if ((char)c == f->nonce[i])
				continue;
			memcpy(copy, f->nonce, sizeof copy);
			copy[i] = (char)c;
			if (check(f, &f->client, T0, TTL_S, copy, sizeof copy) == AUTH_NONCE_FRESH)
				fail_msg("character %zu may be %d", i, c);
		}
}

static void test_every_length_but_one_is_foreign(void **state)
{
	struct fixture *f = *state;
	char longer[AUTH_NONCE_LEN + 4];

	memset(longer, '=', sizeof longer);
	memcpy(longer, f->nonce, AUTH_NONCE_LEN);
	for (size_t n = 0; n <= sizeof longer; n++)
		if (n != AUTH_NONCE_LEN)
			assert_int_equal(check(f, &f->client, T0, TTL_S, longer, n), AUTH_NONCE_FOREIGN);
}

/* RFC 8489 s.9.2.4: not the same nonce for two clients; nor for two requests here. */
static void test_each_one_differs(void **state)
{
	struct fixture *f = *state;
	char again[AUTH_NONCE_LEN];

	assert_int_equal(auth_nonce_make(&f->n, f->c, STR_LIT("realm"), &f->client, T0, 8, again), OK);
	assert_memory_not_equal(again, f->nonce, sizeof again);
	assert_int_equal(check(f, &f->client, T0, TTL_S, again, sizeof again), AUTH_NONCE_FRESH);
}

static void test_realm_and_secret_count(void **state)
{
	struct fixture *f = *state;
	struct auth_nonce other;
	struct str nonce = { f->nonce, AUTH_NONCE_LEN };

	assert_int_equal(auth_nonce_check(&f->n, f->c, STR_LIT("other"), &f->client, T0, TTL_S, nonce),
			 AUTH_NONCE_FOREIGN);
	auth_nonce_init(&other, other_secret);
	assert_int_equal(auth_nonce_check(&other, f->c, STR_LIT("realm"), &f->client, T0, TTL_S, nonce),
			 AUTH_NONCE_FOREIGN);
	/* another node of the cluster */
	auth_nonce_init(&other, secret);
	assert_int_equal(auth_nonce_check(&other, f->c, STR_LIT("realm"), &f->client, T0, TTL_S, nonce),
			 AUTH_NONCE_FRESH);
}

/* The key changes at midnight; what was given before stays good for its time. */
static void test_midnight(void **state)
{
	enum { MIDNIGHT = T0 / 86400 * 86400 + 86400 };
	struct fixture *f = *state;
	char before[AUTH_NONCE_LEN], after[AUTH_NONCE_LEN];

	assert_int_equal(auth_nonce_make(&f->n, f->c, STR_LIT("realm"), &f->client, MIDNIGHT - 5, 1, before),
			 OK);
	assert_int_equal(auth_nonce_make(&f->n, f->c, STR_LIT("realm"), &f->client, MIDNIGHT + 5, 1, after),
			 OK);
	assert_memory_not_equal(before + AUTH_NONCE_LEN - 8, after + AUTH_NONCE_LEN - 8, 8);
	for (int i = 0; i < 2; i++) { /* in turn, as requests come */
		assert_int_equal(check(f, &f->client, MIDNIGHT + 10, TTL_S, before, AUTH_NONCE_LEN),
				 AUTH_NONCE_FRESH);
		assert_int_equal(check(f, &f->client, MIDNIGHT + 10, TTL_S, after, AUTH_NONCE_LEN),
				 AUTH_NONCE_FRESH);
	}
}

/* The salt's lower half are milliseconds, whose place is found by the seconds. */
static void test_how_long_ago(void **state)
{
	static const struct {
		int64_t wall_s;
		tick now;
		int64_t age_ms;
	} rows[] = {
		{ T0, 1065000, 0 },	     { T0, 1065250, 250 },	{ T0 + 1, 1065999, 999 },
		{ T0 + 1, 1066001, 1001 },   { T0 + 29, 1094500, 29500 }, { T0 + 30, 1095000, 30000 },
		{ T0 + 31, 1096000, -1 },	     /* too long ago */
		{ T0 + 66, 1065000 + 66000, -1 }, /* the milliseconds have gone round */
		{ T0 - 1, 1065000, -1 },	     /* from tomorrow */
		{ T0 + 2, 1065000 + 9000, -1 },     /* another server's clock */
	};
	struct fixture *f = *state;
	char nonce[AUTH_NONCE_LEN];

	assert_int_equal(auth_nonce_make(&f->n, f->c, STR_LIT("realm"), &f->client, T0,
					 auth_nonce_salt(0xABCDEF01, 1065000), nonce), OK);
	assert_int_equal(auth_nonce_salt(0xABCDEF01, 0x12345) >> 16, 0xABCD);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(auth_nonce_age_ms((struct str){ nonce, sizeof nonce }, rows[i].wall_s, rows[i].now),
				 rows[i].age_ms);
	assert_int_equal(auth_nonce_age_ms((struct str){ nonce, sizeof nonce - 1 }, T0, 1065000), -1);
	memset(nonce + AUTH_NONCE_COOKIE_LEN, '!', 4);
	assert_int_equal(auth_nonce_age_ms((struct str){ nonce, sizeof nonce }, T0, 1065000), -1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_cookie),
		T(test_age),
		T(test_bound_to_the_address_not_the_port),
		T(test_every_character_counts),
		T(test_every_length_but_one_is_foreign),
		T(test_each_one_differs),
		T(test_realm_and_secret_count),
		T(test_midnight),
		T(test_how_long_ago),
	};

	return cmocka_run_group_tests_name("auth_nonce", tests, NULL, NULL);
}

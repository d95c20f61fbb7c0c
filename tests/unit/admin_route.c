/* Which row of route.def a path means, and what a query says. */
#include "admin/route.h"
#include "admin/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bug.h"

enum { NONE = ADMIN_N_ROUTES };

static const struct {
	const char *path;
	unsigned method, route; /* NONE: none */
	unsigned allowed;
	const char *arg;
} paths[] = {
	{ "/healthz", ADMIN_GET, ADMIN_ROUTE_healthz, ADMIN_GET | ADMIN_HEAD, "" },
	{ "/healthz", ADMIN_HEAD, ADMIN_ROUTE_healthz, ADMIN_GET | ADMIN_HEAD, "" },
	{ "/healthz", ADMIN_POST, NONE, ADMIN_GET | ADMIN_HEAD, "" },
	{ "/healthz/", ADMIN_GET, NONE, 0, "" },
	{ "//healthz", ADMIN_GET, NONE, 0, "" },
	{ "/stats", ADMIN_GET, ADMIN_ROUTE_metrics, ADMIN_GET | ADMIN_HEAD, "" },
	{ "/metrics", ADMIN_GET, NONE, 0, "" }, /* it has another name here */
	{ "/api/v1/sessions/a.1.2", ADMIN_GET, ADMIN_ROUTE_session,
	  ADMIN_GET | ADMIN_HEAD | ADMIN_DELETE, "a.1.2" },
	{ "/api/v1/sessions/a%2Fb", ADMIN_DELETE, ADMIN_ROUTE_session_end,
	  ADMIN_GET | ADMIN_HEAD | ADMIN_DELETE, "a%2Fb" },
	{ "/api/v1/sessions/", ADMIN_GET, NONE, 0, "" },
	{ "/api/v1/sessions/..", ADMIN_GET, NONE, 0, "" },
	{ "/api/v1/users/al/quota", ADMIN_PUT, ADMIN_ROUTE_user_quota, ADMIN_PUT, "al" },
	{ "/api/v1/users//quota", ADMIN_PUT, NONE, 0, "" },
	{ "/api/v1/events", ADMIN_HEAD, NONE, ADMIN_GET, "" },
	{ "", ADMIN_GET, NONE, 0, "" },
};

static void a_path_means_one_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct admin_found f = admin_route_find(str_of(paths[i].path), paths[i].method,
							STR_LIT("/stats"));

		assert_int_equal(f.allowed, paths[i].allowed);
		assert_int_equal(f.route ? f.route->id : NONE, paths[i].route);
		assert_true(str_eq(f.arg, str_of(paths[i].arg)));
	}
}

static const struct {
	const char *text;
	enum err e;
	const char *user; /* the parameter of that name; NULL: none */
} queries[] = {
	{ "", OK, NULL },	       { "user=alice", OK, "alice" },
	{ "user", OK, "" },	       { "a=1&user=a%2Fb%20c&&b", OK, "a/b c" },
	{ "user=a=b", OK, "a=b" },     { "user=a&user=b", ERR_MALFORMED, NULL },
	{ "user=%", ERR_MALFORMED, NULL }, { "user=%4", ERR_MALFORMED, NULL },
	{ "user=%00", ERR_MALFORMED, NULL }, { "us%65r=x&user=y", ERR_MALFORMED, NULL },
	{ "a&b&c&d&e&f&g&h&i&j&k&l&m", ERR_RANGE, NULL },
};

static void a_query_is_decoded_or_refused(void **state)
{
	struct admin_query q;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		struct str user;

		assert_int_equal(admin_route_query(str_of(queries[i].text), &q), queries[i].e);
		if (queries[i].e)
			continue;
		user = admin_query_find(&q, "user");
		assert_int_equal(user.p != NULL, queries[i].user != NULL);
		assert_true(str_eq(user, str_of(queries[i].user)));
	}
}

static void what_does_not_fit_is_refused(void **state)
{
	char out[4];
	size_t n = 99;

	(void)state;
	assert_int_equal(admin_route_decode(STR_LIT("abcd"), out, sizeof out, &n), OK);
	assert_int_equal(n, 4);
	n = 99;
	assert_int_equal(admin_route_decode(STR_LIT("abcde"), out, sizeof out, &n), ERR_RANGE);
	assert_int_equal(n, 99);
}

static void a_token_has_its_role(void **state)
{
	struct conf_token tokens[] = { { CONF_ROLE_READ, STR_LIT("read-read-read-r") },
				       { CONF_ROLE_ADMIN, STR_LIT("admin-admin-admi") } };
	struct conf *conf = calloc(1, sizeof *conf);

	(void)state;
	conf->tokens = tokens;
	conf->n_tokens = ARRAY_LEN(tokens);
	assert_int_equal(admin_token_role(conf, NULL), CONF_ROLE_NONE);
	assert_int_equal(admin_token_role(conf, "Bearer "), CONF_ROLE_NONE);
	assert_int_equal(admin_token_role(conf, "Basic read-read-read-r"), CONF_ROLE_NONE);
	assert_int_equal(admin_token_role(conf, "Bearer read-read-read-"), CONF_ROLE_NONE);
	assert_int_equal(admin_token_role(conf, "Bearer read-read-read-r"), CONF_ROLE_READ);
	assert_int_equal(admin_token_role(conf, "bearer admin-admin-admi"), CONF_ROLE_ADMIN);
	free(conf);
}

static void who_may(void **state)
{
	static const struct {
		enum conf_role has;
		bool open, read, mint, admin;
	} rows[] = {
		{ CONF_ROLE_NONE, true, false, false, false },
		{ CONF_ROLE_READ, true, true, false, false },
		{ CONF_ROLE_MINT, true, false, true, false },
		{ CONF_ROLE_ADMIN, true, true, true, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(admin_token_may(rows[i].has, ADMIN_ROLE_OPEN), rows[i].open);
		assert_int_equal(admin_token_may(rows[i].has, ADMIN_ROLE_READ), rows[i].read);
		assert_int_equal(admin_token_may(rows[i].has, ADMIN_ROLE_MINT), rows[i].mint);
		assert_int_equal(admin_token_may(rows[i].has, ADMIN_ROLE_ADMIN), rows[i].admin);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_means_one_row),
		cmocka_unit_test(a_query_is_decoded_or_refused),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(a_token_has_its_role),
		cmocka_unit_test(who_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

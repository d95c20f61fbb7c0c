/* HTTP is known when it is seen, and what is answered holds nothing that a client could smuggle in. */
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bug.h"
#include "net/http.h"

static void requests_are_told_from_others(void **state)
{
	static const struct {
		const char *text;
		enum net_http is;
	} row[] = {
		{ "GET / HTTP/1.1\r\n", NET_HTTP_YES }, { "GET ", NET_HTTP_YES }, { "GET", NET_HTTP_MORE },
		{ "G", NET_HTTP_MORE }, { "GEX", NET_HTTP_NO }, { "get ", NET_HTTP_NO }, { "P", NET_HTTP_MORE },
		{ "POST /", NET_HTTP_YES }, { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", NET_HTTP_YES },
		{ "PRI * ", NET_HTTP_MORE }, { "PRI / ", NET_HTTP_NO }, { "SSH-2.0-x\r\n", NET_HTTP_NO },
		{ "", NET_HTTP_MORE }, { "\x16\x03\x01", NET_HTTP_NO }, { "OPTIONS *", NET_HTTP_YES },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		if (net_http_sniff(row[i].text, strlen(row[i].text)) != row[i].is)
			fail_msg("%s", row[i].text);
}

static void the_line_is_read(void **state)
{
	struct net_http_request q;
	char long_line[NET_HTTP_LINE + 1];

	(void)state;
	assert_int_equal(net_http_read("GET /a?b HTTP/1.1\r\nHost: x\r\n", 28, &q), NET_HTTP_YES);
	assert_true(str_eq(q.method, STR_LIT("GET")));
	assert_true(str_eq(q.target, STR_LIT("/a?b")));
	assert_int_equal(net_http_read("GET /a?b HTTP/1.1\r", 18, &q), NET_HTTP_MORE);
	assert_int_equal(net_http_read("", 0, &q), NET_HTTP_MORE);
	assert_int_equal(net_http_read("GET \n", 5, &q), NET_HTTP_NO);
	assert_int_equal(net_http_read("\n", 1, &q), NET_HTTP_NO);
	memset(long_line, 'x', sizeof long_line);
	assert_int_equal(net_http_read(long_line, sizeof long_line, &q), NET_HTTP_NO);
}

/* The token of a request line in memory of exactly its size, or NULL. */
static const char *token_of(const char *line)
{
	static char token[256];
	size_t n = strlen(line);
	char *exact = malloc(n);
	struct net_http_request q;
	struct str t;
	bool is;

	memcpy(exact, line, n);
	is = net_http_read(exact, n, &q) == NET_HTTP_YES && net_http_acme_token(&q, &t);
	if (is) {
		assert_true(t.len < sizeof token);
		memcpy(token, t.p, t.len);
		token[t.len] = '\0';
	}
	free(exact);
	return is ? token : NULL;
}

#define ACME "/.well-known/acme-challenge/"

static void challenges_are_tokens_and_nothing_else(void **state)
{
	static const char *const none[] = {
		"GET " ACME " HTTP/1.1\n", "GET " ACME "\n", "GET /.well-known/acme-challenge HTTP/1.1\n",
		"GET /.well-known/acme HTTP/1.1\n", "GET / HTTP/1.1\n", "POST " ACME "abc HTTP/1.1\n",
		"GET " ACME "../x HTTP/1.1\n", "GET " ACME "a\rLocation:b HTTP/1.1\n",
		"GET " ACME "a%0d%0aX HTTP/1.1\n", "GET " ACME "a?b HTTP/1.1\n", "GET x" ACME "abc HTTP/1.1\n",
		"GET " ACME "a\"b HTTP/1.1\n", "GET " ACME "\xff HTTP/1.1\n",
	};
	char long_one[256] = "GET " ACME;

	(void)state;
	assert_string_equal(token_of("GET " ACME "Abc-_09 HTTP/1.1\r\n"), "Abc-_09");
	assert_string_equal(token_of("GET " ACME "Abc HTTP/1.0\n"), "Abc");
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		if (token_of(none[i]))
			fail_msg("%s", none[i]);
	memset(long_one + strlen(long_one), 'a', 129);
	strcat(long_one, " HTTP/1.1\n");
	assert_null(token_of(long_one));
}

static void answers_fit_and_close(void **state)
{
	char buf[NET_HTTP_ANSWER], base[1025];
	size_t n = net_http_page(404, false, buf);

	(void)state;
	assert_int_equal(n, strlen(buf));
	assert_memory_equal(buf, "HTTP/1.1 404 Not Found\r\n", 24);
	assert_non_null(strstr(buf, "Connection: close\r\n"));
	assert_non_null(strstr(buf, "<h1>404"));
	n = net_http_page(502, true, buf);
	assert_string_equal(buf + n - 4, "\r\n\r\n");
	net_http_redirect(STR_LIT("https://x.example/a/"), STR_LIT("tok"), buf);
	assert_non_null(strstr(buf, "\r\nLocation: https://x.example/a/tok\r\n"));
	memset(base, 'b', 1024);
	base[1024] = '\0';
	n = net_http_redirect(str_of(base), (struct str){ base, 128 }, buf);
	assert_int_equal(n, strlen(buf));
	assert_string_equal(buf + n - 4, "\r\n\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_told_from_others),
		cmocka_unit_test(the_line_is_read),
		cmocka_unit_test(challenges_are_tokens_and_nothing_else),
		cmocka_unit_test(answers_fit_and_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Any bytes as a request to the stats port: a line with the method, one with the URI, one with the value of
 * Authorization, and the body. Whatever comes is a row of route.def or none, and what is taken from it stays
 * within its bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "admin/body.h"
#include "admin/route.h"
#include "admin/token.h"
#include "base/bug.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* The next line, ended by a NUL; the rest stays in *text. */
static char *next_line(char **text, size_t *n)
{
	char *line = *text, *end = memchr(line, '\n', *n);
	size_t len = end ? (size_t)(end - line) : *n;

	line[len] = '\0';
	*text += len + (end != NULL);
	*n -= len + (end != NULL);
	return line;
}

static void check_decoded(struct str s)
{
	BUG_ON(s.len && memchr(s.p, 0, s.len));
}

static void uri(const char *text, unsigned method)
{
	const char *mark = strchr(text, '?');
	struct str path = { text, mark ? (size_t)(mark - text) : strlen(text) };
	struct admin_found f = admin_route_find(path, method, STR_LIT("/metrics"));
	char arg[ADMIN_ROUTE_ARG];
	struct admin_query query;
	size_t len = 0;

	BUG_ON(f.route && !(f.allowed & method));
	BUG_ON(f.route && (f.route < admin_route_rows || f.route >= admin_route_rows + ADMIN_N_ROUTES));
	BUG_ON(f.arg.len && memchr(f.arg.p, '/', f.arg.len));
	if (f.route && !admin_route_decode(f.arg, arg, sizeof arg, &len)) {
		BUG_ON(len > f.arg.len || len > sizeof arg);
		check_decoded((struct str){ arg, len });
	}
	if (!mark || admin_route_query(str_of(mark + 1), &query))
		return;
	BUG_ON(query.n > ADMIN_ROUTE_PARAMS || query.used > sizeof query.text);
	for (size_t i = 0; i < query.n; i++) {
		check_decoded(query.params[i].name);
		check_decoded(query.params[i].value);
	}
}

static void token(const char *header)
{
	static struct conf_token tokens[] = { { .role = CONF_ROLE_READ, .text = { "read-token-012345", 17 } },
					      { .role = CONF_ROLE_ADMIN, .text = { "admin-token-01234", 17 } } };
	const struct conf conf = { .tokens = tokens, .n_tokens = 2 };
	enum conf_role role = admin_token_role(&conf, header);

	BUG_ON(role == CONF_ROLE_ADMIN && !strstr(header, tokens[1].text.p));
	BUG_ON(role == CONF_ROLE_READ && !strstr(header, tokens[0].text.p));
	BUG_ON(role == CONF_ROLE_MINT);
}

static void body(struct str text)
{
	char value[ADMIN_BODY_LIMITS];
	struct str user = { NULL, 0 };
	bool drain = true, leaves = true;
	int64_t ttl_s = 1;
	json_t *j;

	(void)admin_body_drain(text, &drain, &leaves);
	if (!admin_body_mint(text, &j, &user, &ttl_s))
		BUG_ON(user.len > text.len);
	json_decref(j);
	if (!admin_body_limits(text, &j, value))
		for (const char *p = value; *p; p++)
			BUG_ON(!strchr("abcdefghijklmnopqrstuvwxyz_=0123456789 ", *p));
	BUG_ON(!memchr(value, 0, sizeof value));
	json_decref(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char *all = malloc(n + 1), *text = all;
	unsigned method;

	BUG_ON(!all);
	memcpy(all, bytes, n);
	all[n] = '\0';
	method = admin_route_method(next_line(&text, &n));
	uri(next_line(&text, &n), method);
	token(next_line(&text, &n));
	body((struct str){ text, n });
	free(all);
	return 0;
}

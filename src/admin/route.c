#include "admin/route.h"

#include <string.h>

#include "base/bug.h"

const struct admin_route admin_route_rows[ADMIN_N_ROUTES] = {
#define ROUTE(name, method, path, role) \
	{ ADMIN_ROUTE_##name, ADMIN_ROLE_##role, ADMIN_##method, path },
#include "admin/route.def"
#undef ROUTE
};

unsigned admin_route_method(const char *name)
{
	static const struct {
		const char *name;
		enum admin_method method;
	} methods[] = {
		{ "GET", ADMIN_GET },	{ "HEAD", ADMIN_HEAD },	    { "POST", ADMIN_POST },
		{ "PUT", ADMIN_PUT },	{ "DELETE", ADMIN_DELETE },
	};

	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (strcmp(name, methods[i].name) == 0)
			return methods[i].method;
	return 0;
}

/* A segment that names something: not empty, and no step to somewhere else. */
static bool is_name(struct str s)
{
	return s.len && !str_eq(s, STR_LIT(".")) && !str_eq(s, STR_LIT(".."));
}

/* Byte by byte but for {}, for which one segment stands. */
static bool matches(const char *pattern, struct str path, struct str *arg)
{
	size_t i = 0;

	for (; *pattern; pattern++) {
		if (*pattern == '{') {
			size_t from = i;

			while (i < path.len && path.p[i] != '/')
				i++;
			*arg = (struct str){ path.p + from, i - from };
			pattern++; /* '}' */
			if (!is_name(*arg))
				return false;
			continue;
		}
		if (i == path.len || path.p[i] != *pattern)
			return false;
		i++;
	}
	return i == path.len;
}

struct admin_found admin_route_find(struct str path, unsigned method, struct str metrics)
{
	struct admin_found f = { NULL, 0, { NULL, 0 } };

	for (size_t i = 0; i < ADMIN_N_ROUTES; i++) {
		const struct admin_route *r = &admin_route_rows[i];
		unsigned methods = r->method;
		struct str arg = { NULL, 0 };

		if (r->id == ADMIN_ROUTE_metrics ? !str_eq(path, metrics)
						 : !matches(r->path, path, &arg))
			continue;
		if (r->method == ADMIN_GET && r->id != ADMIN_ROUTE_events)
			methods |= ADMIN_HEAD;
		f.allowed |= methods;
		if (methods & method) {
			f.route = r;
			f.arg = arg;
		}
	}
	return f;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

enum err admin_route_decode(struct str text, char *out, size_t cap, size_t *len)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		if (c == '%') {
			int high = i + 2 < text.len ? digit(text.p[i + 1]) : -1;
			int low = high >= 0 ? digit(text.p[i + 2]) : -1;

			if (low < 0)
				return ERR_MALFORMED;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (!c)
			return ERR_MALFORMED;
		if (n == cap)
			return ERR_RANGE;
		out[n++] = c;
	}
	*len = n;
	return OK;
}

static enum err keep(struct admin_query *q, struct str text, struct str *out)
{
	char *at = q->text + q->used;
	size_t n = 0;
	enum err e = admin_route_decode(text, at, sizeof q->text - q->used, &n);

	if (e)
		return e;
	q->used += n;
	*out = (struct str){ at, n };
	return OK;
}

/* NAME=VALUE, or NAME. */
static enum err take_param(struct admin_query *q, struct str pair)
{
	const char *eq = memchr(pair.p, '=', pair.len);
	size_t n = eq ? (size_t)(eq - pair.p) : pair.len;
	struct str name, value;
	enum err e;

	if (q->n == ADMIN_ROUTE_PARAMS)
		return ERR_RANGE;
	e = keep(q, (struct str){ pair.p, n }, &name);
	if (!e)
		e = keep(q, (struct str){ pair.p + n + (eq != NULL), pair.len - n - (eq != NULL) },
			 &value);
	if (e)
		return e;
	for (size_t i = 0; i < q->n; i++) /* which of two would count? */
		if (str_eq(q->params[i].name, name))
			return ERR_MALFORMED;
	q->params[q->n].name = name;
	q->params[q->n++].value = value;
	return OK;
}

enum err admin_route_query(struct str text, struct admin_query *out)
{
	out->n = out->used = 0;
	while (text.len) {
		const char *end = memchr(text.p, '&', text.len);
		struct str pair = { text.p, end ? (size_t)(end - text.p) : text.len };
		enum err e = pair.len ? take_param(out, pair) : OK;

		if (e)
			return e;
		text.p += pair.len + (end != NULL);
		text.len -= pair.len + (end != NULL);
	}
	return OK;
}

struct str admin_query_find(const struct admin_query *q, const char *name)
{
	for (size_t i = 0; i < q->n; i++)
		if (str_eq(q->params[i].name, str_of(name)))
			return q->params[i].value;
	return (struct str){ NULL, 0 };
}

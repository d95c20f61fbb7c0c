/* taciturnctl quota and usage: the limits of one user, and what it has used. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/value.h"
#include "ctl/database.h"

/* "name=value name=value" as an object of numbers and texts. */
static json_t *to_object(struct str pairs)
{
	char copy[512], *word, *rest = NULL;
	json_t *object = json_object();

	snprintf(copy, sizeof copy, "%.*s", STR_ARG(pairs));
	for (word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		char *equals = strchr(word, '='), *end;
		long long n;

		if (!equals)
			continue;
		*equals = '\0';
		n = strtoll(equals + 1, &end, 10);
		json_object_set_new(object, word,
				    *end == '\0' && end != equals + 1 ? json_integer(n) : json_string(equals + 1));
	}
	return object;
}

static void on_limits(struct store_op *op, const struct store_row *row)
{
	struct ctl *c = op->arg;

	if (!str_eq(row->name, str_of(c->argv[c->argc - 1])))
		return;
	if (c->rows)
		json_array_append_new(c->rows, to_object(row->value));
	else
		printf("%.*s\n", STR_ARG(row->value));
}

static int show(struct ctl *c)
{
	const struct store_op op = { .admin_what = STORE_ADMIN_LIMIT,
				     .admin = { .realm = str_of(c->conf->realm), .name = str_of(c->argv[1]) } };

	return ctl_database_list(c, &op, on_limits);
}

/* max_bps=500K and the like become plain numbers; "-" takes a limit away. */
static bool add_limit(char *text, size_t cap, const char *word)
{
	static const char *const names[] = { "max_allocations", "max_bps", "max_bytes" };
	size_t at = strlen(text);
	const char *equals = strchr(word, '=');
	int64_t v;

	if (!equals)
		return false;
	if (strncmp(word, "period=", 7) == 0) {
		const char *p = equals + 1;

		if (strcmp(p, "day") != 0 && strcmp(p, "month") != 0 && strcmp(p, "30d") != 0)
			return false;
		return (size_t)snprintf(text + at, cap - at, "%s%s", at ? " " : "", word) < cap - at;
	}
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		size_t len = strlen(names[i]);

		if (strncmp(word, names[i], len) != 0 || word[len] != '=')
			continue;
		if (conf_value_size(str_of(equals + 1), &v) || v < 0)
			return false;
		return (size_t)snprintf(text + at, cap - at, "%s%s=%lld", at ? " " : "", names[i],
					(long long)v) < cap - at;
	}
	return false;
}

static int set(struct ctl *c)
{
	struct store_op op = { .admin_what = STORE_ADMIN_LIMIT };
	char text[256] = "";

	c->makes_file = true;
	for (int i = 2; i < c->argc; i++)
		if (!add_limit(text, sizeof text, c->argv[i]))
			return ctl_fail("'%s': max_allocations=N, max_bps=BYTES, max_bytes=BYTES or "
					"period=day|month|30d is expected",
					c->argv[i]);
	op.admin = (struct store_row){ str_of(c->conf->realm), str_of(c->argv[1]), str_of(text) };
	return ctl_database_admin(c, STORE_ADMIN_SET, &op, NULL, NULL);
}

static int del(struct ctl *c)
{
	const struct store_op op = { .admin_what = STORE_ADMIN_LIMIT,
				     .admin = { .realm = str_of(c->conf->realm), .name = str_of(c->argv[1]) } };

	return ctl_database_admin(c, STORE_ADMIN_DEL, &op, NULL, NULL);
}

int ctl_quota(struct ctl *c)
{
	const char *what = c->argc > 1 ? c->argv[0] : "";

	if (strcmp(what, "show") == 0 && c->argc == 2)
		return show(c);
	if (strcmp(what, "set") == 0 && c->argc > 2)
		return set(c);
	if (strcmp(what, "remove") == 0 && c->argc == 2)
		return del(c);
	return ctl_fail("usage: taciturnctl quota show USER | set USER NAME=VALUE... | remove USER");
}

static void on_usage(struct store_op *op, const struct store_row *row)
{
	struct ctl *c = op->arg;
	json_t *object;

	if (!c->rows) {
		printf("%.*s %.*s\n", STR_ARG(row->name), STR_ARG(row->value));
		return;
	}
	object = to_object(row->value);
	json_object_set_new(object, "period", json_stringn(row->name.p, row->name.len));
	json_array_append_new(c->rows, object);
}

int ctl_usage(struct ctl *c)
{
	struct store_op op = { .admin_what = STORE_ADMIN_USAGE };

	if (c->argc != 1)
		return ctl_fail("usage: taciturnctl usage USER");
	op.admin = (struct store_row){ .realm = str_of(c->conf->realm), .name = str_of(c->argv[0]) };
	return ctl_database_list(c, &op, on_usage);
}

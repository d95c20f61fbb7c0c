/* taciturnctl db: the tables, and what another database brings into them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/database.h"

/* What coturn's databases hold, in the order in which it is copied. */
static const struct {
	enum store_admin_what what;
	const char *text;
} imported[] = {
	{ STORE_ADMIN_USER, "users" },		 { STORE_ADMIN_SECRET, "secrets" },
	{ STORE_ADMIN_OPTION, "realm options" }, { STORE_ADMIN_ORIGIN, "origins" },
	{ STORE_ADMIN_ALLOWED, "allowed peers" }, { STORE_ADMIN_DENIED, "denied peers" },
	{ STORE_ADMIN_OAUTH, "oauth keys" },	 { STORE_ADMIN_ADMIN, "administrators" },
};

/* A copy of one row: a list must have ended before the next op begins, for either may be the same file. */
struct copy {
	struct copy *next;
	char *realm, *name, *value;
	size_t realm_len, name_len, value_len;
};

struct collected {
	struct copy *rows;
	size_t n;
	bool no_memory;
};

static char *dup(struct str s)
{
	char *p = malloc(s.len + 1);

	if (p && s.len)
		memcpy(p, s.p, s.len);
	if (p)
		p[s.len] = '\0';
	return p;
}

static void free_rows(struct copy *row)
{
	while (row) {
		struct copy *next = row->next;

		free(row->realm);
		free(row->name);
		free(row->value);
		free(row);
		row = next;
	}
}

static void on_row(struct store_op *op, const struct store_row *row)
{
	struct collected *all = op->arg;
	struct copy *c = calloc(1, sizeof *c);

	if (!c) {
		all->no_memory = true;
		return;
	}
	*c = (struct copy){ all->rows,	    dup(row->realm), dup(row->name), dup(row->value),
			    row->realm.len, row->name.len,   row->value.len };
	all->no_memory |= !c->realm || !c->name || !c->value;
	all->rows = c;
	all->n++;
}

static int copy_rows(struct ctl *c, enum store_admin_what what, const struct copy *row)
{
	for (; row; row = row->next) {
		struct store_op op = { .admin_what = what };

		op.admin = (struct store_row){ { row->realm, row->realm_len },
					       { row->name, row->name_len },
					       { row->value, row->value_len } };
		if (ctl_database_admin(c, STORE_ADMIN_SET, &op, NULL, NULL))
			return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

static int import_table(struct ctl *c, struct ctl_database *from, size_t i, size_t *n)
{
	struct collected all = { 0 };
	struct store_op op = {
		.kind = STORE_ADMIN, .admin_do = STORE_ADMIN_LIST, .admin_what = imported[i].what, .row = on_row, .arg = &all
	};
	enum store_status got = ctl_database_ask(from, &op);
	int status;

	if (got != STORE_OK || all.no_memory)
		status = ctl_fail("%s: %s", imported[i].text,
				  all.no_memory ? "no memory"
				  : op.why[0]	? op.why
						: store_status_text(got));
	else
		status = copy_rows(c, imported[i].what, all.rows);
	*n = all.n;
	free_rows(all.rows);
	return status;
}

static int import(struct ctl *c)
{
	struct ctl_database *from;
	json_t *told = json_object();
	int status = EXIT_SUCCESS;

	if (!c->from) {
		json_decref(told);
		return ctl_fail("usage: taciturnctl db import-coturn --from userdb=FILE (or psql-userdb=…, redis-userdb=…)");
	}
	/* a new file for what there is to be copied, and none for a mistyped --from */
	c->makes_file = true;
	if (ctl_database_open_other(c->from, &from)) {
		json_decref(told);
		return EXIT_FAILURE;
	}
	if (ctl_database_open(c)) {
		ctl_database_close(from);
		json_decref(told);
		return EXIT_FAILURE;
	}
	for (size_t i = 0; i < sizeof imported / sizeof *imported && !status; i++) {
		size_t n = 0;

		status = import_table(c, from, i, &n);
		if (!status && !c->json)
			printf("%zu %s\n", n, imported[i].text);
		json_object_set_new(told, imported[i].text, json_integer((json_int_t)n));
	}
	ctl_database_close(from);
	if (!status && c->json)
		return ctl_put_json(told);
	json_decref(told);
	return status;
}

static int schema(struct ctl *c, enum store_admin_do what, const char *good)
{
	struct store_op op = { .kind = STORE_ADMIN, .admin_do = what, .admin_what = STORE_ADMIN_SCHEMA };
	enum store_status status;

	c->makes_file = what == STORE_ADMIN_INIT;
	if (ctl_database_open(c))
		return EXIT_FAILURE;
	status = ctl_database_ask(c->db, &op);
	if (status != STORE_OK)
		return ctl_fail("%s", op.why[0] ? op.why : store_status_text(status));
	puts(good);
	return EXIT_SUCCESS;
}

int ctl_db(struct ctl *c)
{
	const char *what = c->argc == 1 ? c->argv[0] : "";

	if (strcmp(what, "init") == 0)
		return schema(c, STORE_ADMIN_INIT, "the tables are there");
	if (strcmp(what, "check") == 0)
		return schema(c, STORE_ADMIN_CHECK, "the tables are as they should be");
	if (strcmp(what, "import-coturn") == 0)
		return import(c);
	return ctl_fail("usage: taciturnctl db init | check | import-coturn --from NAME=CONNINFO");
}

/* taciturnctl secret: what time-limited credentials are made with, in the database. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/rng.h"
#include "ctl/database.h"
#include "ctl/input.h"

enum { SECRET_BYTES = 32 };

static void generate(char out[CTL_INPUT_MAX])
{
	uint8_t bytes[SECRET_BYTES];
	struct rng rng;

	rng_init(&rng);
	rng_bytes(&rng, bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
	crypto_wipe(bytes, sizeof bytes);
}

static int add(struct ctl *c)
{
	char secret[CTL_INPUT_MAX];
	struct store_op op = { .admin_what = STORE_ADMIN_SECRET };
	int status;

	if (c->generate)
		generate(secret);
	else if (ctl_input_read(c->file, "secret", secret))
		return EXIT_FAILURE;
	op.admin = (struct store_row){ .realm = str_of(c->conf->realm), .name = str_of(secret) };
	status = ctl_database_admin(c, STORE_ADMIN_SET, &op, NULL, NULL);
	if (!status && c->generate)
		puts(secret); /* it has to be told to the backends */
	crypto_wipe(secret, sizeof secret);
	return status;
}

static void on_secret(struct store_op *op, const struct store_row *row)
{
	struct ctl *c = op->arg;

	if (row->realm.len && !str_eq(row->realm, str_of(c->conf->realm)))
		return;
	if (c->rows)
		json_array_append_new(c->rows, json_pack("{s:s%, s:s%}", "secret", row->name.p, row->name.len,
							 "realm", row->realm.p, row->realm.len));
	else
		printf("%.*s[%.*s]\n", STR_ARG(row->name), STR_ARG(row->realm));
}

static int list(struct ctl *c)
{
	const struct store_op op = { .admin_what = STORE_ADMIN_SECRET,
				     .admin = { .realm = str_of(c->conf->realm) } };

	return ctl_database_list(c, &op, on_secret);
}

static int del(struct ctl *c)
{
	char secret[CTL_INPUT_MAX];
	struct store_op op = { .admin_what = STORE_ADMIN_SECRET };
	int status;

	if (ctl_input_read(c->file, "secret", secret))
		return EXIT_FAILURE;
	op.admin = (struct store_row){ .realm = str_of(c->conf->realm), .name = str_of(secret) };
	status = ctl_database_admin(c, STORE_ADMIN_DEL, &op, NULL, NULL);
	crypto_wipe(secret, sizeof secret);
	return status;
}

int ctl_secret(struct ctl *c)
{
	const char *what = c->argc == 1 ? c->argv[0] : "";

	if (strcmp(what, "add") == 0)
		return add(c);
	if (strcmp(what, "list") == 0)
		return list(c);
	if (strcmp(what, "remove") == 0)
		return del(c);
	return ctl_fail("usage: taciturnctl secret add [--generate] [--file FILE] | list | remove [--file FILE]");
}

/* taciturnctl secret: what time-limited credentials are made with, in the database. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/rng.h"
#include "base/tick.h"
#include "ctl/database.h"
#include "ctl/input.h"
#include "store/withdraw.h"

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

/* The mark by which servers end the sessions of a secret; it is no longer one when the secret is. */
static enum store_status mark(struct ctl *c, enum store_admin_do what, struct str secret, char why[256])
{
	char text[STORE_WITHDRAW_MARK_LEN + 1], when[24];
	struct str realm = str_of(c->conf->realm);
	struct store_op op = { .kind = STORE_ADMIN, .admin_do = what, .admin_what = STORE_ADMIN_WITHDRAWN };
	enum store_status status;

	if (ctl_database_open(c) || store_withdraw_mark(realm, secret, text))
		return STORE_DOWN;
	snprintf(when, sizeof when, "%lld", (long long)tick_wall_s());
	op.admin = (struct store_row){ realm, str_of(text), str_of(when) };
	status = ctl_database_ask(c->db, &op);
	memcpy(why, op.why, sizeof op.why);
	return status;
}

/* A database without our tables has no marks either. */
static void unmark(struct ctl *c, struct str secret)
{
	char why[256];

	(void)mark(c, STORE_ADMIN_DEL, secret, why);
}

static int add(struct ctl *c)
{
	char secret[CTL_INPUT_MAX];
	struct store_op op = { .admin_what = STORE_ADMIN_SECRET };
	int status;

	c->makes_file = true;
	if (c->generate)
		generate(secret);
	else if (ctl_input_read(c->file, "secret", secret))
		return EXIT_FAILURE;
	op.admin = (struct store_row){ .realm = str_of(c->conf->realm), .name = str_of(secret) };
	status = ctl_database_admin(c, STORE_ADMIN_SET, &op, NULL, NULL);
	if (!status)
		unmark(c, op.admin.name);
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

/* The mark is there before the secret is gone, so that whoever misses it finds the mark. */
static int withdraw(struct ctl *c, struct str secret)
{
	const struct store_op op = { .admin_what = STORE_ADMIN_SECRET,
				     .admin = { .realm = str_of(c->conf->realm), .name = secret } };
	char why[256] = "";
	int status;

	if (ctl_database_open(c)) /* each try would say so */
		return EXIT_FAILURE;
	if (c->end_sessions && mark(c, STORE_ADMIN_SET, secret, why) != STORE_OK)
		return ctl_fail("nothing was removed: %s", why[0] ? why : "the database does not answer");
	status = ctl_database_admin(c, STORE_ADMIN_DEL, &op, NULL, NULL);
	if (status || !c->end_sessions)
		unmark(c, secret);
	return status;
}

/* What the database has no hand in. */
static void warn_of_conf(const struct ctl *c, struct str secret)
{
	for (size_t i = 0; i < c->conf->n_secrets; i++)
		if (str_eq(c->conf->secrets[i], secret))
			ctl_fail("the configuration has this secret too: it stays valid until static-auth-secret is "
				 "taken out there and the server is started anew");
}

static int del(struct ctl *c)
{
	char secret[CTL_INPUT_MAX];
	int status;

	if (ctl_input_read(c->file, "secret", secret))
		return EXIT_FAILURE;
	status = withdraw(c, str_of(secret));
	warn_of_conf(c, str_of(secret));
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
	return ctl_fail("usage: taciturnctl secret add [--generate] [--file FILE] | list | remove [--end-sessions] "
			"[--file FILE]");
}

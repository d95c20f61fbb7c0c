/* taciturnctl user: the accounts of the database. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/longterm.h"
#include "conf/opaque.h"
#include "ctl/database.h"
#include "ctl/input.h"

enum { KEY_HEX_LEN = 2 * AUTH_KEY_LEN };

static bool is_key(const char *text)
{
	return strlen(text) == KEY_HEX_LEN && strspn(text, "0123456789abcdefABCDEF") == KEY_HEX_LEN;
}

static void to_digits(const uint8_t key[AUTH_KEY_LEN], char out[KEY_HEX_LEN + 1])
{
	for (size_t i = 0; i < AUTH_KEY_LEN; i++)
		snprintf(out + 2 * i, 3, "%02x", key[i]);
}

/* The key of a password, in the form that the databases keep. RFC 8489 s.9.2.2: of the prepared texts. */
static enum err derive(const struct ctl *c, struct str name, const char *password, char out[KEY_HEX_LEN + 1])
{
	uint8_t key[AUTH_KEY_LEN];
	char *prepared = NULL;
	struct crypto *crypto;
	enum err e = crypto_new(&crypto);

	if (e)
		return e;
	if (conf_opaque_prepare(password, &prepared) == CONF_OPAQUE_CHANGED)
		password = prepared;
	e = auth_longterm_key(crypto, name, str_of(c->conf->realm), str_of(password), key);
	crypto_free(crypto);
	if (prepared)
		crypto_wipe(prepared, strlen(prepared));
	free(prepared);
	if (!e)
		to_digits(key, out);
	crypto_wipe(key, sizeof key);
	return e;
}

/* "0x" and the digits of a key, or a password; NULL when it is neither. */
static const char *to_hex(struct ctl *c, struct str name, const char *text, char hex[KEY_HEX_LEN + 1])
{
	if (!c->key)
		return derive(c, name, text, hex) ? NULL : hex;
	text += strncmp(text, "0x", 2) == 0 ? 2 : 0;
	return is_key(text) ? strcpy(hex, text) : NULL;
}

static int add(struct ctl *c, struct str name)
{
	char text[CTL_INPUT_MAX], hex[KEY_HEX_LEN + 1];
	struct store_op op = { .admin_what = STORE_ADMIN_USER };
	int status;

	c->makes_file = true;
	if (ctl_input_read(c->file, c->key ? "key" : "password", text))
		return EXIT_FAILURE;
	if (to_hex(c, name, text, hex)) {
		op.admin = (struct store_row){ str_of(c->conf->realm), name, { hex, KEY_HEX_LEN } };
		status = ctl_database_admin(c, STORE_ADMIN_SET, &op, NULL, NULL);
	} else {
		status = ctl_fail(c->key ? "a key is 32 hex digits" : "no key could be made of the password");
	}
	crypto_wipe(text, sizeof text);
	crypto_wipe(hex, sizeof hex);
	return status;
}

static void on_name(struct store_op *op, const struct store_row *row)
{
	struct ctl *c = op->arg;

	if (row->realm.len && !str_eq(row->realm, str_of(c->conf->realm)))
		return;
	if (c->rows)
		json_array_append_new(c->rows, json_pack("{s:s%, s:s%}", "user", row->name.p, row->name.len,
							 "realm", row->realm.p, row->realm.len));
	else
		printf("%.*s[%.*s]\n", STR_ARG(row->name), STR_ARG(row->realm));
}

static int list(struct ctl *c)
{
	const struct store_op op = { .admin_what = STORE_ADMIN_USER,
				     .admin = { .realm = str_of(c->conf->realm) } };

	return ctl_database_list(c, &op, on_name);
}

static int del(struct ctl *c, struct str name)
{
	const struct store_op op = { .admin_what = STORE_ADMIN_USER,
				     .admin = { .realm = str_of(c->conf->realm), .name = name } };

	return ctl_database_admin(c, STORE_ADMIN_DEL, &op, NULL, NULL);
}

int ctl_user(struct ctl *c)
{
	const char *what = c->argc ? c->argv[0] : "";

	if (strcmp(what, "list") == 0 && c->argc == 1)
		return list(c);
	if (c->argc == 2 && strcmp(what, "add") == 0)
		return add(c, str_of(c->argv[1]));
	if (c->argc == 2 && strcmp(what, "remove") == 0)
		return del(c, str_of(c->argv[1]));
	return ctl_fail("usage: taciturnctl user add NAME [--key] [--file FILE] | list | remove NAME");
}

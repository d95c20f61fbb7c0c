#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/crypto.h"
#include "conf/check.h"
#include "conf/opaque.h"
#include "conf/value.h"

enum {
	USERNAME_MAX = 508, /* RFC 8489 s.14.3: fewer than 509 bytes */
	REALM_MAX = 127,    /* RFC 8489 s.14.9: fewer than 128 characters */
};

/* The names are the operator's own: the map needs a good hash, not a secret one. */
static uint64_t user_hash(struct str name)
{
	static const uint64_t key[2] = { 0x7461636974757264, 0x6e616d6573 };

	return addr_siphash(key, name.p, name.len);
}

const struct conf_user *conf_user_find(const struct conf *c, struct str name)
{
	struct hnode *n = hmap_find(&c->users, user_hash(name));

	for (; n; n = hmap_same(n)) {
		const struct conf_user *u = container_of(n, struct conf_user, node);

		if (str_eq(u->name, name))
			return u;
	}
	return NULL;
}

static size_t count_characters(const char *utf8)
{
	size_t n = 0;

	for (; *utf8; utf8++)
		n += ((unsigned char)*utf8 & 0xc0) != 0x80;
	return n;
}

static bool names_something(const char *name)
{
	return name[0] && strcmp(name, "(none)") != 0 && strcmp(name, "localhost") != 0;
}

/* Control characters cannot come from the file; the kernel's names are the administrator's. */
static void default_realm(struct conf_reader *r)
{
	char name[256] = "";

	if (getdomainname(name, sizeof name - 1) || !names_something(name)) {
		memset(name, 0, sizeof name);
		if (gethostname(name, sizeof name - 1) || !names_something(name))
			snprintf(name, sizeof name, "taciturn");
	}
	r->conf->realm = strdup(name);
	if (!r->conf->realm)
		r->no_memory = true;
}

/* RFC 8489 s.9.2.2: keys are made of texts in the OpaqueString profile. In the place of *text, which is
 * wiped, comes its prepared form. */
static void prepare(struct conf_reader *r, int at, const char *option, char **text)
{
	char *prepared;

	switch (conf_opaque_prepare(*text, &prepared)) {
	case CONF_OPAQUE_SAME:
		return;
	case CONF_OPAQUE_CHANGED:
		crypto_wipe(*text, strlen(*text));
		free(*text);
		*text = prepared;
		return;
	case CONF_OPAQUE_REFUSED:
		conf_reader_warn(r, at, option,
				 "not UTF-8, or with a character that RFC 8265 does not allow; "
				 "taken as it stands, which not every client will do");
		return;
	default:
		r->no_memory = true;
	}
}

static void check_realm(struct conf_reader *r)
{
	if (!r->conf->realm)
		default_realm(r);
	if (r->conf->realm)
		prepare(r, r->at[CONF_ROW_realm], "realm", &r->conf->realm);
	if (r->conf->realm && count_characters(r->conf->realm) > REALM_MAX)
		conf_reader_error(r, r->at[CONF_ROW_realm], "realm",
				  "longer than %d characters", REALM_MAX);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool parse_key(const char *hex, uint8_t key[CONF_KEY_LEN])
{
	if (strlen(hex) != 2 * CONF_KEY_LEN)
		return false;
	for (size_t i = 0; i < CONF_KEY_LEN; i++) {
		int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		key[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* RFC 8489 s.9.2.2: MD5(name ":" realm ":" password) */
static enum err derive_key(struct crypto *crypto, struct str name, const char *realm,
			   const char *password, uint8_t key[CONF_KEY_LEN])
{
	const struct str parts[] = { name, STR_LIT(":"), str_of(realm), STR_LIT(":"),
				     str_of(password) };

	return crypto_digest(crypto, CRYPTO_MD5, parts, ARRAY_LEN(parts), key);
}

/* False: something is wrong, and was said without showing the password. */
static bool make_key(struct conf_reader *r, struct crypto *crypto, int at, struct conf_user *u,
		     const char *password)
{
	enum err e;

	if (*password == '\0') {
		conf_reader_error(r, at, "user", "'%.*s' has no password", STR_ARG(u->name));
		return false;
	}
	if (strncmp(password, "0x", 2) == 0) {
		if (parse_key(password + 2, u->key))
			return true;
		conf_reader_error(r, at, "user",
				  "'%.*s': after 0x a key of 32 hex digits is expected; a "
				  "password cannot begin with 0x",
				  STR_ARG(u->name));
		return false;
	}
	e = derive_key(crypto, u->name, r->conf->realm, password, u->key);
	if (e)
		conf_reader_error(r, at, "user", "'%.*s': no key could be made: %s",
				  STR_ARG(u->name), err_text(e));
	return !e;
}

static void insert_user(struct conf_reader *r, int at, struct conf_user *u)
{
	const struct conf_user *before = conf_user_find(r->conf, u->name);

	if (before) {
		conf_reader_warn(r, at, "user", "'%.*s' given again; the last one counts",
				 STR_ARG(u->name));
		memcpy(((struct conf_user *)before)->key, u->key, CONF_KEY_LEN);
		crypto_wipe(u, sizeof *u);
		free(u);
		return;
	}
	hmap_insert(&r->conf->users, &u->node, user_hash(u->name));
}

/* Makes an account of "name:password"; the password is wiped from `text` at once. */
static void build_user(struct conf_reader *r, struct crypto *crypto, int at, char *text)
{
	char *colon = strchr(text, ':');
	struct conf_user *u;

	if (!colon || colon == text) {
		/* nothing is shown: without its name this may be a password */
		conf_reader_error(r, at, "user", "expected NAME:PASSWORD or NAME:0xKEY");
		crypto_wipe(text, strlen(text));
		return;
	}
	u = calloc(1, sizeof *u);
	if (!u) {
		r->no_memory = true;
		return;
	}
	u->name = (struct str){ text, (size_t)(colon - text) };
	if (u->name.len > USERNAME_MAX) {
		conf_reader_error(r, at, "user", "the name is longer than %d bytes",
				  USERNAME_MAX);
		free(u);
	} else if (make_key(r, crypto, at, u, colon + 1)) {
		insert_user(r, at, u);
	} else {
		crypto_wipe(u, sizeof *u);
		free(u);
	}
	crypto_wipe(colon, strlen(colon));
}

static void build_users(struct conf_reader *r)
{
	struct conf *c = r->conf;
	struct crypto *crypto;
	enum err e;

	if (c->user.n == 0 || !c->realm)
		return;
	e = crypto_new(&crypto);
	if (e) {
		conf_reader_error(r, CONF_AT_NOWHERE, "user", "no keys can be made: %s",
				  err_text(e));
		return;
	}
	for (size_t i = 0; i < c->user.n; i++) {
		prepare(r, c->user.line[i], "user", &c->user.v[i]);
		build_user(r, crypto, c->user.line[i], c->user.v[i]);
	}
	crypto_free(crypto);
}

static bool given_before(const struct conf *c, struct str secret)
{
	for (size_t i = 0; i < c->n_secrets; i++)
		if (str_eq(c->secrets[i], secret))
			return true;
	return false;
}

static void build_secrets(struct conf_reader *r)
{
	struct conf *c = r->conf;
	const struct conf_list *list = &c->static_auth_secret;

	if (list->n == 0)
		return;
	c->use_auth_secret = true;
	c->secrets = calloc(list->n, sizeof *c->secrets);
	if (!c->secrets) {
		r->no_memory = true;
		return;
	}
	for (size_t i = 0; i < list->n; i++) {
		struct str secret = str_of(list->v[i]);

		if (conf_value_is_example(secret))
			conf_reader_error(r, list->line[i], "static-auth-secret",
					  "is the example of the README, which everybody knows: `openssl rand -hex "
					  "32` makes a secret");
		else if (given_before(c, secret))
			conf_reader_warn(r, list->line[i], "static-auth-secret",
					 "the same secret stands there before");
		else
			c->secrets[c->n_secrets++] = secret;
	}
}

void conf_users_build(struct conf_reader *r)
{
	check_realm(r);
	build_users(r);
	build_secrets(r);
	r->conf->has_credentials = r->conf->users.n || r->conf->n_secrets || r->conf->userdb ||
				   r->conf->psql_userdb || r->conf->redis_userdb;
}

void conf_users_fini(struct conf *c)
{
	struct hnode *n;

	while ((n = hmap_any(&c->users)) != NULL) {
		struct conf_user *u = container_of(n, struct conf_user, node);

		hmap_remove(&c->users, n);
		crypto_wipe(u, sizeof *u);
		free(u);
	}
	hmap_fini(&c->users);
	free(c->secrets); /* borrowed texts: the list wipes them */
}

#include "ctl/turnadmin.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/longterm.h"
#include "base/rng.h"
#include "ctl/database.h"

enum {
	SALT_LEN = 8,
	ENCRYPTED_LEN = 3 + 2 * SALT_LEN + 1 + 2 * CRYPTO_SHA256_LEN, /* $5$SALT$HASH */
	OPT_MAX_BPS = 256,
	OPT_TOTAL_QUOTA,
	OPT_USER_QUOTA,
	OPT_DELETE_SECRETS,
};

static const char default_db[] = "/var/lib/turn/turndb"; /* coturn's, on Debian */

/* What the flags said. */
struct admin {
	struct ctl ctl;
	int action; /* its short flag; 0: none yet */
	const char *db, *psql, *redis;
	const char *user, *realm, *password, *origin, *secret;
	const char *option[3]; /* max-bps, total-quota, user-quota */
};

static const char *const option_names[] = { "max-bps", "total-quota", "user-quota" };

static const struct option options[] = {
	{ "key", no_argument, NULL, 'k' },
	{ "add", no_argument, NULL, 'a' },
	{ "delete", no_argument, NULL, 'd' },
	{ "list", no_argument, NULL, 'l' },
	{ "add-admin", no_argument, NULL, 'A' },
	{ "delete-admin", no_argument, NULL, 'D' },
	{ "list-admin", no_argument, NULL, 'L' },
	{ "set-secret", required_argument, NULL, 's' },
	{ "show-secret", no_argument, NULL, 'S' },
	{ "delete-secret", required_argument, NULL, 'X' },
	{ "delete-all-secrets", no_argument, NULL, OPT_DELETE_SECRETS },
	{ "add-origin", no_argument, NULL, 'O' },
	{ "del-origin", no_argument, NULL, 'R' },
	{ "list-origins", no_argument, NULL, 'I' },
	{ "set-realm-option", no_argument, NULL, 'g' },
	{ "list-realm-options", no_argument, NULL, 'G' },
	{ "generate-encrypted-password", no_argument, NULL, 'P' },
	{ "db", required_argument, NULL, 'b' },
	{ "userdb", required_argument, NULL, 'b' },
	{ "psql-userdb", required_argument, NULL, 'e' },
	{ "sql-userdb", required_argument, NULL, 'e' },
	{ "redis-userdb", required_argument, NULL, 'N' },
	{ "user", required_argument, NULL, 'u' },
	{ "realm", required_argument, NULL, 'r' },
	{ "password", required_argument, NULL, 'p' },
	{ "origin", required_argument, NULL, 'o' },
	{ "max-bps", required_argument, NULL, OPT_MAX_BPS },
	{ "total-quota", required_argument, NULL, OPT_TOTAL_QUOTA },
	{ "user-quota", required_argument, NULL, OPT_USER_QUOTA },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

bool ctl_turnadmin_is_meant(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');

	return strcmp(slash ? slash + 1 : argv0, "turnadmin") == 0;
}

static struct str realm_of(const struct admin *a)
{
	return a->realm ? str_of(a->realm) : (struct str){ "", 0 };
}

static void hex(const uint8_t *p, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", p[i]);
}

/* A secret of the command line: copied, and wiped from what ps shows. */
static const char *keep(char *word)
{
	char *copy = strdup(word);

	if (copy)
		memset(word, 'x', strlen(word));
	return copy;
}

static void forget(const char *kept)
{
	if (kept)
		crypto_wipe((char *)kept, strlen(kept));
	free((char *)kept);
}

static bool take(struct admin *a, int opt)
{
	switch (opt) {
	case 's':
	case 'X':
		forget(a->secret);
		a->secret = keep(optarg);
		a->action = opt;
		return a->secret;
	case 'b':
		a->db = optarg;
		return true;
	case 'e':
		a->psql = optarg;
		return true;
	case 'N':
		a->redis = optarg;
		return true;
	case 'u':
		a->user = optarg;
		return true;
	case 'r':
		a->realm = optarg;
		return true;
	case 'p':
		forget(a->password);
		a->password = keep(optarg);
		return a->password;
	case 'o':
		a->origin = optarg;
		return true;
	case OPT_MAX_BPS:
	case OPT_TOTAL_QUOTA:
	case OPT_USER_QUOTA:
		a->option[opt - OPT_MAX_BPS] = optarg;
		return true;
	case 'M':
	case 'J':
		ctl_fail("MySQL and MongoDB are not served: -b FILE, -e PostgreSQL or -N Redis");
		return false;
	case 'E':
		ctl_fail("-E is for MySQL, which is not served");
		return false;
	case '?':
		return false;
	default:
		a->action = opt;
		return true;
	}
}

static int print_help(void)
{
	puts("usage: turnadmin ACTION [-b FILE | -e PSQL | -N REDIS] [-r REALM] [-u USER] [-p PASSWORD] [-o ORIGIN]\n"
	     "-k print a user's key   -a add  -d delete  -l list users   -A -D -L the same for administrators\n"
	     "-s SECRET set  -S show  -X SECRET delete  --delete-all-secrets\n"
	     "-O add  -R delete  -I list origins\n"
	     "-g set realm options (--max-bps --total-quota --user-quota; 0 deletes)  -G list them\n"
	     "-P print the password, encrypted\n"
	     "This is taciturnctl under its coturn name: see man taciturnctl.");
	return EXIT_SUCCESS;
}

/* MD5(user:realm:password) in hex. */
static int make_key(const struct admin *a, char out[2 * AUTH_KEY_LEN + 1])
{
	uint8_t key[AUTH_KEY_LEN];
	struct crypto *crypto;
	enum err e;

	if (!a->user || !a->realm || !a->password)
		return ctl_fail("-u, -r and -p are needed");
	if (crypto_new(&crypto))
		return ctl_fail("OpenSSL refuses");
	e = auth_longterm_key(crypto, str_of(a->user), str_of(a->realm), str_of(a->password), key);
	crypto_free(crypto);
	hex(key, sizeof key, out);
	crypto_wipe(key, sizeof key);
	return e ? ctl_fail("%s", err_text(e)) : EXIT_SUCCESS;
}

/* coturn's form of an administrator's password: salted SHA-256. */
static int encrypt(const struct admin *a, char out[ENCRYPTED_LEN + 1])
{
	uint8_t salt[SALT_LEN], hash[CRYPTO_SHA256_LEN];
	struct crypto *crypto;
	struct rng rng;
	enum err e;

	if (!a->password)
		return ctl_fail("-p is needed");
	if (crypto_new(&crypto))
		return ctl_fail("OpenSSL refuses");
	rng_init(&rng);
	rng_bytes(&rng, salt, sizeof salt);
	const struct str parts[] = { { (const char *)salt, sizeof salt }, str_of(a->password) };
	e = crypto_digest(crypto, CRYPTO_SHA256, parts, 2, hash);
	crypto_free(crypto);
	memcpy(out, "$5$", 3);
	hex(salt, sizeof salt, out + 3);
	out[3 + 2 * SALT_LEN] = '$';
	hex(hash, sizeof hash, out + 3 + 2 * SALT_LEN + 1);
	return e ? ctl_fail("%s", err_text(e)) : EXIT_SUCCESS;
}

static int change(struct admin *a, enum store_admin_do what, enum store_admin_what table, const char *name,
		  const char *value)
{
	struct store_op op = { .admin_what = table };

	if (!name)
		return ctl_fail("an option is missing: see turnadmin -h");
	op.admin = (struct store_row){ realm_of(a), str_of(name), str_of(value) };
	return ctl_database_admin(&a->ctl, what, &op, NULL, NULL);
}

static void print_pair(struct store_op *op, const struct store_row *row)
{
	(void)op;
	printf("%.*s[%.*s]\n", STR_ARG(row->name), STR_ARG(row->realm));
}

static void print_origin(struct store_op *op, const struct store_row *row)
{
	(void)op;
	printf("%.*s ==>> %.*s\n", STR_ARG(row->name), STR_ARG(row->value));
}

static void print_option(struct store_op *op, const struct store_row *row)
{
	(void)op;
	printf("%.*s[%.*s]=%.*s\n", STR_ARG(row->name), STR_ARG(row->realm), STR_ARG(row->value));
}

static int list(struct admin *a, enum store_admin_what table, store_row_fn *print)
{
	struct store_op op = { .admin_what = table };

	op.admin.realm = realm_of(a);
	return ctl_database_admin(&a->ctl, STORE_ADMIN_LIST, &op, print, a);
}

static int add_user(struct admin *a)
{
	char key[2 * AUTH_KEY_LEN + 1];
	int status = make_key(a, key);

	if (!status)
		status = change(a, STORE_ADMIN_SET, STORE_ADMIN_USER, a->user, key);
	crypto_wipe(key, sizeof key);
	return status;
}

static int add_admin(struct admin *a)
{
	char encrypted[ENCRYPTED_LEN + 1];
	int status = encrypt(a, encrypted);

	return status ? status : change(a, STORE_ADMIN_SET, STORE_ADMIN_ADMIN, a->user, encrypted);
}

static int set_options(struct admin *a)
{
	int status = EXIT_SUCCESS;

	for (size_t i = 0; i < 3 && !status; i++) {
		const char *value = a->option[i];

		if (value)
			status = change(a, strcmp(value, "0") == 0 ? STORE_ADMIN_DEL : STORE_ADMIN_SET,
					STORE_ADMIN_OPTION, option_names[i], value);
	}
	return status;
}

/* Secrets that a list found, to be deleted when it has ended. */
struct found {
	char *secret[256];
	size_t n;
};

static void collect(struct store_op *op, const struct store_row *row)
{
	struct found *f = op->arg;

	if (f->n < sizeof f->secret / sizeof *f->secret)
		f->secret[f->n++] = strndup(row->name.p, row->name.len);
}

static int delete_secrets(struct admin *a)
{
	const struct store_op op = { .admin_what = STORE_ADMIN_SECRET, .admin = { .realm = realm_of(a) } };
	struct found f = { .n = 0 };
	int status = ctl_database_admin(&a->ctl, STORE_ADMIN_LIST, &op, collect, &f);

	for (size_t i = 0; i < f.n; i++) {
		if (!status)
			status = change(a, STORE_ADMIN_DEL, STORE_ADMIN_SECRET, f.secret[i], NULL);
		free(f.secret[i]);
	}
	return status;
}

static int in_database(struct admin *a)
{
	switch (a->action) {
	case 'a':
		return add_user(a);
	case 'd':
		return change(a, STORE_ADMIN_DEL, STORE_ADMIN_USER, a->user, NULL);
	case 'l':
		return list(a, STORE_ADMIN_USER, print_pair);
	case 'A':
		return add_admin(a);
	case 'D':
		return change(a, STORE_ADMIN_DEL, STORE_ADMIN_ADMIN, a->user, NULL);
	case 'L':
		return list(a, STORE_ADMIN_ADMIN, print_pair);
	case 's':
		return change(a, STORE_ADMIN_SET, STORE_ADMIN_SECRET, a->secret, NULL);
	case 'S':
		return list(a, STORE_ADMIN_SECRET, print_pair);
	case 'X':
		return change(a, STORE_ADMIN_DEL, STORE_ADMIN_SECRET, a->secret, NULL);
	case OPT_DELETE_SECRETS:
		return delete_secrets(a);
	case 'O':
		return change(a, STORE_ADMIN_SET, STORE_ADMIN_ORIGIN, a->origin, a->realm);
	case 'R':
		return change(a, STORE_ADMIN_DEL, STORE_ADMIN_ORIGIN, a->origin, NULL);
	case 'I':
		return list(a, STORE_ADMIN_ORIGIN, print_origin);
	case 'g':
		return set_options(a);
	case 'G':
		return list(a, STORE_ADMIN_OPTION, print_option);
	default:
		return print_help();
	}
}

static void report(bool is_error, const char *text, void *arg)
{
	(void)arg;
	if (is_error)
		ctl_fail("%s", text);
}

/* The database is named to the rest as the server's configuration would name it. */
static int with_database(struct admin *a)
{
	char *words[5] = { (char *)"turnadmin", (char *)"-n" };
	struct conf *conf;
	int n = 2, status = EXIT_FAILURE;
	const char *option = a->psql ? "psql-userdb" : a->redis ? "redis-userdb" : "userdb";
	const char *value = a->psql ? a->psql : a->redis ? a->redis : a->db ? a->db : default_db;

	if (asprintf(&words[n], "--%s=%s", option, value) < 0)
		return EXIT_FAILURE;
	n++;
	if (a->realm && asprintf(&words[n], "--realm=%s", a->realm) >= 0)
		n++;
	if (!conf_load(n, words, report, NULL, NULL, &conf)) {
		a->ctl.conf = conf;
		status = in_database(a);
		ctl_database_close(a->ctl.db);
		conf_drop(conf);
	}
	while (n-- > 2)
		free(words[n]);
	return status;
}

static int print_key(const struct admin *a)
{
	char key[2 * AUTH_KEY_LEN + 1];
	int status = make_key(a, key);

	if (!status)
		printf("0x%s\n", key);
	return status;
}

static int print_encrypted(const struct admin *a)
{
	char encrypted[ENCRYPTED_LEN + 1];
	int status = encrypt(a, encrypted);

	if (!status)
		puts(encrypted);
	return status;
}

static int act(struct admin *a)
{
	switch (a->action) {
	case 0:
	case 'h':
		return print_help();
	case 'k':
		return print_key(a);
	case 'P':
		return print_encrypted(a);
	default:
		return with_database(a);
	}
}

int ctl_turnadmin(int argc, char **argv)
{
	struct admin a = { .ctl.makes_file = true }; /* as coturn's program does, whatever it is asked for */
	int opt, status = EXIT_SUCCESS;

	while (!status &&
	       (opt = getopt_long(argc, argv, "kadlADLs:SX:ORIgGPEb:e:M:J:N:u:r:p:o:h", options, NULL)) != -1)
		status = take(&a, opt) ? EXIT_SUCCESS : EXIT_FAILURE;
	if (!status)
		status = act(&a);
	forget(a.password);
	forget(a.secret);
	return status;
}

/* taciturnctl: the table of subcommands. */
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/crypto.h"
#include "ctl/ctl.h"
#include "ctl/database.h"
#include "ctl/turnadmin.h"

enum { MAX_URIS = 16, MAX_CONF_WORDS = 24 };

static const struct {
	const char *name;
	ctl_fn *fn;
	const char *help;
	enum { OF_STORE, OF_BOTH, OF_SERVER } of; /* the server: its stats port, which --url names */
} commands[] = {
	{ "credential", ctl_credential,
	  "--user USER [--ttl 120] [--uri URI]... | --user USER [--ttl 120] --url URL\n\tprint iceServers with a time-limited credential",
	  OF_BOTH },
	{ "user", ctl_user, "add NAME [--key] [--file FILE] | list | remove NAME\n\tthe accounts of the database",
	  OF_STORE },
	{ "secret", ctl_secret,
	  "add [--generate] [--file FILE] | list | remove [--end-sessions] [--file FILE]\n\tthe secrets of time-limited credentials",
	  OF_STORE },
	{ "quota", ctl_quota,
	  "show USER | set USER max_allocations=N max_bps=BYTES max_bytes=BYTES period=P | remove USER\n\tlimits of one user",
	  OF_STORE },
	{ "usage", ctl_usage, "USER\n\twhat a user has relayed, by period",
	  OF_STORE },
	{ "db", ctl_db, "init | check | import-coturn --from NAME=CONNINFO\n\tthe tables",
	  OF_STORE },
	{ "status", ctl_status, "\n\thow a running server is", OF_SERVER },
	{ "sessions", ctl_sessions, "[--user USER] | end ID\n\twhat runs on it; one less", OF_SERVER },
	{ "drain", ctl_drain, "[stay | off]\n\tno new sessions, and its end when the last is over; stay: no end", OF_SERVER },
	{ "reload", ctl_reload, "\n\tit reads its files again", OF_SERVER },
};

int ctl_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("taciturnctl: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	return EXIT_FAILURE;
}

int ctl_put_json(json_t *value)
{
	int status = EXIT_FAILURE;

	if (value && json_dumpf(value, stdout, JSON_INDENT(1)) == 0 && putchar('\n') != EOF)
		status = EXIT_SUCCESS;
	json_decref(value);
	return status ? ctl_fail("nothing could be printed") : status;
}

static void print_help(void)
{
	puts("usage: taciturnctl [-c FILE | -n] [--OPTION=VALUE ...] COMMAND ...\n"
	     "\n"
	     "Works with the secrets and the database that the server's configuration names; -n: none, only the\n"
	     "options given (--realm=…, --userdb=FILE, --psql-userdb=…, --redis-userdb=…, --static-auth-secret=…).\n"
	     "--json: print JSON. --file -: read a password or secret from standard input.\n"
	     "\n"
	     "status, sessions, drain, reload, and credential with --url, ask the stats port of a running server:\n"
	     "--url URL (http://127.0.0.1:9641), --token-file FILE or TACITURN_TOKEN, --ca FILE for an own authority.\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		printf("taciturnctl %s %s\n", commands[i].name, commands[i].help);
}

enum {
	OPT_JSON = 256,
	OPT_FILE,
	OPT_USER,
	OPT_TTL,
	OPT_URI,
	OPT_FROM,
	OPT_KEY,
	OPT_GENERATE,
	OPT_END,
	OPT_URL,
	OPT_TOKEN,
	OPT_CA,
	OPT_CONF, /* one of the server's, as it is */
};

static const struct option options[] = {
	{ "json", no_argument, NULL, OPT_JSON },
	{ "file", required_argument, NULL, OPT_FILE },
	{ "user", required_argument, NULL, OPT_USER },
	{ "ttl", required_argument, NULL, OPT_TTL },
	{ "uri", required_argument, NULL, OPT_URI },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "key", no_argument, NULL, OPT_KEY },
	{ "generate", no_argument, NULL, OPT_GENERATE },
	{ "end-sessions", no_argument, NULL, OPT_END },
	{ "url", required_argument, NULL, OPT_URL },
	{ "token-file", required_argument, NULL, OPT_TOKEN },
	{ "ca", required_argument, NULL, OPT_CA },
	{ "help", no_argument, NULL, 'h' },
	{ "realm", required_argument, NULL, OPT_CONF },
	{ "userdb", required_argument, NULL, OPT_CONF },
	{ "psql-userdb", required_argument, NULL, OPT_CONF },
	{ "redis-userdb", required_argument, NULL, OPT_CONF },
	{ "external-ip", required_argument, NULL, OPT_CONF },
	{ 0 },
};

/* The command line, sorted: what is ours, and the words that the configuration's reader gets. */
struct words {
	struct ctl *c;
	char *conf[MAX_CONF_WORDS];
	int n_conf;
	const char *uris[MAX_URIS];
	bool help;
	bool no_memory;
};

static void to_conf(struct words *w, const char *name, const char *value)
{
	char *word = NULL;

	if (w->n_conf == MAX_CONF_WORDS || asprintf(&word, "%s%s%s", name, value ? "=" : "", value ? value : "") < 0)
		w->no_memory = true;
	else
		w->conf[w->n_conf++] = word;
}

static void take_conf(struct words *w, int index, const char *value)
{
	char name[32];

	snprintf(name, sizeof name, "--%s", options[index].name);
	to_conf(w, name, value);
}

/* False: it is no option of ours, and getopt has said so. */
static bool take(struct words *w, int opt, int index)
{
	struct ctl *c = w->c;
	char *end = NULL;

	switch (opt) {
	case 'c':
		to_conf(w, "-c", NULL);
		to_conf(w, optarg, NULL);
		return true;
	case 'n':
		to_conf(w, "-n", NULL);
		return true;
	case 'h':
		w->help = true;
		return true;
	case OPT_JSON:
		c->json = true;
		return true;
	case OPT_FILE:
		c->file = optarg;
		return true;
	case OPT_USER:
		c->user = optarg;
		return true;
	case OPT_TTL:
		c->ttl_s = strtol(optarg, &end, 10);
		if (*end || c->ttl_s <= 0)
			ctl_fail("--ttl: a number of seconds is expected");
		return !*end && c->ttl_s > 0;
	case OPT_URI:
		if (c->n_uris < MAX_URIS)
			w->uris[c->n_uris++] = optarg;
		return true;
	case OPT_FROM:
		c->from = optarg;
		return true;
	case OPT_KEY:
		return c->key = true;
	case OPT_GENERATE:
		return c->generate = true;
	case OPT_END:
		return c->end_sessions = true;
	case OPT_URL:
		c->url = optarg;
		return true;
	case OPT_TOKEN:
		c->token_file = optarg;
		return true;
	case OPT_CA:
		c->ca = optarg;
		return true;
	case OPT_CONF:
		take_conf(w, index, optarg);
		return true;
	default:
		return false;
	}
}

static bool read_words(struct words *w, int argc, char **argv)
{
	int opt, index = 0;

	to_conf(w, argv[0], NULL);
	while ((opt = getopt_long(argc, argv, "c:nh", options, &index)) != -1)
		if (!take(w, opt, index))
			return false;
	w->c->argc = argc - optind;
	w->c->argv = argv + optind;
	w->c->uris = w->uris;
	return !w->no_memory;
}

static void report(bool is_error, const char *text, void *arg)
{
	(void)arg;
	if (is_error)
		ctl_fail("%s", text);
}

/* A command that the stats port does; it has no use for a configuration. */
static int run_at_server(struct ctl *c, const struct words *w, ctl_fn *fn)
{
	int status;

	if (w->n_conf > 1)
		return ctl_fail("-c, -n and the server's options are not for what its stats port does: --url, --token-file");
	if (!c->url)
		c->url = "http://127.0.0.1:9641";
	signal(SIGPIPE, SIG_IGN); /* of the connection; printing says so itself */
	status = fn(c);
	crypto_wipe(c->token, sizeof c->token);
	return status;
}

static int run(struct ctl *c, struct words *w)
{
	const char *name = c->argc ? c->argv[0] : "";
	struct conf *conf;
	int status = EXIT_FAILURE;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(commands[i].name, name) != 0)
			continue;
		c->argc--;
		c->argv++;
		if (commands[i].of == OF_SERVER || (commands[i].of == OF_BOTH && c->url))
			return run_at_server(c, w, commands[i].fn);
		if (c->url || c->token_file || c->ca)
			return ctl_fail("--url, --token-file and --ca are for commands of the stats port; '%s' is none", name);
		if (conf_load(w->n_conf, w->conf, report, NULL, NULL, &conf))
			return EXIT_FAILURE;
		c->conf = conf;
		status = commands[i].fn(c);
		ctl_database_close(c->db);
		conf_drop(conf);
		return status;
	}
	return ctl_fail("'%s' is no command; taciturnctl --help lists them", name);
}

int main(int argc, char **argv)
{
	struct ctl c = { 0 };
	struct words w = { .c = &c };
	int status = EXIT_FAILURE;

	if (ctl_turnadmin_is_meant(argv[0]))
		return ctl_turnadmin(argc, argv);
	if (read_words(&w, argc, argv)) {
		if (w.help)
			print_help();
		status = w.help ? EXIT_SUCCESS : run(&c, &w);
	}
	for (int i = 0; i < w.n_conf; i++)
		free(w.conf[i]);
	return status;
}

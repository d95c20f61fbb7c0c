/*
 * taciturnctl: the operator's command. A subcommand is a row of the table in main.c and a file of this
 * folder; it talks to the database that the server's configuration names, to a running server's stats port, or to
 * nobody. One thread.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "conf/conf.h"
#include "ctl/input.h"

struct ctl_database; /* ctl/database.h */

enum { CTL_TTL_S = 120 }; /* of a credential, unless --ttl says otherwise */

/* What main() found out, for a command. */
struct ctl {
	const struct conf *conf; /* NULL: a command of the stats port, which needs none */
	struct ctl_database *db; /* opened when a command first asks for it */
	bool makes_file; /* SQLite: a file that is not there is made; else it is a mistyped name */
	bool json;
	json_t *rows; /* what a list collects for --json; NULL: rows are printed as they come */
	int argc; /* what stands behind the command's name, options taken out */
	char **argv;
	/* options of commands; NULL and 0: not given */
	const char *file;     /* --file: where a password, a key or a secret is read from; "-": standard input */
	const char *user;     /* --user */
	const char *from;     /* --from: another database's option, NAME=CONNINFO */
	const char *const *uris; /* --uri */
	size_t n_uris;
	long ttl_s;	   /* --ttl */
	bool key;	   /* --key: what is read is 32 hex digits, not a password */
	bool generate;	   /* --generate: a random secret */
	bool end_sessions; /* --end-sessions */
	const char *url;	/* --url: of the stats port */
	const char *token_file; /* --token-file; "-": standard input */
	const char *ca;		/* --ca: whose certificates are believed */
	char token[CTL_INPUT_MAX]; /* "": not read yet; main() wipes it */
};

/* A command: returns the exit status. */
typedef int ctl_fn(struct ctl *c);

/* "taciturnctl: …" to standard error; returns EXIT_FAILURE. */
int ctl_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Prints what a command found: `value` as JSON. Takes the reference; returns the exit status. */
int ctl_put_json(json_t *value);

ctl_fn ctl_credential, ctl_user, ctl_secret, ctl_quota, ctl_usage, ctl_db;
/* ctl/remote.c: at c->url. */
ctl_fn ctl_credential_of_server, ctl_status, ctl_sessions, ctl_drain, ctl_reload;

/*
 * The world of the store suite: one database of one kind, which tests/store/run has started and steers when
 * a test asks it to, a loop, and a backend that is connected to it. Questions are asked and waited for.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bug.h"
#include "net/loop.h"
#include "store/backend.h"
#include "store/op.h"

enum {
	WORLD_TIMEOUT_MS = 1000,   /* of an answer, as the backends are told */
	WORLD_PATIENCE_MS = 60000, /* until a test gives up; never what a test measures */
	WORLD_ROWS = 64,
	WORLD_NAME = 600,
	WORLD_REALMS = 500,
};

struct world_row {
	char realm[WORLD_NAME], name[WORLD_NAME], value[WORLD_NAME];
	size_t realm_len, name_len, value_len;
};

/* A question and what came of it. */
struct asked {
	struct store_op op;
	unsigned n_done; /* once, or the backend is wrong */
	enum store_status status;
	struct world_row *rows; /* WORLD_ROWS of them, for a list; NULL otherwise */
	size_t n_rows;	 /* all that came, also those past WORLD_ROWS */
};

struct world {
	const struct store_kind *kind;
	const char *conninfo;
	bool counts_leases; /* over nodes: Redis */
	bool has_events;    /* coturn's pub/sub */
	struct net_loop *loop;
	struct store_env env;
	struct store_backend *b, *other; /* two nodes on one database */
	int control;			 /* to tests/store/run; -1: none, as when run by hand */
	bool is_up;			 /* what `b` said last */
	unsigned n_changed;
	char why[256];
	unsigned n_realms;
	char realms[WORLD_REALMS][40];
};

extern struct world world;

/* Connects `b` and `other`; fails the test when they do not come up. */
int world_open(void **state);
int world_close(void **state);

/* A backend with another connection string; says to `up` and `why` what becomes of it. NULL: open() refused
 * the string and `why` has its words. */
struct seen {
	bool is_up;
	unsigned n_changed;
	char why[256];
};
struct store_backend *world_connect(const char *conninfo, struct seen *seen);

/* Turns the loop until done(arg) or, a failure of the test, WORLD_PATIENCE_MS. */
void world_until(bool (*done)(void *arg), void *arg);
/* Turns the loop for that long, for what must happen by time alone. */
void world_pass(unsigned ms);

/* Tells the runner to do something to the database: "stop", "start", "hang", "resume", "full", "roomy" … Returns
 * false when this database cannot do that, and the rest of its line in `answer` (may be NULL). */
bool world_control(const char *what, char *answer, size_t cap);

/* A realm that no other test has, terminated; lives until the process ends. */
struct str world_realm(void);

/* An op of that kind, for a realm and a user. */
struct asked *asked_new(enum store_op_kind kind, struct str realm, struct str user);
void asked_free(struct asked *a);
void asked_start(struct asked *a, struct store_backend *b);
void asked_wait(struct asked *a);
/* Starts and waits. */
enum store_status asked_of(struct asked *a, struct store_backend *b);

/* One admin question, asked and waited for. */
enum store_status world_admin(enum store_admin_do what_to_do, enum store_admin_what what, struct str realm,
			      struct str name, struct str value);
/* Lists; the caller frees it with asked_free(). */
struct asked *world_list(enum store_admin_what what, struct str realm, struct str name);
/* The row with that name, or NULL. */
const struct world_row *asked_row(const struct asked *a, struct str realm, struct str name);

/* Reads everything of struct conf_live; drop it with conf_live_drop(). */
struct conf_live *world_live(struct store_backend *b);

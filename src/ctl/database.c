#include "ctl/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "net/loop.h"
#include "store/backend.h"

enum {
	CONNECT_MS = 5000,
	ANSWER_MS = 60 * 1000, /* a schema that is made, a list of a million users */
	TICK_MS = 50,
};

struct ctl_database {
	struct net_loop *loop;
	const struct store_kind *kind;
	struct store_backend *backend;
	struct store_env env;
	char why[256]; /* it is down */
	bool answered;
	enum store_status status;
};

/* The rows of a list reach the command through here: its op->arg is the command's. */
struct asked {
	struct ctl_database *db;
	store_row_fn *row;
	void *arg;
};

static const struct store_kind *const kinds[] = {
#ifdef HAVE_STORE_REDIS
	&store_redis,
#endif
#ifdef HAVE_STORE_PGSQL
	&store_pgsql,
#endif
#ifdef HAVE_STORE_SQLITE
	&store_sqlite,
#endif
};

static const struct store_kind *find_kind(const char *name)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	return NULL;
}

static void on_changed(void *arg, const struct store_backend *b, bool is_up, const char *why)
{
	struct ctl_database *db = arg;

	(void)b;
	snprintf(db->why, sizeof db->why, "%s", is_up || !why ? "" : why);
}

/* Wakes the loop, so that deadlines are seen. */
static void on_tick(int fd, void *arg)
{
	(void)fd;
	(void)arg;
}

static enum err wait_for_it(struct ctl_database *db)
{
	tick deadline = tick_now() + CONNECT_MS;

	while (!db->kind->is_up(db->backend)) {
		if (net_loop_turn(db->loop))
			return ERR_SYS;
		/* the first failure is the answer: nobody waits for a third attempt here */
		if (db->why[0] || tick_before(deadline, tick_now())) {
			ctl_fail("%s: %s", db->kind->name, db->why[0] ? db->why : "no answer");
			return ERR_NOTFOUND;
		}
	}
	return OK;
}

static enum err open_kind(const char *name, const char *conninfo, bool must_exist, struct ctl_database **out)
{
	struct ctl_database *db = calloc(1, sizeof *db);
	struct rng rng;
	enum err e;

	if (!db)
		return ERR_NOMEM;
	db->kind = find_kind(name);
	if (!db->kind) {
		ctl_fail("this build has no %s: see what ./configure said", name);
		free(db);
		return ERR_UNSUPPORTED;
	}
	rng_init(&rng);
	e = net_loop_new(&db->loop);
	if (!e)
		e = net_loop_every(db->loop, TICK_MS, on_tick, db);
	if (!e) {
		db->env = (struct store_env){ .loop = db->loop,
					      .base = net_loop_base(db->loop),
					      .changed = on_changed,
					      .arg = db,
					      .must_exist = must_exist,
					      .timeout_ms = ANSWER_MS };
		rng_bytes(&rng, db->env.hash_key, sizeof db->env.hash_key);
		e = db->kind->open(&db->backend, &db->env, conninfo, db->why, sizeof db->why);
		if (e)
			ctl_fail("%s: %s", name, db->why[0] ? db->why : err_text(e));
	}
	if (!e)
		e = wait_for_it(db);
	if (e) {
		ctl_database_close(db);
		return e;
	}
	*out = db;
	return OK;
}

void ctl_database_close(struct ctl_database *db)
{
	if (!db)
		return;
	if (db->backend)
		db->kind->close(db->backend);
	net_loop_free(db->loop);
	free(db);
}

/* One that was not there may be a mistyped one: whoever asked for it is told. */
static enum err open_file(struct ctl *c)
{
	const char *path = c->conf->userdb;
	bool is_new = access(path, F_OK) != 0;
	enum err e = open_kind("sqlite", path, !c->makes_file, &c->db);

	if (!e && is_new)
		fprintf(stderr, "taciturnctl: %s was not there and has been made\n", path);
	return e;
}

enum err ctl_database_open(struct ctl *c)
{
	const struct conf *conf = c->conf;

	if (c->db)
		return OK;
	if (conf->redis_userdb)
		return open_kind("redis", conf->redis_userdb, false, &c->db);
	if (conf->psql_userdb)
		return open_kind("postgresql", conf->psql_userdb, false, &c->db);
	if (conf->userdb)
		return open_file(c);
	ctl_fail("the configuration names no database: redis-userdb, psql-userdb or userdb; another file: -c FILE");
	return ERR_NOTFOUND;
}

enum err ctl_database_open_other(const char *which, struct ctl_database **out)
{
	static const struct {
		const char *option, *kind;
	} names[] = { { "redis-userdb", "redis" },
		      { "psql-userdb", "postgresql" },
		      { "sql-userdb", "postgresql" },
		      { "userdb", "sqlite" },
		      { "db", "sqlite" } };
	const char *equals = strchr(which, '=');

	for (size_t i = 0; equals && i < sizeof names / sizeof *names; i++)
		if (strlen(names[i].option) == (size_t)(equals - which) &&
		    strncmp(which, names[i].option, (size_t)(equals - which)) == 0)
			return open_kind(names[i].kind, equals + 1, true, out);
	ctl_fail("--from: redis-userdb=…, psql-userdb=… or userdb=FILE is expected");
	return ERR_CONF;
}

static void on_done(struct store_op *op, enum store_status status)
{
	struct asked *a = op->arg;

	a->db->answered = true;
	a->db->status = status;
}

static void on_row(struct store_op *op, const struct store_row *row)
{
	struct asked *a = op->arg;

	op->arg = a->arg;
	a->row(op, row);
	op->arg = a;
}

enum store_status ctl_database_ask(struct ctl_database *db, struct store_op *op)
{
	struct asked a = { db, op->row, op->arg };

	op->arg = &a;
	op->done = on_done;
	if (op->row)
		op->row = on_row;
	db->answered = false;
	db->kind->start(db->backend, op);
	/* the backend gives up after ANSWER_MS by itself */
	while (!db->answered)
		if (net_loop_turn(db->loop))
			abort();
	op->arg = a.arg;
	op->row = a.row;
	return db->status;
}

int ctl_database_admin(struct ctl *c, enum store_admin_do what, const struct store_op *admin, store_row_fn *row,
		       void *arg)
{
	struct store_op op = *admin;
	enum store_status status;

	if (ctl_database_open(c))
		return EXIT_FAILURE;
	op.kind = STORE_ADMIN;
	op.admin_do = what;
	op.row = row;
	op.arg = arg;
	status = ctl_database_ask(c->db, &op);
	if (status == STORE_OK)
		return EXIT_SUCCESS;
	if (status == STORE_NONE)
		return ctl_fail("there is no '%.*s' in realm '%.*s'", STR_ARG(op.admin.name),
				STR_ARG(op.admin.realm));
	return ctl_fail("%s: %s", c->db->kind->name, op.why[0] ? op.why : store_status_text(status));
}

int ctl_database_list(struct ctl *c, const struct store_op *admin, store_row_fn *row)
{
	int status;

	c->rows = c->json ? json_array() : NULL;
	status = ctl_database_admin(c, STORE_ADMIN_LIST, admin, row, c);
	if (!c->rows)
		return status;
	if (status)
		json_decref(c->rows);
	else
		status = ctl_put_json(c->rows);
	c->rows = NULL;
	return status;
}

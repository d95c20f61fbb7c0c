#include "store/sqlite_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"

struct store_sqlite_file {
	sqlite3 *db;
	struct store_sql_facts *facts;
	sqlite3_stmt *stmts[N_STORE_SQL_STMT];
};

static enum store_sql_fault fault_of(sqlite3 *db)
{
	switch (sqlite3_errcode(db) & 0xff) {
	case SQLITE_ERROR:
		return strstr(sqlite3_errmsg(db), "no such table") ? STORE_SQL_NO_TABLE : STORE_SQL_REFUSED;
	case SQLITE_TOOBIG:
	case SQLITE_MISMATCH:
		return STORE_SQL_BAD_TEXT;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_NOMEM:
	case SQLITE_INTERRUPT:
		return STORE_SQL_LOST;
	default:
		return STORE_SQL_REFUSED;
	}
}

/* Prepared once and kept; NULL: the database refused it. */
static sqlite3_stmt *prepare(struct store_sqlite_file *f, const struct store_sql_call *c)
{
	sqlite3_stmt *st = NULL;
	const char *legacy;

	if (c->adhoc) {
		sqlite3_prepare_v2(f->db, c->adhoc, -1, &st, NULL);
		return st;
	}
	st = f->stmts[c->stmt];
	if (st)
		return st;
	if (sqlite3_prepare_v3(f->db, store_sql_stmt_text(c->stmt, false, false), -1, SQLITE_PREPARE_PERSISTENT, &st,
			       NULL) != SQLITE_OK) {
		legacy = store_sql_stmt_text(c->stmt, false, true);
		if (!legacy || !strstr(sqlite3_errmsg(f->db), "no such column") ||
		    sqlite3_prepare_v3(f->db, legacy, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL) != SQLITE_OK)
			return NULL;
	}
	f->stmts[c->stmt] = st;
	return st;
}

/* $1 is a name to SQLite, which numbers parameters as they first occur. */
static void bind_params(sqlite3_stmt *st, const struct store_sql_call *c)
{
	char name[8];

	for (unsigned i = 0; i < c->n_params; i++) {
		int at;

		snprintf(name, sizeof name, "$%u", i + 1);
		at = sqlite3_bind_parameter_index(st, name);
		if (at > 0 && c->params[i])
			sqlite3_bind_text(st, at, c->params[i], -1, SQLITE_STATIC);
	}
}

static void hand_row(struct store_sql_run *r, size_t call, sqlite3_stmt *st)
{
	struct str cells[STORE_SQL_RUN_CELLS] = { { NULL, 0 } };
	int n = sqlite3_column_count(st);

	for (int i = 0; i < n && i < STORE_SQL_RUN_CELLS; i++) {
		const void *p = sqlite3_column_text(st, i);

		if (p)
			cells[i] = (struct str){ p, (size_t)sqlite3_column_bytes(st, i) };
	}
	store_sql_run_row(r, call, cells);
}

/* False: the run ends here. */
static bool execute(struct store_sqlite_file *f, struct store_sql_run *r, size_t call)
{
	const struct store_sql_call *c = &r->calls[call];
	sqlite3_stmt *st = prepare(f, c);
	bool good;
	int rc;

	if (!st)
		return store_sql_run_fault(r, call, fault_of(f->db), sqlite3_errmsg(f->db));
	bind_params(st, c);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW)
		hand_row(r, call, st);
	good = rc == SQLITE_DONE || store_sql_run_fault(r, call, fault_of(f->db), sqlite3_errmsg(f->db));
	if (c->adhoc) {
		sqlite3_finalize(st);
	} else {
		sqlite3_reset(st);
		sqlite3_clear_bindings(st); /* keys and names were lent */
	}
	return good;
}

static bool plain(struct store_sqlite_file *f, const char *text)
{
	return sqlite3_exec(f->db, text, NULL, NULL, NULL) == SQLITE_OK;
}

/* A phase that failed leaves nothing behind. */
static void do_run(struct store_sqlite_file *f, struct store_sql_run *r)
{
	while (store_sql_run_plan(r)) {
		bool good = plain(f, "SAVEPOINT run");

		if (!good)
			store_sql_run_fault(r, 0, fault_of(f->db), sqlite3_errmsg(f->db));
		for (size_t i = 0; i < r->n_calls && good; i++)
			good = execute(f, r, i);
		/* some faults (a full disk) have undone everything by themselves */
		if (sqlite3_get_autocommit(f->db))
			return;
		if (!good)
			plain(f, "ROLLBACK TO run");
		plain(f, "RELEASE run");
	}
}

/* Whether an op of this kind changes something, in any phase. */
static bool may_write(const struct store_op *op)
{
	return op->kind == STORE_USAGE || op->kind == STORE_RECORD ||
	       (op->kind == STORE_ADMIN && op->admin_do != STORE_ADMIN_LIST && op->admin_do != STORE_ADMIN_CHECK);
}

/* What a run of the batch, those from the first to before `end`, has written was undone after it had succeeded. */
static void fail_writes(struct list *batch, const struct list *end, enum store_status status, const char *why)
{
	for (struct list *n = batch->next; n != end; n = n->next) {
		struct store_sql_run *r = list_entry(n, struct store_sql_run, node);

		if (r->status != STORE_OK || !may_write(r->op))
			continue;
		r->status = status;
		snprintf(r->op->why, sizeof r->op->why, "%s", why);
	}
}

void store_sqlite_file_run(struct store_sqlite_file *f, struct list *batch)
{
	bool writes = false, begun;

	if (list_empty(batch))
		return;
	for (struct list *n = batch->next; n != batch; n = n->next)
		writes |= may_write(list_entry(n, struct store_sql_run, node)->op);
	begun = plain(f, writes ? "BEGIN IMMEDIATE" : "BEGIN");
	if (!begun && writes) {
		/* locked by somebody, or read-only: what only reads goes on */
		char why[STORE_SQLITE_WHY];
		enum store_sql_fault fault = fault_of(f->db);

		snprintf(why, sizeof why, "%s", sqlite3_errmsg(f->db));
		plain(f, "BEGIN");
		for (struct list *n = batch->next; n != batch; n = n->next) {
			struct store_sql_run *r = list_entry(n, struct store_sql_run, node);

			if (may_write(r->op))
				store_sql_run_fault(r, 0, fault, why);
		}
	}
	for (struct list *n = batch->next; n != batch; n = n->next) {
		struct store_sql_run *r = list_entry(n, struct store_sql_run, node);

		if (sqlite3_get_autocommit(f->db) && !plain(f, "BEGIN"))
			store_sql_run_fault(r, 0, fault_of(f->db), sqlite3_errmsg(f->db));
		if (r->status == STORE_OK)
			do_run(f, r);
		if (sqlite3_get_autocommit(f->db))
			fail_writes(batch, n->next, STORE_REFUSED, "the transaction was undone: is the disk full?");
	}
	if (!sqlite3_get_autocommit(f->db) && !plain(f, "COMMIT")) {
		fail_writes(batch, batch, fault_of(f->db) == STORE_SQL_LOST ? STORE_DOWN : STORE_REFUSED,
			    sqlite3_errmsg(f->db));
		plain(f, "ROLLBACK");
	}
}

/* --- opening ---------------------------------------------------------------------------------- */

static void ignore_done(struct store_op *op, enum store_status status)
{
	*(enum store_status *)op->arg = status;
}

static enum store_status schema(struct store_sqlite_file *f, enum store_admin_do what, char why[STORE_SQLITE_WHY])
{
	enum store_status status = STORE_DOWN;
	struct store_op op = { .kind = STORE_ADMIN,
			       .admin_do = what,
			       .admin_what = STORE_ADMIN_SCHEMA,
			       .done = ignore_done,
			       .arg = &status };
	struct store_sql_run *r = store_sql_run_new(&op, f->facts);
	struct list batch;

	list_init(&batch);
	if (!r)
		return STORE_DOWN;
	list_push(&batch, &r->node);
	store_sqlite_file_run(f, &batch);
	store_sql_run_finish(r, NULL);
	snprintf(why, STORE_SQLITE_WHY, "%.*s", STORE_SQLITE_WHY - 1, op.why);
	return status;
}

static bool is_empty(struct store_sqlite_file *f)
{
	sqlite3_stmt *st = NULL;
	bool empty = false;

	if (sqlite3_prepare_v2(f->db, "SELECT count(*) FROM sqlite_master", -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		empty = sqlite3_column_int(st, 0) == 0;
	sqlite3_finalize(st);
	return empty;
}

/* It holds keys: nobody else's to read, when it is we who make it. One that is there is never opened here, for
 * closing it would take the locks of all other connections of this process away (sqlite.org/howtocorrupt). */
static bool make(const char *path, char why[STORE_SQLITE_WHY])
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);

	if (fd < 0 && errno != EEXIST && errno != EACCES && errno != EROFS) {
		snprintf(why, STORE_SQLITE_WHY, "%s: %s", path, strerror(errno));
		return false;
	}
	if (fd >= 0)
		close(fd);
	return true; /* one that may only be read has users all the same */
}

/* The name comes last: a long one is cut off, and what to do is not. */
static bool find(const char *path, char why[STORE_SQLITE_WHY])
{
	if (access(path, F_OK) == 0)
		return true;
	if (errno == ENOENT || errno == ENOTDIR)
		snprintf(why, STORE_SQLITE_WHY, "there is no such file, 'taciturnctl db init' makes one: %s", path);
	else
		snprintf(why, STORE_SQLITE_WHY, "%s: %s", strerror(errno), path);
	return false;
}

void store_sqlite_file_open(struct store_sqlite_file **out, const char *path, bool must_exist, unsigned busy_ms,
			    struct store_sql_facts *facts, char why[STORE_SQLITE_WHY])
{
	struct store_sqlite_file *f;
	bool empty;

	*out = NULL;
	if (!(must_exist ? find(path, why) : make(path, why)))
		return;
	f = calloc(1, sizeof *f);
	if (!f) {
		snprintf(why, STORE_SQLITE_WHY, "no memory");
		return;
	}
	f->facts = facts;
	*facts = (struct store_sql_facts){ 0 };
	if (sqlite3_open_v2(path, &f->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
	    sqlite3_busy_timeout(f->db, (int)busy_ms) != SQLITE_OK || !plain(f, "SELECT 1 FROM sqlite_master")) {
		snprintf(why, STORE_SQLITE_WHY, "%s: %s", path, f->db ? sqlite3_errmsg(f->db) : "no memory");
		store_sqlite_file_close(f);
		return;
	}
	/* A reader never waits for a writer then. What was acknowledged is on the disk: FULL, not NORMAL. A
	 * file that may only be read stays as it is, and so does an empty one that is not to get tables. */
	empty = is_empty(f);
	if (!empty || !must_exist)
		plain(f, "PRAGMA journal_mode = WAL");
	plain(f, "PRAGMA synchronous = FULL");
	if (empty && !must_exist)
		schema(f, STORE_ADMIN_INIT, why);
	if (schema(f, STORE_ADMIN_CHECK, why) == STORE_OK)
		why[0] = '\0';
	*out = f;
}

void store_sqlite_file_close(struct store_sqlite_file *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < ARRAY_LEN(f->stmts); i++)
		sqlite3_finalize(f->stmts[i]);
	sqlite3_close(f->db);
	free(f);
}

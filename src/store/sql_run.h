/*
 * One op of op.h on its way through an SQL database: which statements it takes, what their rows mean, and
 * which answer comes of it. The kinds (pgsql.c, sqlite.c) only carry statements to their library and rows
 * back. No I/O here; a run belongs to one thread at a time.
 *
 *   new -> { plan -> for each call: execute, row..., or fault } until plan says no -> finish
 */
#pragma once

#include "base/list.h"
#include "log/log.h"
#include "store/op.h"
#include "store/sql_stmt.h"

enum { STORE_SQL_RUN_CELLS = 8 };

/* What is known of a database, as of the last look at it. */
struct store_sql_facts {
	bool has_ours; /* the tables taciturn_… */
	int version;   /* of them */
};

/* One statement with its parameters, terminated text or NULL. */
struct store_sql_call {
	enum store_sql_stmt stmt;
	const char *adhoc; /* its text, when it is none of sql_stmt.h; else NULL */
	const char **params;
	unsigned n_params;
};

/* Why a statement failed; each kind of database tells these apart by its own codes. */
enum store_sql_fault {
	STORE_SQL_NO_TABLE,
	STORE_SQL_BAD_TEXT, /* a value that the database cannot hold */
	STORE_SQL_REFUSED,  /* permissions, no room, … */
	STORE_SQL_LOST,	    /* no answer, or one that says: later */
};

struct store_sql_run;

/* What an op of one kind is; a file each. */
struct store_sql_plan {
	/* Adds the calls of a phase, from 0 on, with store_sql_run_call(). False: there is nothing (more) to do,
	 * and run->status holds. */
	bool (*plan)(struct store_sql_run *r, unsigned phase);
	/* A row of call number `call`; cells that are NULL have p == NULL. May be NULL. */
	void (*row)(struct store_sql_run *r, size_t call, const struct str *cells);
	/* True: the fault is none. May be NULL. */
	bool (*excuse)(struct store_sql_run *r, size_t call, enum store_sql_fault fault);
};

struct store_sql_chunk;

struct store_sql_run {
	struct list node; /* the kind's */
	unsigned n_done;  /* the kind's: calls that were answered */
	unsigned n_tries; /* the kind's */
	tick since;	  /* the kind's */

	struct store_op *op;
	struct store_sql_facts *facts;
	struct store_sql_call *calls; /* of this phase */
	size_t n_calls;
	bool alone;  /* each call stands for itself; else they are one transaction */
	enum store_status status;

	/* sql_run.c's */
	const struct store_sql_plan *plan;
	unsigned phase;
	bool looking; /* at our tables, which were not there before */
	size_t cap_calls;
	struct store_sql_chunk *chunks;
	struct store_row *rows; /* for op->row */
	size_t n_rows, cap_rows;
	unsigned seen;	/* a plan's own */
	char note[160]; /* for the log: rows that were left out, and why */
};

/* A run for `op`; NULL: no memory. `facts` are the kind's and outlive it. */
struct store_sql_run *store_sql_run_new(struct store_op *op, struct store_sql_facts *facts);
/* True: execute run->calls. False: there is nothing more to do. */
bool store_sql_run_plan(struct store_sql_run *r);
/* Back to the phase that was planned last, to execute it again. */
void store_sql_run_again(struct store_sql_run *r);
void store_sql_run_row(struct store_sql_run *r, size_t call, const struct str *cells);
/* `text` is the database's, one line or more. True when the run goes on with its other calls. */
bool store_sql_run_fault(struct store_sql_run *r, size_t call, enum store_sql_fault fault, const char *text);
/* Hands out the rows, calls op->done() and frees the run. The store thread. */
void store_sql_run_finish(struct store_sql_run *r, struct logger *lg);
/* The same with STORE_DOWN. */
void store_sql_run_down(struct store_sql_run *r, const char *why, struct logger *lg);

/* For plans. Memory that lives as long as the run; NULL: none, and the run fails by itself. */
void *store_sql_run_alloc(struct store_sql_run *r, size_t size);
/* Terminated text as a parameter; what no database takes as text becomes \xNN, and *clean false (may be NULL). */
const char *store_sql_run_text(struct store_sql_run *r, struct str s, bool *clean);
const char *store_sql_run_number(struct store_sql_run *r, int64_t v);
/* One more call. */
void store_sql_run_call(struct store_sql_run *r, enum store_sql_stmt stmt, const char *const *params, unsigned n);
void store_sql_run_adhoc(struct store_sql_run *r, const char *text);
/* Keeps a copy of a row for op->row(). */
void store_sql_run_list(struct store_sql_run *r, struct str realm, struct str name, struct str value);
/* Ends it with a reason for the operator. */
void store_sql_run_refuse(struct store_sql_run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* True when our tables can be used; else it has refused. */
bool store_sql_run_has_ours(struct store_sql_run *r);
/* A number in a cell; `other` for NULL. */
int64_t store_sql_run_cell(struct str cell, int64_t other);

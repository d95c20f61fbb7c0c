#include "store/pgsql_wire.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "net/loop.h"

enum {
	FLIGHT_MAX = 512, /* runs under way */
	TRIES_MAX = 4,	  /* of a run that met a deadlock, or a statement that is prepared no more */
};

enum prepared { NOT_PREPARED, PREPARED, NEVER };

struct store_pgsql_wire {
	struct store_env env;
	struct store_pgsql_wire_owner owner;
	PGconn *conn;
	struct net_watch readable, writable;
	bool watches_writable;
	struct event *later; /* the owner is told of a failure from the loop, never from within send */
	char why[200];	     /* not empty: it is broken */
	struct list sent;    /* of store_sql_run, in the order of their answers */
	size_t n_sent;
	tick heard;
	bool again; /* the run whose answer is read is to be sent once more */
	/* Statements are prepared one after the other, before the first run: these many answers are theirs. */
	enum prepared prepared[STORE_SQL_STMT_HOT];
	unsigned n_preparing, prepare_at;
};

static void name_of(enum store_sql_stmt s, char name[24])
{
	snprintf(name, 24, "taciturn_%u", (unsigned)s);
}

static void break_off(struct store_pgsql_wire *w, const char *why)
{
	if (w->why[0])
		return;
	snprintf(w->why, sizeof w->why, "%s", why && *why ? why : "the connection broke");
	w->why[strcspn(w->why, "\n")] = '\0';
	net_loop_unwatch(&w->readable);
	if (w->watches_writable)
		net_loop_unwatch(&w->writable);
	w->watches_writable = false;
	event_active(w->later, EV_TIMEOUT, 0);
}

static void on_later(evutil_socket_t fd, short what, void *arg)
{
	struct store_pgsql_wire *w = arg;

	(void)fd;
	(void)what;
	w->owner.broken(w->owner.arg, w->why);
}

static void flush(struct store_pgsql_wire *w);

static void on_writable(int fd, void *arg)
{
	(void)fd;
	flush(arg);
}

static void flush(struct store_pgsql_wire *w)
{
	int left;

	if (w->why[0])
		return;
	left = PQflush(w->conn);
	if (left < 0) {
		break_off(w, PQerrorMessage(w->conn));
	} else if (left > 0 && !w->watches_writable) {
		w->watches_writable = net_loop_watch_writable(w->env.loop, &w->writable, PQsocket(w->conn),
							      on_writable, w) == OK;
		if (!w->watches_writable)
			break_off(w, "no memory");
	} else if (left == 0 && w->watches_writable) {
		net_loop_unwatch(&w->writable);
		w->watches_writable = false;
	}
}

/* --- sending ---------------------------------------------------------------------------------- */

static bool send_call(struct store_pgsql_wire *w, const struct store_sql_call *c)
{
	char name[24];

	if (!c->adhoc && c->stmt < STORE_SQL_STMT_HOT && w->prepared[c->stmt] == PREPARED) {
		name_of(c->stmt, name);
		return PQsendQueryPrepared(w->conn, name, (int)c->n_params, c->params, NULL, NULL, 0);
	}
	return PQsendQueryParams(w->conn, c->adhoc ? c->adhoc : store_sql_stmt_text(c->stmt, true, false),
				 (int)c->n_params, NULL, c->params, NULL, NULL, 0);
}

static void send_planned(struct store_pgsql_wire *w, struct store_sql_run *r)
{
	bool good = !w->why[0];

	if (w->n_sent == 0 && w->n_preparing == 0)
		w->heard = tick_now(); /* silence begins with the question */
	list_push(&w->sent, &r->node);
	w->n_sent++;
	for (size_t i = 0; i < r->n_calls && good; i++)
		good = send_call(w, &r->calls[i]) && (!r->alone || PQpipelineSync(w->conn));
	if (good && !r->alone)
		good = PQpipelineSync(w->conn);
	if (!good)
		break_off(w, PQerrorMessage(w->conn));
	flush(w);
}

void store_pgsql_wire_send(struct store_pgsql_wire *w, struct store_sql_run *r)
{
	if (store_sql_run_plan(r))
		send_planned(w, r);
	else
		store_sql_run_finish(r, w->env.lg);
}

void store_pgsql_wire_prepare(struct store_pgsql_wire *w)
{
	bool good = true;
	char name[24];

	w->heard = tick_now();
	w->prepare_at = 0;
	w->n_preparing = STORE_SQL_STMT_HOT;
	for (unsigned i = 0; i < STORE_SQL_STMT_HOT && good; i++) {
		name_of(i, name);
		good = PQsendPrepare(w->conn, name, store_sql_stmt_text(i, true, false), 0, NULL) &&
		       PQpipelineSync(w->conn);
	}
	if (!good)
		break_off(w, PQerrorMessage(w->conn));
	flush(w);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void hand_rows(struct store_sql_run *r, const PGresult *res)
{
	int n = PQnfields(res), rows = PQntuples(res);

	for (int y = 0; y < rows; y++) {
		struct str cells[STORE_SQL_RUN_CELLS] = { { NULL, 0 } };

		for (int x = 0; x < n && x < STORE_SQL_RUN_CELLS; x++)
			if (!PQgetisnull(res, y, x))
				cells[x] = (struct str){ PQgetvalue(res, y, x), (size_t)PQgetlength(res, y, x) };
		store_sql_run_row(r, r->n_done, cells);
	}
}

static bool starts(const char *state, const char *with)
{
	return strncmp(state, with, strlen(with)) == 0;
}

/* By SQLSTATE, of Appendix A of PostgreSQL's manual. */
static enum store_sql_fault fault_of(const char *state)
{
	if (strcmp(state, "42P01") == 0) /* undefined_table */
		return STORE_SQL_NO_TABLE;
	if (starts(state, "22")) /* data exception: encodings and lengths too */
		return STORE_SQL_BAD_TEXT;
	if (starts(state, "40") || starts(state, "55P") || starts(state, "57") || starts(state, "08"))
		return STORE_SQL_LOST;
	return STORE_SQL_REFUSED;
}

/* Worth another try at once: it was the victim of a deadlock, two made the same table in one moment, or what
 * was prepared is not there, as behind a pool that hands each transaction to another connection. */
static bool deserves_another(struct store_pgsql_wire *w, const struct store_sql_run *r, const char *state)
{
	if (r->n_tries >= TRIES_MAX || r->alone)
		return false;
	if (strcmp(state, "26000") == 0) {
		for (unsigned i = 0; i < STORE_SQL_STMT_HOT; i++)
			w->prepared[i] = NEVER;
		return true;
	}
	return strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0 ||
	       (r->op->kind == STORE_ADMIN && r->op->admin_do == STORE_ADMIN_INIT && strcmp(state, "23505") == 0);
}

static void on_fault(struct store_pgsql_wire *w, struct store_sql_run *r, const PGresult *res)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

	state = state ? state : "08000";
	if (deserves_another(w, r, state))
		w->again = true;
	else
		store_sql_run_fault(r, r->n_done, fault_of(state), text ? text : PQresultErrorMessage(res));
}

/* The answers to all calls of a run are there. */
static void end_run(struct store_pgsql_wire *w, struct store_sql_run *r)
{
	list_del(&r->node);
	w->n_sent--;
	if (w->again) {
		w->again = false;
		r->n_tries++;
		store_sql_run_again(r);
		send_planned(w, r);
		return;
	}
	store_pgsql_wire_send(w, r); /* its next phase; or finished */
}

static void on_run_result(struct store_pgsql_wire *w, const PGresult *res)
{
	struct store_sql_run *r = list_entry(w->sent.next, struct store_sql_run, node);

	switch (PQresultStatus(res)) {
	case PGRES_TUPLES_OK:
		hand_rows(r, res);
		break;
	case PGRES_COMMAND_OK:
	case PGRES_PIPELINE_ABORTED: /* the fault was told already */
		break;
	case PGRES_PIPELINE_SYNC:
		if (!r->alone || r->n_done == r->n_calls)
			end_run(w, r);
		break;
	default:
		on_fault(w, r, res);
	}
}

static void on_result(struct store_pgsql_wire *w, const PGresult *res)
{
	ExecStatusType status = PQresultStatus(res);

	if (w->n_preparing == 0 || w->prepare_at >= STORE_SQL_STMT_HOT) {
		on_run_result(w, res);
	} else if (status == PGRES_PIPELINE_SYNC) {
		w->prepare_at++;
		w->n_preparing--;
	} else if (status == PGRES_COMMAND_OK) {
		w->prepared[w->prepare_at] = PREPARED;
	}
}

static void on_readable(int fd, void *arg)
{
	struct store_pgsql_wire *w = arg;

	(void)fd;
	if (!PQconsumeInput(w->conn)) {
		break_off(w, PQerrorMessage(w->conn));
		return;
	}
	w->heard = tick_now();
	while (!w->why[0] && (w->n_sent || w->n_preparing) && PQstatus(w->conn) != CONNECTION_BAD &&
	       !PQisBusy(w->conn)) {
		PGresult *res = PQgetResult(w->conn);

		if (res)
			on_result(w, res);
		else if (w->n_preparing == 0)
			list_entry(w->sent.next, struct store_sql_run, node)->n_done++;
		PQclear(res);
	}
	if (PQstatus(w->conn) == CONNECTION_BAD)
		break_off(w, PQerrorMessage(w->conn));
	if (w->why[0])
		return;
	flush(w);
	w->owner.room(w->owner.arg);
}

/* --- life ------------------------------------------------------------------------------------- */

static void ignore_notice(void *arg, const PGresult *res)
{
	(void)arg;
	(void)res; /* "relation exists, skipping" and the like are no news */
}

enum err store_pgsql_wire_new(struct store_pgsql_wire **out, const struct store_env *env, PGconn *conn,
			      const struct store_pgsql_wire_owner *owner)
{
	struct store_pgsql_wire *w = calloc(1, sizeof *w);
	enum err e = ERR_NOMEM;

	if (!w)
		return ERR_NOMEM;
	w->env = *env;
	w->owner = *owner;
	w->conn = conn;
	w->heard = tick_now();
	list_init(&w->sent);
	PQsetNoticeReceiver(conn, ignore_notice, NULL);
	w->later = event_new(env->base, -1, 0, on_later, w);
	if (!w->later || PQsetnonblocking(conn, 1) || !PQenterPipelineMode(conn))
		goto free_wire;
	e = net_loop_watch(env->loop, &w->readable, PQsocket(conn), on_readable, w);
	if (e)
		goto free_wire;
	*out = w;
	return OK;

free_wire:
	if (w->later)
		event_free(w->later);
	free(w);
	return e;
}

void store_pgsql_wire_free(struct store_pgsql_wire *w, const char *why)
{
	if (!w)
		return;
	if (!w->why[0])
		net_loop_unwatch(&w->readable);
	if (w->watches_writable)
		net_loop_unwatch(&w->writable);
	event_free(w->later);
	PQfinish(w->conn);
	while (!list_empty(&w->sent)) {
		struct store_sql_run *r = list_entry(w->sent.next, struct store_sql_run, node);

		list_del(&r->node);
		store_sql_run_down(r, why, w->env.lg);
	}
	free(w);
}

bool store_pgsql_wire_has_room(const struct store_pgsql_wire *w)
{
	return w->n_sent < FLIGHT_MAX && !w->why[0];
}

bool store_pgsql_wire_is_busy(const struct store_pgsql_wire *w)
{
	return w && (w->n_sent || w->n_preparing);
}

bool store_pgsql_wire_is_silent(const struct store_pgsql_wire *w, unsigned ms)
{
	return store_pgsql_wire_is_busy(w) && tick_now() - w->heard >= ms;
}

/*
 * PostgreSQL, in pipeline mode: questions go out as they come and answers are read in that order. A run that is
 * one transaction ends with one synchronization; one whose statements stand for themselves has one after each.
 */
#include <event2/event.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/crypto.h"
#include "base/rng.h"
#include "store/pgsql_dial.h"
#include "store/pgsql_wire.h"

enum {
	WAITING_MAX = 16384, /* runs; more are answered with STORE_DOWN */
	BACKOFF_MIN_MS = 100,
	BACKOFF_MAX_MS = 5000,
	LOOK_MS = 50, /* between looks at deadlines, while anything is under way */
};

enum state { AWAY, DIALLING, LOOKING, READY };

struct store_backend {
	struct store_env env;
	enum state state;
	struct store_pgsql_dial *dial;
	struct store_pgsql_wire *wire; /* LOOKING, READY */
	struct event *timer;
	struct list waiting; /* of store_sql_run; not sent yet */
	size_t n_waiting;
	struct store_sql_facts facts;
	struct store_op look; /* at the tables, on each connection */
	bool up, told;
	unsigned backoff_ms;
	tick dial_at;
	struct rng rng;
	char why[STORE_PGSQL_DIAL_WHY];
	char conninfo[];
};

static void arm(struct store_backend *b, unsigned ms)
{
	const struct timeval t = { ms / 1000, (long)(ms % 1000) * 1000 };

	event_add(b->timer, &t);
}

static void tell(struct store_backend *b, bool up)
{
	if (b->told && up == b->up)
		return;
	b->told = true;
	b->up = up;
	if (b->env.changed)
		b->env.changed(b->env.arg, b, up, up ? NULL : b->why);
}

static void fail_waiting(struct store_backend *b, bool only_old)
{
	tick now = tick_now();

	while (!list_empty(&b->waiting)) {
		struct store_sql_run *r = list_entry(b->waiting.next, struct store_sql_run, node);

		if (only_old && now - r->since < b->env.timeout_ms)
			return;
		list_del(&r->node);
		b->n_waiting--;
		store_sql_run_down(r, b->why[0] ? b->why : "no connection within the time of an answer",
				   b->env.lg);
	}
}

/* The connection is gone, or there was none: whoever waits is told, and it is tried again later. */
static void go_away(struct store_backend *b, const char *why)
{
	struct store_pgsql_wire *wire = b->wire;
	unsigned half = b->backoff_ms / 2;

	snprintf(b->why, sizeof b->why, "%s", why);
	b->state = AWAY;
	b->wire = NULL;
	b->dial_at = tick_now() + half + rng_below(&b->rng, half + 1);
	b->backoff_ms = b->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : b->backoff_ms * 2;
	tell(b, false);
	store_pgsql_wire_free(wire, b->why);
	fail_waiting(b, false);
	arm(b, LOOK_MS);
}

static void on_broken(void *arg, const char *why)
{
	go_away(arg, why);
}

static void send_waiting(struct store_backend *b)
{
	while (b->state == READY && !list_empty(&b->waiting) && store_pgsql_wire_has_room(b->wire)) {
		struct store_sql_run *r = list_entry(b->waiting.next, struct store_sql_run, node);

		list_del(&r->node);
		b->n_waiting--;
		store_pgsql_wire_send(b->wire, r);
	}
}

static void on_room(void *arg)
{
	send_waiting(arg);
}

static void on_looked(struct store_op *op, enum store_status status)
{
	struct store_backend *b = op->arg;
	char text[320];

	if (b->state != LOOKING || status == STORE_DOWN)
		return; /* it broke meanwhile, which is told where it is seen */
	b->state = READY;
	b->backoff_ms = BACKOFF_MIN_MS;
	b->why[0] = '\0';
	if (status != STORE_OK)
		log_warn(b->env.lg, NULL, "store_schema", "store=postgresql note=%s",
			 log_quote(str_of(op->why), text, sizeof text));
	store_pgsql_wire_prepare(b->wire);
	tell(b, true);
	send_waiting(b);
}

static void on_dialled(void *arg, PGconn *conn, const char *why)
{
	struct store_backend *b = arg;
	struct store_sql_run *r;

	b->dial = NULL;
	if (!conn) {
		go_away(b, why);
		return;
	}
	if (b->env.reached)
		b->env.reached(b->env.arg, PQsocket(conn));
	b->look = (struct store_op){ .kind = STORE_ADMIN,
				     .admin_do = STORE_ADMIN_CHECK,
				     .admin_what = STORE_ADMIN_SCHEMA,
				     .done = on_looked,
				     .arg = b };
	r = store_sql_run_new(&b->look, &b->facts);
	if (!r || store_pgsql_wire_new(&b->wire, &b->env, conn,
				       &(struct store_pgsql_wire_owner){ on_broken, on_room, b })) {
		PQfinish(conn);
		free(r); /* nothing was planned yet */
		go_away(b, "no memory");
		return;
	}
	b->state = LOOKING;
	store_pgsql_wire_send(b->wire, r);
	arm(b, LOOK_MS);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct store_backend *b = arg;

	(void)fd;
	(void)what;
	if (b->state == AWAY && !tick_before(tick_now(), b->dial_at)) {
		if (store_pgsql_dial_start(&b->dial, b->env.loop, b->conninfo, on_dialled, b))
			go_away(b, "no thread for a connection");
		else
			b->state = DIALLING;
	}
	fail_waiting(b, true);
	if (b->wire && store_pgsql_wire_is_silent(b->wire, b->env.timeout_ms))
		go_away(b, "no answer within the time of one; the connection was given up");
	if (b->state != READY || b->n_waiting || store_pgsql_wire_is_busy(b->wire))
		arm(b, LOOK_MS);
}

static enum err check_conninfo(const char *conninfo, char *why, size_t why_len)
{
	char *text = NULL;
	PQconninfoOption *options = PQconninfoParse(conninfo, &text);

	if (!options) {
		snprintf(why, why_len, "psql-userdb: %s", text ? text : "no memory");
		why[strcspn(why, "\n")] = '\0';
		PQfreemem(text);
		return ERR_CONF;
	}
	PQconninfoFree(options);
	return OK;
}

static enum err open_backend(struct store_backend **out, const struct store_env *env, const char *conninfo,
			     char *why, size_t why_len)
{
	struct store_backend *b;
	enum err e = check_conninfo(conninfo, why, why_len);

	if (e)
		return e;
	b = calloc(1, sizeof *b + strlen(conninfo) + 1);
	if (!b)
		return ERR_NOMEM;
	b->env = *env;
	strcpy(b->conninfo, conninfo);
	list_init(&b->waiting);
	rng_init(&b->rng);
	b->backoff_ms = BACKOFF_MIN_MS;
	b->timer = event_new(env->base, -1, 0, on_timer, b);
	if (!b->timer) {
		free(b);
		return ERR_NOMEM;
	}
	arm(b, 0);
	*out = b;
	return OK;
}

static void close_backend(struct store_backend *b)
{
	b->state = AWAY;
	strcpy(b->why, "the database is closed");
	store_pgsql_dial_cancel(b->dial);
	store_pgsql_wire_free(b->wire, b->why);
	b->wire = NULL;
	fail_waiting(b, false);
	event_free(b->timer);
	crypto_wipe(b->conninfo, strlen(b->conninfo));
	free(b);
}

static void start(struct store_backend *b, struct store_op *op)
{
	struct store_sql_run *r = store_sql_run_new(op, &b->facts);

	if (!r) {
		snprintf(op->why, sizeof op->why, "no memory");
		op->done(op, STORE_DOWN);
		return;
	}
	if (r->status != STORE_OK) {
		store_sql_run_finish(r, b->env.lg);
		return;
	}
	/* the first connection may still come in time; one that was refused or lost is down */
	if (b->n_waiting >= WAITING_MAX || (b->told && !b->up)) {
		store_sql_run_down(r, b->why[0] ? b->why : "too many questions wait", b->env.lg);
		return;
	}
	r->since = tick_now();
	list_push(&b->waiting, &r->node);
	b->n_waiting++;
	send_waiting(b);
	if (!event_pending(b->timer, EV_TIMEOUT, NULL))
		arm(b, LOOK_MS);
}

static bool is_up(const struct store_backend *b)
{
	return b->up;
}

const struct store_kind store_pgsql = { "postgresql", open_backend, close_backend, start, is_up, false };

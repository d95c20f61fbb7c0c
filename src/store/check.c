#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/bug.h"
#include "base/rng.h"
#include "store/backend.h"
#include "store/kinds.h"
#include "store/store.h"

enum { CONNECT_MS = 5000, ANSWER_MS = 5000, TICK_MS = 50 };

/* One database, looked at. */
struct look {
	const char *option;
	const struct store_kind *kind;
	struct net_loop *loop;
	struct store_backend *b;
	bool answered;
	enum store_status status;
	char why[256]; /* it is down */
	struct store_op op;
};

static void on_changed(void *arg, const struct store_backend *b, bool is_up, const char *why)
{
	struct look *l = arg;

	(void)b;
	snprintf(l->why, sizeof l->why, "%s", is_up || !why ? "" : why);
}

static void on_done(struct store_op *op, enum store_status status)
{
	struct look *l = op->arg;

	l->answered = true;
	l->status = status;
}

/* Wakes the loop, so that deadlines are seen. */
static void on_tick(int fd, void *arg)
{
	(void)fd;
	(void)arg;
}

static bool is_over(tick deadline)
{
	return tick_before(deadline, tick_now());
}

/* The first failure is the answer. */
static enum err wait_until_up(struct look *l)
{
	tick deadline = tick_now() + CONNECT_MS;

	while (!l->kind->is_up(l->b)) {
		if (net_loop_turn(l->loop) || l->why[0] || is_over(deadline))
			return ERR_NOTFOUND;
	}
	return OK;
}

static void ask_schema(struct look *l)
{
	tick deadline = tick_now() + ANSWER_MS;

	l->op = (struct store_op){ .kind = STORE_ADMIN,
				   .admin_do = STORE_ADMIN_CHECK,
				   .admin_what = STORE_ADMIN_SCHEMA,
				   .done = on_done,
				   .arg = l };
	l->kind->start(l->b, &l->op);
	while (!l->answered && !is_over(deadline) && !net_loop_turn(l->loop))
		;
}

static enum err tell(const struct look *l, bool is_error, const char *what, conf_report_fn *report, void *arg)
{
	char text[320];

	snprintf(text, sizeof text, "%s: %s", l->option, what);
	report(is_error, text, arg);
	return is_error ? ERR_CONF : OK;
}

static enum err judge(const struct look *l, conf_report_fn *report, void *arg)
{
	if (!l->answered)
		return tell(l, true, "no answer in time", report, arg);
	if (l->status == STORE_OK || l->status == STORE_UNSUPPORTED)
		return OK;
	/* NONE: there are coturn's tables, and none of ours */
	return tell(l, l->status != STORE_NONE, l->op.why[0] ? l->op.why : store_status_text(l->status), report, arg);
}

static enum err look_at(struct look *l, const char *conninfo, conf_report_fn *report, void *arg)
{
	struct store_env env = { .changed = on_changed, .arg = l, .must_exist = true, .timeout_ms = ANSWER_MS };
	struct rng rng;
	enum err e = net_loop_new(&l->loop);

	if (!e)
		e = net_loop_every(l->loop, TICK_MS, on_tick, l);
	if (e)
		return e;
	rng_init(&rng);
	rng_bytes(&rng, env.hash_key, sizeof env.hash_key);
	env.loop = l->loop;
	env.base = net_loop_base(l->loop);
	e = l->kind->open(&l->b, &env, conninfo, l->why, sizeof l->why);
	if (!e)
		e = wait_until_up(l);
	if (e) {
		e = tell(l, true, l->why[0] ? l->why : "no answer in time", report, arg);
	} else {
		ask_schema(l);
		e = judge(l, report, arg);
	}
	if (l->b)
		l->kind->close(l->b); /* an op that is under way is done by this */
	net_loop_free(l->loop);
	return e;
}

/* What the server makes when it starts; by looking nothing is made. NULL: there is one with something in it, or it is not to be reached. */
static const char *unmade(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return errno == ENOENT ? "there is no such file; it is made when the server starts" : NULL;
	return st.st_size == 0 ? "the file is empty; its tables are made when the server starts" : NULL;
}

enum err store_check(const struct conf *conf, conf_report_fn *report, void *arg)
{
	const char *conninfo;
	struct look users = { .kind = store_kinds_users(conf, &conninfo, &users.option) };
	struct look counts = { .option = "redis-statsdb", .kind = store_kinds_counts(conf) };
	enum err e = OK, second = OK;
	const char *none = users.kind && users.kind == store_kinds_file() ? unmade(conninfo) : NULL;

	if (none)
		e = tell(&users, false, none, report, arg);
	else if (users.kind)
		e = look_at(&users, conninfo, report, arg);
	if (conf->redis_statsdb && *conf->redis_statsdb && counts.kind)
		second = look_at(&counts, conf->redis_statsdb, report, arg);
	return e ? e : second;
}

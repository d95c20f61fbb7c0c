#include "worker/bridge.h"

#include <pthread.h>
#include <stdlib.h>

#include "worker/msg.h"
#include "worker/worker.h"

struct worker_bridge {
	const struct relay_shared *shared;
	struct worker_board *board;
	struct store *store;
	struct mbox *failures;	/* to control, which needs no more than one and reads none */
	pthread_mutex_t lock;	/* of what follows */
	struct worker *workers; /* NULL: there are none, or no more */
};

enum err worker_bridge_new(struct worker_bridge **out, const struct relay_shared *shared)
{
	struct worker_bridge *b = calloc(1, sizeof *b);
	enum err e;

	if (!b)
		return ERR_NOMEM;
	b->shared = shared;
	pthread_mutex_init(&b->lock, NULL);
	e = worker_board_new(&b->board, shared->conf->n_workers);
	if (!e)
		e = mbox_new(&b->failures, 1, 1);
	if (e) {
		worker_bridge_free(b);
		return e;
	}
	*out = b;
	return OK;
}

void worker_bridge_free(struct worker_bridge *b)
{
	if (!b)
		return;
	worker_board_free(b->board);
	mbox_free(b->failures);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

struct worker_board *worker_bridge_board(struct worker_bridge *b)
{
	return b->board;
}

struct store *worker_bridge_store(const struct worker_bridge *b)
{
	return b->store;
}

void worker_bridge_connect(struct worker_bridge *b, struct worker *workers)
{
	pthread_mutex_lock(&b->lock);
	b->workers = workers;
	pthread_mutex_unlock(&b->lock);
}

/* --- what the store calls, in its thread --- */

static enum store_taken on_answer(void *arg, struct store_job *job)
{
	const struct worker_msg msg = { .kind = WORKER_STORE, .job = job };
	struct worker_bridge *b = arg;
	enum store_taken taken = STORE_GONE;

	pthread_mutex_lock(&b->lock);
	if (b->workers && job->worker < b->shared->conf->n_workers)
		taken = mbox_send(b->workers[job->worker].mbox, &msg) ? STORE_LATER : STORE_TAKEN;
	pthread_mutex_unlock(&b->lock);
	return taken;
}

static void on_live(void *arg, struct conf_live *live)
{
	struct worker_bridge *b = arg;

	worker_board_set_live(b->board, live);
}

static bool on_withdrawn(void *arg, struct str secret)
{
	return !worker_bridge_withdraw(arg, secret);
}

static void on_over(void *arg, struct str realm, struct str user)
{
	const struct relay_expel who = { .why = TURN_END_QUOTA, .realm = realm, .user = user };
	struct worker_bridge *b = arg;

	(void)!worker_board_expel(b->board, &who); /* full: the next usage finds them over it again */
}

static bool on_limits(void *arg, struct str realm, struct str user, const struct store_limits *limits)
{
	struct relay_relimit who = { .realm = realm, .user = user, .max_bps = limits->max_bps };
	struct worker_bridge *b = arg;

	who.has_period = conf_period_find(limits->period, &who.period);
	return !worker_board_relimit(b->board, &who);
}

static void on_failed(void *arg)
{
	worker_bridge_fail(arg);
}

enum err worker_bridge_start(struct worker_bridge *b, struct log *log, conf_report_fn *report,
			     void *arg)
{
	const struct store_hooks hooks = {
		.answer = on_answer, .live = on_live, .withdrawn = on_withdrawn, .over = on_over,
		.limits = on_limits, .failed = on_failed, .arg = b
	};
	const struct relay_shared *sh = b->shared;

	if (!store_is_needed(sh->conf))
		return OK;
	return store_start(&b->store, sh->conf, sh->node, sh->epoch, &hooks, log, report, arg);
}

void worker_bridge_stop(struct worker_bridge *b)
{
	if (b->store)
		store_stop(b->store);
	b->store = NULL;
}

enum err worker_bridge_withdraw(struct worker_bridge *b, struct str secret)
{
	const struct relay_expel what = { .why = TURN_END_WITHDRAWN,
					  .secret = auth_check_digest(b->shared->digest_key,
								      secret) };

	return worker_board_expel(b->board, &what);
}

enum err worker_bridge_revoke(struct worker_bridge *b, struct str realm, struct str user)
{
	const struct relay_expel who = { .why = TURN_END_WITHDRAWN,
					 .realm = realm,
					 .user = user };

	return worker_board_expel(b->board, &who);
}

static bool is_set(const char *option)
{
	return option && *option;
}

void worker_bridge_fail(struct worker_bridge *b)
{
	(void)!mbox_send(b->failures, ""); /* full: it is known */
}

int worker_bridge_failure_fd(const struct worker_bridge *b)
{
	return mbox_fd(b->failures);
}

struct relay_asker worker_bridge_kinds(const struct conf *conf)
{
	bool users = is_set(conf->userdb) || is_set(conf->psql_userdb) ||
		     is_set(conf->redis_userdb);
	bool stats = is_set(conf->redis_statsdb);

	return (struct relay_asker){ .users = users,
				     .leases = true,
				     .usage = true,
				     .records = users || stats,
				     .events = stats };
}

#include "store/store.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/rng.h"
#include "base/thread.h"
#include "store/inside.h"
#include "store/kinds.h"

enum {
	TICK_MS = 50,
	USAGE_MS = 1000,
	TIMEOUT_MS = 3000, /* of one answer, to the backends */
	STOP_MS = 5000,
};

/* A job, an op or, both NULL, the end. */
struct message {
	struct store_job *job;
	struct store_op *op;
};

static bool is_set(const char *option)
{
	return option && *option;
}

/* Who may set limits and revoke has to have somewhere to do it. */
static bool has_admin(const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_tokens; i++)
		if (conf->tokens[i].role == CONF_ROLE_ADMIN)
			return true;
	return false;
}

bool store_is_needed(const struct conf *conf)
{
	return is_set(conf->userdb) || is_set(conf->psql_userdb) || is_set(conf->redis_userdb) ||
	       is_set(conf->redis_statsdb) || conf->user_byte_quota > 0 || has_admin(conf);
}

/* --- the turn of the thread --- */

static void on_applied(void *arg, const struct store_batch *b)
{
	struct store *s = arg;

	int64_t wall_s = tick_wall_s();

	for (size_t i = 0; i < b->n_usage; i++) {
		const struct store_usage *u = &b->usage[i];

		if (u->has_limits)
			store_question_learn(s, u->realm, u->user, &u->limits);
		if (store_quota_is_over(s->quotas, u, wall_s) && s->conf->byte_quota_enforce /* end */)
			s->hooks.over(s->hooks.arg, u->realm, u->user);
	}
}

static void run_all(struct store *s, tick now)
{
	store_link_expire(&s->waiting, now);
	store_leases_run(s->leases, now);
	for (size_t i = 0; i < s->n_links; i++) {
		if (!s->delivery[i])
			continue;
		store_delivery_run(s->delivery[i], now);
		store_link_note(&s->link[i], store_delivery_waiting(s->delivery[i]), store_delivery_lost(s->delivery[i]));
	}
	store_link_note_quota(s->counts, store_quota_near(s->quotas), store_quota_over(s->quotas));
	store_question_again(s);
}

static bool is_idle(const struct store *s)
{
	bool idle = (!s->counts->up || store_leases_idle(s->leases)) && s->n_asked == 0 && !s->unanswered;

	for (size_t i = 0; i < s->n_links; i++)
		idle &= !s->delivery[i] || store_delivery_idle(s->delivery[i]);
	return idle;
}

static void on_tick(int fd, void *arg)
{
	struct store *s = arg;
	tick now = net_loop_now(s->loop);

	(void)fd;
	if (!tick_before(now, s->next_usage) || s->stopping) {
		s->next_usage = now + USAGE_MS;
		store_report_flush(s);
	}
	if (!tick_before(now, s->next_live) && !s->stopping)
		store_reader_read(s, now);
	run_all(s, now);
	if (s->stopping && (is_idle(s) || !tick_before(now, s->stop_at)))
		s->stop = true;
}

static void on_up(struct store_link *l, void *arg)
{
	struct store *s = arg;

	if (l == s->counts && s->leases)
		store_leases_renew_all(s->leases);
	s->next_live = 0; /* what is in it, and that it is there */
}

static void do_op(struct store *s, struct store_op *op);

static void do_job(struct store *s, struct store_job *job)
{
	switch (job->kind) {
	case STORE_JOB_KEY:
		store_question_key(s, job);
		break;
	case STORE_JOB_LEASE:
		store_question_lease(s, job);
		break;
	case STORE_JOB_HOLD:
		store_question_hold(s, job);
		break;
	case STORE_JOB_RELEASE:
		store_leases_gave(s->leases, job->realm, job->user, job->lease.id);
		store_job_free(job);
		break;
	case STORE_JOB_USAGE:
		store_report_usage(s, job);
		break;
	case STORE_JOB_RECORD:
		store_report_record(s, job);
		break;
	case STORE_JOB_EVENT:
		store_report_event(s, job);
		break;
	}
}

static void on_mail(int fd, void *arg)
{
	struct store *s = arg;
	struct message m;

	(void)fd;
	while (!mbox_recv(s->mbox, &m)) {
		if (m.job)
			do_job(s, m.job);
		else if (m.op)
			do_op(s, m.op);
		else
			s->stopping = true;
	}
	if (s->stopping && !s->stop_at)
		s->stop_at = net_loop_now(s->loop) + STOP_MS;
}

/* An administrator's question goes to the users' database, usage and limits to the one that counts. What it
 * changes is not to be answered from memory. */
static void do_op(struct store *s, struct store_op *op)
{
	bool of_counts = op->admin_what == STORE_ADMIN_LIMIT || op->admin_what == STORE_ADMIN_USAGE ||
			 op->admin_what == STORE_ADMIN_REVOKED; /* a lease is refused for it */
	struct store_link *l = of_counts ? s->counts : s->users;

	if (!l || !l->b) {
		op->done(op, STORE_UNSUPPORTED);
		return;
	}
	if (op->admin_do != STORE_ADMIN_LIST) {
		store_cache_forget(s->cache);
		s->next_live = 0;
	}
	l->kind->start(l->b, op);
}

/* What must reach a database some day is not lost with the rest. */
static void give_up(struct store *s, struct store_job *job)
{
	if (job->kind == STORE_JOB_USAGE)
		store_report_usage(s, job);
	else if (job->kind == STORE_JOB_RECORD)
		store_report_record(s, job);
	else
		store_job_free(job);
}

static void empty_mailbox(struct store *s)
{
	struct message m;

	while (!mbox_recv(s->mbox, &m)) {
		if (m.job)
			give_up(s, m.job);
		else if (m.op)
			m.op->done(m.op, STORE_DOWN);
		else
			s->stopping = true;
	}
}

/* Without the loop: workers that end have something to tell, and wait while there is no room for it. */
static void fail(struct store *s)
{
	struct pollfd mail = { mbox_fd(s->mbox), POLLIN, 0 };

	log_error(s->lg, NULL, "store_failed", "reason=event_loop note=\"stopping: restart the server\"");
	s->hooks.failed(s->hooks.arg);
	while (!s->stopping) {
		empty_mailbox(s);
		if (!s->stopping)
			(void)!poll(&mail, 1, -1);
	}
}

static void *run(void *arg)
{
	struct store *s = arg;

	while (!s->stop && !net_loop_turn(s->loop))
		;
	if (!s->stop) /* nobody whom only a database knows would be let in, and nothing counted */
		fail(s);
	return NULL;
}

/* --- start and end --- */

static struct store_link *add_link(struct store *s, const char *used_for)
{
	struct store_link *l = &s->link[s->n_links++];

	l->health.used_for = used_for;
	l->on_up = on_up;
	l->arg = s;
	return l;
}

static enum err open_links(struct store *s, conf_report_fn *report, void *arg)
{
	const struct store_env env = { .loop = s->loop,
				       .base = net_loop_base(s->loop),
				       .lg = s->lg,
				       .hash_key = { s->hash_key[0], s->hash_key[1] },
				       .timeout_ms = TIMEOUT_MS };
	const char *conninfo, *option;
	const struct store_kind *users = store_kinds_users(s->conf, &conninfo, &option);
	bool two = is_set(s->conf->redis_statsdb) &&
		   !(is_set(s->conf->redis_userdb) && strcmp(s->conf->redis_userdb, s->conf->redis_statsdb) == 0);
	enum err e = OK;

	if (users) {
		s->users = s->counts = add_link(s, two ? "users" : "users, counts");
		/* two Redis strings may name one server: records go there once, by one row of numbers */
		s->users->records = !two || users != store_kinds_counts(s->conf);
		e = store_link_open(s->users, users, conninfo, &env, report, arg);
		s->users->health.needed = true;
	}
	if (!e && (!users || two)) {
		s->counts = add_link(s, "counts");
		s->counts->records = is_set(s->conf->redis_statsdb);
		e = store_link_open(s->counts, store_kinds_counts(s->conf), s->conf->redis_statsdb, &env, report, arg);
		s->counts->health.needed = s->conf->quota_on_store_failure /* deny */;
	}
	return e;
}

static enum err open_deliveries(struct store *s, conf_report_fn *report, void *arg)
{
	const char *dir = is_set(s->conf->store_spool_dir) ? s->conf->store_spool_dir : NULL;

	for (size_t i = 0; i < s->n_links; i++) {
		const struct store_delivery_options o = { .link = &s->link[i],
							  .node = str_of(s->node),
							  .epoch = s->epoch,
							  .hash_key = { s->hash_key[0], s->hash_key[1] },
							  .dir = dir,
							  .neighbour = s->neighbour,
							  .lg = s->lg,
							  .applied = on_applied,
							  .arg = s };
		char text[320];
		enum err e;

		if (&s->link[i] != s->counts && !s->link[i].records)
			continue;
		e = store_delivery_new(&s->delivery[i], &o);
		if (!e)
			continue;
		if (e != ERR_SYS)
			return e;
		snprintf(text, sizeof text, "store-spool-dir: %s: %s", dir, strerror(errno));
		report(true, text, arg);
		return ERR_CONF;
	}
	return OK;
}

static enum err make_parts(struct store *s, conf_report_fn *report, void *arg)
{
	enum err e = net_loop_new(&s->loop);

	if (!e)
		e = mbox_new(&s->mbox, sizeof(struct message), STORE_QUEUE_LEN);
	if (!e)
		e = net_loop_watch(s->loop, &s->mbox_watch, mbox_fd(s->mbox), on_mail, s);
	if (!e)
		e = net_loop_every(s->loop, TICK_MS, on_tick, s);
	if (!e)
		e = store_cache_new(&s->cache, SEC((tick)s->conf->auth_cache_ttl), s->hash_key);
	if (!e && is_set(s->conf->store_spool_dir))
		e = store_neighbour_new(&s->neighbour, s->loop);
	if (!e)
		e = store_quotas_new(&s->quotas, s->conf, s->lg, s->hash_key);
	if (!e)
		e = open_links(s, report, arg);
	if (!e)
		e = store_leases_new(&s->leases, s->counts, s->hash_key);
	return e ? e : open_deliveries(s, report, arg);
}

static enum err start_thread(struct store *s)
{
	enum err e = thread_start(&s->thread, run, s);

	if (e)
		return e;
	pthread_setname_np(s->thread, "store");
	s->started = true;
	return OK;
}

static void free_all(struct store *s);

enum err store_start(struct store **out, const struct conf *conf, const char *node, int64_t epoch,
		     const struct store_hooks *hooks, struct log *log, conf_report_fn *report, void *arg)
{
	struct store *s = calloc(1, sizeof *s);
	struct rng rng;
	enum err e = OK;

	if (!s)
		return ERR_NOMEM;
	rng_init(&rng);
	rng_bytes(&rng, s->hash_key, sizeof s->hash_key);
	s->conf = conf;
	s->hooks = *hooks;
	s->epoch = epoch;
	s->node = strdup(node);
	s->unanswered_end = &s->unanswered;
	list_init(&s->waiting);
	e = s->node ? log_logger(log, &s->lg) : ERR_NOMEM;
	if (!e)
		e = make_parts(s, report, arg);
	if (!e)
		e = start_thread(s);
	if (e) {
		free_all(s);
		return e;
	}
	*out = s;
	return OK;
}

static void free_all(struct store *s)
{
	if (s->mbox) /* what came after the thread had stopped to read */
		empty_mailbox(s);
	for (size_t i = 0; i < s->n_links; i++)
		store_link_close(&s->link[i]);
	store_neighbour_free(s->neighbour);
	for (size_t i = 0; i < s->n_links; i++)
		store_delivery_free(s->delivery[i]);
	store_leases_free(s->leases);
	store_quotas_free(s->quotas);
	while (s->unanswered) {
		struct store_job *j = s->unanswered;

		s->unanswered = j->next;
		store_job_free(j);
	}
	store_cache_free(s->cache);
	conf_live_drop(s->live);
	conf_live_drop(s->revoked);
	if (s->mbox && s->mbox_watch.fn)
		net_loop_unwatch(&s->mbox_watch);
	mbox_free(s->mbox);
	net_loop_free(s->loop);
	free(s->node);
	free(s);
}

static void end_thread(struct store *s)
{
	const struct message end = { NULL, NULL };

	while (mbox_send(s->mbox, &end)) /* full: the thread is emptying it */
		sched_yield();
	pthread_join(s->thread, NULL);
}

void store_stop(struct store *s)
{
	if (!s)
		return;
	end_thread(s);
	free_all(s);
}

enum err store_send(struct store *s, struct store_job *job)
{
	const struct message m = { job, NULL };

	return mbox_send(s->mbox, &m);
}

enum err store_send_op(struct store *s, struct store_op *op)
{
	const struct message m = { NULL, op };

	return mbox_send(s->mbox, &m);
}

size_t store_health(struct store *s, struct store_health *out, size_t max)
{
	for (size_t i = 0; i < s->n_links && i < max; i++)
		store_link_health(&s->link[i], &out[i]);
	return s->n_links;
}

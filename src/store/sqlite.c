/*
 * SQLite: a file, asked on a thread of its own beside the store thread, for it blocks by nature. Ops go there
 * through a bounded queue and come back with an eventfd; all that wait are done in one transaction, each in a
 * savepoint, and are answered once it is committed.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/thread.h"
#include "store/backend.h"
#include "store/sqlite_file.h"

enum {
	QUEUE_MAX = 16384, /* ops; more are answered with STORE_DOWN */
	BATCH_MAX = 256,   /* ops of one transaction */
	RETRY_MS = 1000,   /* until the file is tried again */
};

struct store_backend {
	struct store_env env;
	struct net_watch watch;
	int fd; /* readable: there are answers */
	bool up, told;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake;
	bool stop;
	struct list asked, answered; /* of struct store_sql_run */
	size_t n_asked;
	bool open;
	char why[200]; /* it is not open; or what is wrong with it though it is */
	/* the neighbour's alone */
	struct store_sql_facts facts;
	struct store_sqlite_file *file;
	char path[];
};

/* --- the neighbour ---------------------------------------------------------------------------- */

static void poke(struct store_backend *b)
{
	const uint64_t one = 1;

	if (write(b->fd, &one, sizeof one) != sizeof one)
		return; /* it is readable already */
}

/* Waits for ops, or while there is no file, for the moment to try again. */
static void wait_for_work(struct store_backend *b)
{
	struct timespec until;

	if (b->open) {
		while (!b->stop && list_empty(&b->asked))
			pthread_cond_wait(&b->wake, &b->lock);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += RETRY_MS / 1000;
	while (!b->stop && list_empty(&b->asked) &&
	       pthread_cond_timedwait(&b->wake, &b->lock, &until) == 0)
		;
}

static void take(struct store_backend *b, struct list *batch)
{
	list_init(batch);
	for (int i = 0; i < BATCH_MAX && !list_empty(&b->asked); i++) {
		struct list *node = b->asked.next;

		list_del(node);
		b->n_asked--;
		list_push(batch, node);
	}
}

static void give_back(struct store_backend *b, struct list *batch)
{
	while (!list_empty(batch)) {
		struct list *node = batch->next;

		list_del(node);
		list_push(&b->answered, node);
	}
	poke(b);
}

static void fail_all(struct list *batch, const char *why)
{
	for (struct list *n = batch->next; n != batch; n = n->next) {
		struct store_sql_run *r = list_entry(n, struct store_sql_run, node);

		r->status = STORE_DOWN;
		snprintf(r->op->why, sizeof r->op->why, "%s", why);
	}
}

static void *neighbour(void *arg)
{
	struct store_backend *b = arg;
	struct list batch;
	char why[200];

	pthread_mutex_lock(&b->lock);
	while (!b->stop) {
		bool was_open = b->open;

		pthread_mutex_unlock(&b->lock);
		why[0] = '\0';
		if (!b->file)
			store_sqlite_file_open(&b->file, b->path, b->env.must_exist, b->env.timeout_ms, &b->facts,
					       why);
		pthread_mutex_lock(&b->lock);
		b->open = b->file != NULL;
		if (!was_open) {
			strcpy(b->why, why);
			poke(b);
		}
		wait_for_work(b);
		take(b, &batch);
		pthread_mutex_unlock(&b->lock);
		if (b->file)
			store_sqlite_file_run(b->file, &batch);
		else
			fail_all(&batch, why);
		pthread_mutex_lock(&b->lock);
		give_back(b, &batch);
	}
	pthread_mutex_unlock(&b->lock);
	store_sqlite_file_close(b->file);
	return NULL;
}

/* --- the store thread ------------------------------------------------------------------------- */

static void tell(struct store_backend *b, bool open, const char *why)
{
	char text[320];

	if (b->told && open == b->up)
		return;
	b->told = true;
	b->up = open;
	if (open && why[0])
		log_warn(b->env.lg, NULL, "store_schema", "store=sqlite note=%s",
			 log_quote(str_of(why), text, sizeof text));
	if (b->env.changed)
		b->env.changed(b->env.arg, b, open, open ? NULL : why);
}

static void on_answers(int fd, void *arg)
{
	struct store_backend *b = arg;
	struct list done;
	uint64_t n;
	bool open;
	char why[sizeof b->why];

	if (read(fd, &n, sizeof n) != sizeof n)
		return;
	pthread_mutex_lock(&b->lock);
	list_move_all(&done, &b->answered);
	open = b->open;
	memcpy(why, b->why, sizeof why);
	pthread_mutex_unlock(&b->lock);
	tell(b, open, why);
	while (!list_empty(&done)) {
		struct store_sql_run *r = list_entry(done.next, struct store_sql_run, node);

		list_del(&r->node);
		store_sql_run_finish(r, b->env.lg);
	}
}

static enum err start_thread(struct store_backend *b)
{
	pthread_condattr_t attr;
	enum err e;

	pthread_mutex_init(&b->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->wake, &attr);
	pthread_condattr_destroy(&attr);
	e = thread_start(&b->thread, neighbour, b);
	if (e) {
		pthread_cond_destroy(&b->wake);
		pthread_mutex_destroy(&b->lock);
	}
	return e;
}

static enum err open_backend(struct store_backend **out, const struct store_env *env, const char *conninfo,
			     char *why, size_t why_len)
{
	struct store_backend *b;
	enum err e = ERR_SYS;

	if (!*conninfo) {
		snprintf(why, why_len, "userdb: the name of a file is expected");
		return ERR_CONF;
	}
	b = calloc(1, sizeof *b + strlen(conninfo) + 1);
	if (!b)
		return ERR_NOMEM;
	b->env = *env;
	strcpy(b->path, conninfo);
	list_init(&b->asked);
	list_init(&b->answered);
	b->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (b->fd < 0)
		goto free_backend;
	e = net_loop_watch(env->loop, &b->watch, b->fd, on_answers, b);
	if (e)
		goto close_fd;
	e = start_thread(b);
	if (e)
		goto unwatch;
	*out = b;
	return OK;

unwatch:
	net_loop_unwatch(&b->watch);
close_fd:
	close(b->fd);
free_backend:
	snprintf(why, why_len, "%s", err_text(e));
	free(b);
	return e;
}

/* Those that were answered keep their answer; the others did not happen. */
static void close_backend(struct store_backend *b)
{
	pthread_mutex_lock(&b->lock);
	b->stop = true;
	pthread_cond_signal(&b->wake);
	pthread_mutex_unlock(&b->lock);
	pthread_join(b->thread, NULL);
	net_loop_unwatch(&b->watch);
	while (!list_empty(&b->answered)) {
		struct store_sql_run *r = list_entry(b->answered.next, struct store_sql_run, node);

		list_del(&r->node);
		store_sql_run_finish(r, b->env.lg);
	}
	while (!list_empty(&b->asked)) {
		struct store_sql_run *r = list_entry(b->asked.next, struct store_sql_run, node);

		list_del(&r->node);
		store_sql_run_down(r, "the database is closed", b->env.lg);
	}
	close(b->fd);
	pthread_cond_destroy(&b->wake);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

static void start(struct store_backend *b, struct store_op *op)
{
	struct store_sql_run *r = store_sql_run_new(op, &b->facts);
	bool is_full;

	if (!r) {
		snprintf(op->why, sizeof op->why, "no memory");
		op->done(op, STORE_DOWN);
		return;
	}
	if (r->status != STORE_OK) {
		store_sql_run_finish(r, b->env.lg);
		return;
	}
	pthread_mutex_lock(&b->lock);
	is_full = b->n_asked >= QUEUE_MAX;
	if (!is_full) {
		list_push(&b->asked, &r->node);
		b->n_asked++;
		pthread_cond_signal(&b->wake);
	}
	pthread_mutex_unlock(&b->lock);
	if (is_full)
		store_sql_run_down(r, "too many questions wait for the file", b->env.lg);
}

static bool is_up(const struct store_backend *b)
{
	return b->up;
}

const struct store_kind store_sqlite = { "sqlite", open_backend, close_backend, start, is_up, false };

#include "store/neighbour.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/thread.h"

struct queue {
	struct store_chore *first, **end;
};

struct store_neighbour {
	struct net_watch watch;
	int fd; /* readable: something is done */
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake;
	struct queue given, done;
	bool stop;
};

static void put(struct queue *q, struct store_chore *c)
{
	c->next = NULL;
	*q->end = c;
	q->end = &c->next;
}

static struct store_chore *take(struct queue *q)
{
	struct store_chore *c = q->first;

	if (!c)
		return NULL;
	q->first = c->next;
	if (!q->first)
		q->end = &q->first;
	return c;
}

static struct store_chore *wait_for_one(struct store_neighbour *n)
{
	struct store_chore *c;

	pthread_mutex_lock(&n->lock);
	while (!(c = take(&n->given)) && !n->stop)
		pthread_cond_wait(&n->wake, &n->lock);
	pthread_mutex_unlock(&n->lock);
	return c;
}

static void *work(void *arg)
{
	struct store_neighbour *n = arg;
	const uint64_t one = 1;
	struct store_chore *c;

	while ((c = wait_for_one(n))) {
		c->run(c);
		pthread_mutex_lock(&n->lock);
		put(&n->done, c);
		pthread_mutex_unlock(&n->lock);
		(void)!write(n->fd, &one, sizeof one); /* full: it is readable */
	}
	return NULL;
}

static void bring_back(struct store_neighbour *n)
{
	for (;;) {
		struct store_chore *c;

		pthread_mutex_lock(&n->lock);
		c = take(&n->done);
		pthread_mutex_unlock(&n->lock);
		if (!c)
			return;
		c->done(c);
	}
}

static void on_done(int fd, void *arg)
{
	uint64_t count;

	if (read(fd, &count, sizeof count) == sizeof count)
		bring_back(arg);
}

static enum err start_thread(struct store_neighbour *n)
{
	enum err e = thread_start(&n->thread, work, n);

	if (e)
		return e;
	pthread_setname_np(n->thread, "store-files");
	return OK;
}

enum err store_neighbour_new(struct store_neighbour **out, struct net_loop *loop)
{
	struct store_neighbour *n = calloc(1, sizeof *n);
	enum err e;

	if (!n)
		return ERR_NOMEM;
	n->given.end = &n->given.first;
	n->done.end = &n->done.first;
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->wake, NULL);
	n->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	e = n->fd < 0 ? err_from_errno(errno) : net_loop_watch(loop, &n->watch, n->fd, on_done, n);
	if (e)
		goto destroy;
	e = start_thread(n);
	if (e)
		goto unwatch;
	*out = n;
	return OK;

unwatch:
	net_loop_unwatch(&n->watch);
destroy:
	if (n->fd >= 0)
		close(n->fd);
	pthread_cond_destroy(&n->wake);
	pthread_mutex_destroy(&n->lock);
	free(n);
	return e;
}

void store_neighbour_free(struct store_neighbour *n)
{
	if (!n)
		return;
	pthread_mutex_lock(&n->lock);
	n->stop = true;
	pthread_cond_signal(&n->wake);
	pthread_mutex_unlock(&n->lock);
	pthread_join(n->thread, NULL);
	bring_back(n);
	net_loop_unwatch(&n->watch);
	close(n->fd);
	pthread_cond_destroy(&n->wake);
	pthread_mutex_destroy(&n->lock);
	free(n);
}

void store_neighbour_give(struct store_neighbour *n, struct store_chore *c)
{
	pthread_mutex_lock(&n->lock);
	put(&n->given, c);
	pthread_cond_signal(&n->wake);
	pthread_mutex_unlock(&n->lock);
}

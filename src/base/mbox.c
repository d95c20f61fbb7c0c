#include "base/mbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/bug.h"

/* The descriptor is readable exactly while n > 0, seen from outside of the lock. */
struct mbox {
	pthread_mutex_t lock;
	int fd;
	size_t size, cap;
	size_t first; /* index of the oldest message */
	size_t n;
	uint8_t *ring;
};

enum err mbox_new(struct mbox **out, size_t size, size_t cap)
{
	struct mbox *m;
	enum err e = ERR_NOMEM;

	BUG_ON(size == 0 || cap == 0);
	m = calloc(1, sizeof *m);
	if (!m)
		return ERR_NOMEM;
	m->size = size;
	m->cap = cap;
	m->ring = calloc(cap, size);
	if (!m->ring)
		goto free_mbox;
	m->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (m->fd < 0) {
		e = err_from_errno(errno);
		goto free_ring;
	}
	if (pthread_mutex_init(&m->lock, NULL))
		goto close_fd;
	*out = m;
	return OK;

close_fd:
	close(m->fd);
free_ring:
	free(m->ring);
free_mbox:
	free(m);
	return e;
}

void mbox_free(struct mbox *m)
{
	if (!m)
		return;
	pthread_mutex_destroy(&m->lock);
	close(m->fd);
	free(m->ring);
	free(m);
}

int mbox_fd(const struct mbox *m)
{
	return m->fd;
}

/* The counter goes from 0 to 1 and back, so neither of these can block or come short. */
static void set_readable(struct mbox *m)
{
	uint64_t one = 1;

	BUG_ON(write(m->fd, &one, sizeof one) != (ssize_t)sizeof one);
}

static void unset_readable(struct mbox *m)
{
	uint64_t count;

	BUG_ON(read(m->fd, &count, sizeof count) != (ssize_t)sizeof count);
}

static enum err send_locked(struct mbox *m, const void *msg)
{
	if (m->n == m->cap)
		return ERR_FULL;
	memcpy(m->ring + (m->first + m->n) % m->cap * m->size, msg, m->size);
	if (m->n++ == 0)
		set_readable(m);
	return OK;
}

enum err mbox_send(struct mbox *m, const void *msg)
{
	enum err e;

	pthread_mutex_lock(&m->lock);
	e = send_locked(m, msg);
	pthread_mutex_unlock(&m->lock);
	return e;
}

static enum err recv_locked(struct mbox *m, void *msg)
{
	if (m->n == 0)
		return ERR_NOTFOUND;
	memcpy(msg, m->ring + m->first * m->size, m->size);
	m->first = (m->first + 1) % m->cap;
	if (--m->n == 0)
		unset_readable(m);
	return OK;
}

enum err mbox_recv(struct mbox *m, void *msg)
{
	enum err e;

	pthread_mutex_lock(&m->lock);
	e = recv_locked(m, msg);
	pthread_mutex_unlock(&m->lock);
	return e;
}

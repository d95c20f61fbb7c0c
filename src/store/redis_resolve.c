#include "store/redis_resolve.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/thread.h"

/* What the thread sends; nothing else is shared with it. */
struct answer {
	char ip[64];
	char why[128];
};

struct question {
	int fd; /* the thread's end of the pair */
	unsigned turn;
	char host[256];
};

struct store_redis_resolve {
	struct event *ev;
	int fd;
	store_redis_resolve_fn *fn;
	void *arg;
};

static void ask(const struct question *q, struct answer *a)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG }, *list = NULL, *one;
	unsigned n = 0, pick;
	int status = getaddrinfo(q->host, NULL, &hints, &list);

	if (status != 0) {
		snprintf(a->why, sizeof a->why, "%s", gai_strerror(status));
		return;
	}
	for (one = list; one; one = one->ai_next)
		n++;
	pick = n ? q->turn % n : 0;
	for (one = list; one && pick; one = one->ai_next)
		pick--;
	if (!one || getnameinfo(one->ai_addr, one->ai_addrlen, a->ip, sizeof a->ip, NULL, 0, NI_NUMERICHOST) != 0) {
		a->ip[0] = '\0';
		snprintf(a->why, sizeof a->why, "it has no address");
	}
	freeaddrinfo(list);
}

static void *run(void *arg)
{
	struct question *q = arg;
	struct answer a = { 0 };

	ask(q, &a);
	/* whoever asked may be gone: then nobody is to hear of it */
	(void)!send(q->fd, &a, sizeof a, MSG_NOSIGNAL);
	close(q->fd);
	free(q);
	return NULL;
}

static void on_answer(evutil_socket_t fd, short what, void *arg)
{
	struct store_redis_resolve *r = arg;
	struct answer a = { 0 };

	(void)what;
	if (recv(fd, &a, sizeof a, MSG_DONTWAIT) != sizeof a)
		a = (struct answer){ .why = "the resolver broke" };
	r->fn(r->arg, a.ip, a.why);
}

static enum err start_thread(struct question *q)
{
	pthread_t thread;
	enum err e = thread_start(&thread, run, q);

	if (!e)
		pthread_detach(thread);
	return e;
}

enum err store_redis_resolve_start(struct store_redis_resolve **out, struct event_base *base, const char *host,
				   unsigned turn, store_redis_resolve_fn *fn, void *arg)
{
	struct store_redis_resolve *r = calloc(1, sizeof *r);
	struct question *q = calloc(1, sizeof *q);
	int pair[2];

	if (!r || !q || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		goto free_both;
	*r = (struct store_redis_resolve){ .fd = pair[0], .fn = fn, .arg = arg };
	q->fd = pair[1];
	q->turn = turn;
	snprintf(q->host, sizeof q->host, "%s", host);
	r->ev = event_new(base, pair[0], EV_READ, on_answer, r);
	if (!r->ev || event_add(r->ev, NULL) < 0 || start_thread(q) != OK)
		goto close_pair;
	*out = r;
	return OK;

close_pair:
	if (r->ev)
		event_free(r->ev);
	close(pair[0]);
	close(pair[1]);
free_both:
	free(r);
	free(q);
	return ERR_SYS;
}

void store_redis_resolve_free(struct store_redis_resolve *r)
{
	if (!r)
		return;
	event_free(r->ev);
	close(r->fd);
	free(r);
}

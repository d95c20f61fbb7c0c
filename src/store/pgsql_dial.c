#include "store/pgsql_dial.h"

#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/thread.h"

/* Longer than a database at hand takes; one that does not answer must not hold up the end of the server. */
enum { CANCEL_WAIT_MS = 1000 };

struct store_pgsql_dial {
	struct net_watch watch;
	pthread_t thread;
	store_pgsql_dial_fn *fn;
	void *arg;
	int fd;		      /* readable: the thread is done */
	_Atomic unsigned refs; /* the store thread's and the thread's */
	PGconn *conn;	      /* the thread's until it is done */
	char conninfo[];
};

static void drop(struct store_pgsql_dial *d)
{
	if (atomic_fetch_sub(&d->refs, 1) != 1)
		return;
	PQfinish(d->conn);
	close(d->fd);
	crypto_wipe(d->conninfo, strlen(d->conninfo));
	free(d);
}

/* What the string says wins, but for the encoding: all our text is UTF-8. */
static void *dial(void *arg)
{
	static const char *const names[] = { "fallback_application_name", "connect_timeout", "tcp_user_timeout",
					     "dbname", "client_encoding", NULL };
	struct store_pgsql_dial *d = arg;
	const char *const values[] = { "taciturn", "3", "10000", d->conninfo, "UTF8", NULL };
	const uint64_t one = 1;

	d->conn = PQconnectdbParams(names, values, 1);
	if (write(d->fd, &one, sizeof one) != sizeof one)
		abort(); /* an eventfd takes the first one */
	drop(d);
	return NULL;
}

static void on_done(int fd, void *arg)
{
	struct store_pgsql_dial *d = arg;
	store_pgsql_dial_fn *fn = d->fn;
	void *fn_arg = d->arg;
	PGconn *conn;
	char why[STORE_PGSQL_DIAL_WHY] = "";
	uint64_t n;

	if (read(fd, &n, sizeof n) != sizeof n)
		return;
	net_loop_unwatch(&d->watch);
	pthread_join(d->thread, NULL);
	conn = d->conn;
	d->conn = NULL;
	if (PQstatus(conn) != CONNECTION_OK) {
		snprintf(why, sizeof why, "%s", conn ? PQerrorMessage(conn) : "no memory");
		why[strcspn(why, "\n")] = '\0';
		PQfinish(conn);
		conn = NULL;
	}
	drop(d);
	fn(fn_arg, conn, why);
}

enum err store_pgsql_dial_start(struct store_pgsql_dial **out, struct net_loop *loop, const char *conninfo,
				store_pgsql_dial_fn *fn, void *arg)
{
	struct store_pgsql_dial *d = calloc(1, sizeof *d + strlen(conninfo) + 1);
	enum err e;

	if (!d)
		return ERR_NOMEM;
	strcpy(d->conninfo, conninfo);
	d->fn = fn;
	d->arg = arg;
	atomic_init(&d->refs, 2);
	d->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (d->fd < 0 || net_loop_watch(loop, &d->watch, d->fd, on_done, d)) {
		if (d->fd >= 0)
			close(d->fd);
		free(d);
		return ERR_SYS;
	}
	e = thread_start(&d->thread, dial, d);
	if (e) {
		net_loop_unwatch(&d->watch);
		atomic_store(&d->refs, 1);
		drop(d);
		return e;
	}
	*out = d;
	return OK;
}

/* libpq has no way to be called back. If the process ended while it is in OpenSSL, that would be freed under it. */
void store_pgsql_dial_cancel(struct store_pgsql_dial *d)
{
	struct pollfd done;

	if (!d)
		return;
	net_loop_unwatch(&d->watch);
	done = (struct pollfd){ d->fd, POLLIN, 0 };
	if (poll(&done, 1, CANCEL_WAIT_MS) == 1)
		pthread_join(d->thread, NULL);
	else
		pthread_detach(d->thread);
	drop(d);
}

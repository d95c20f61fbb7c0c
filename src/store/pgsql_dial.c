#include "store/pgsql_dial.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/crypto.h"

struct store_pgsql_dial {
	struct net_watch watch;
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
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	int no;

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
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	no = pthread_create(&thread, &attr, dial, d);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (no) {
		atomic_store(&d->refs, 1);
		store_pgsql_dial_cancel(d);
		return err_from_errno(no);
	}
	*out = d;
	return OK;
}

void store_pgsql_dial_cancel(struct store_pgsql_dial *d)
{
	if (!d)
		return;
	net_loop_unwatch(&d->watch);
	drop(d);
}

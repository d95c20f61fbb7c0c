#include "net/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/bug.h"

enum { MAX_SIGNALS = 8 };

struct signal_handler {
	int signo;
	net_signal_fn *fn;
	void *arg;
};

struct net_loop {
	struct event_base *base;
	tick now;
	bool now_is_known; /* read in this turn */
	int timer_fd;	   /* -1: none */
	struct net_watch timer;
	net_fd_fn *timer_fn;
	void *timer_arg;
	int signal_fd; /* -1: none */
	struct net_watch signal;
	sigset_t signals; /* that signal_fd reads */
	struct signal_handler handlers[MAX_SIGNALS];
	size_t n_handlers;
};

enum err net_loop_new(struct net_loop **out)
{
	struct event_config *cfg = event_config_new();
	struct net_loop *l = calloc(1, sizeof *l);

	if (!cfg || !l)
		goto fail;
	/* One thread each, so no locks; and no clock of libevent's: we read our own, once. */
	event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK);
	event_config_set_flag(cfg, EVENT_BASE_FLAG_NO_CACHE_TIME);
	l->base = event_base_new_with_config(cfg);
	if (!l->base)
		goto fail;
	event_config_free(cfg);
	l->timer_fd = l->signal_fd = -1;
	sigemptyset(&l->signals);
	*out = l;
	return OK;

fail:
	if (cfg)
		event_config_free(cfg);
	free(l);
	return ERR_NOMEM;
}

void net_loop_free(struct net_loop *l)
{
	if (!l)
		return;
	if (l->signal_fd >= 0) {
		net_loop_unwatch(&l->signal);
		close(l->signal_fd);
	}
	if (l->timer_fd >= 0) {
		net_loop_unwatch(&l->timer);
		close(l->timer_fd);
	}
	event_base_free(l->base);
	free(l);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct net_watch *w = arg;

	(void)what;
	w->fn(fd, w->arg);
}

static enum err watch(struct net_loop *l, struct net_watch *w, int fd, short what,
		      net_fd_fn *fn, void *arg)
{
	w->fn = fn;
	w->arg = arg;
	if (event_assign(&w->ev, l->base, fd, (short)(what | EV_PERSIST), on_event, w))
		return ERR_SYS;
	return event_add(&w->ev, NULL) ? ERR_SYS : OK;
}

enum err net_loop_watch(struct net_loop *l, struct net_watch *w, int fd, net_fd_fn *fn,
			void *arg)
{
	return watch(l, w, fd, EV_READ, fn, arg);
}

enum err net_loop_watch_writable(struct net_loop *l, struct net_watch *w, int fd, net_fd_fn *fn,
				 void *arg)
{
	return watch(l, w, fd, EV_WRITE, fn, arg);
}

void net_loop_unwatch(struct net_watch *w)
{
	event_del(&w->ev);
}

void net_loop_again(struct net_watch *w)
{
	event_active(&w->ev, EV_READ, 0);
}

static void on_timer(int fd, void *arg)
{
	struct net_loop *l = arg;
	uint64_t laps;

	if (read(fd, &laps, sizeof laps) == sizeof laps)
		l->timer_fn(fd, l->timer_arg);
}

/* A timerfd rather than a timer of libevent's, which would read the clock in every turn. */
enum err net_loop_every(struct net_loop *l, unsigned ms, net_fd_fn *fn, void *arg)
{
	const struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };
	const struct itimerspec its = { t, t };

	BUG_ON(l->timer_fd >= 0);
	l->timer_fn = fn;
	l->timer_arg = arg;
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (l->timer_fd < 0)
		return ERR_SYS;
	if (timerfd_settime(l->timer_fd, 0, &its, NULL))
		return ERR_SYS;
	return net_loop_watch(l, &l->timer, l->timer_fd, on_timer, l);
}

static void on_signals(int fd, void *arg)
{
	struct net_loop *l = arg;
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof info) == sizeof info)
		for (size_t i = 0; i < l->n_handlers; i++)
			if (l->handlers[i].signo == (int)info.ssi_signo)
				l->handlers[i].fn(l->handlers[i].signo, l->handlers[i].arg);
}

/* Read like any descriptor, rather than caught by a handler of libevent's: nothing runs where a signal
 * happens to strike, and one that comes before the first turn waits for it. */
enum err net_loop_signal(struct net_loop *l, int signo, net_signal_fn *fn, void *arg)
{
	int fd;

	BUG_ON(l->n_handlers == MAX_SIGNALS);
	sigaddset(&l->signals, signo);
	fd = signalfd(l->signal_fd, &l->signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return ERR_SYS;
	if (l->signal_fd < 0) {
		enum err e = net_loop_watch(l, &l->signal, fd, on_signals, l);

		if (e) {
			close(fd);
			return e;
		}
		l->signal_fd = fd;
	}
	l->handlers[l->n_handlers++] = (struct signal_handler){ signo, fn, arg };
	return pthread_sigmask(SIG_BLOCK, &l->signals, NULL) ? ERR_SYS : OK;
}

enum err net_loop_turn(struct net_loop *l)
{
	l->now_is_known = false;
	return event_base_loop(l->base, EVLOOP_ONCE) < 0 ? ERR_SYS : OK;
}

tick net_loop_now(struct net_loop *l)
{
	if (!l->now_is_known) {
		l->now = tick_now();
		l->now_is_known = true;
	}
	return l->now;
}

struct event_base *net_loop_base(struct net_loop *l)
{
	return l->base;
}

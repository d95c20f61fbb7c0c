/*
 * The event loop of one thread, on libevent, which is named in this pair of files only. The
 * clock is read once per turn, when the first callback of the turn asks for it.
 */
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <stdbool.h>

#include "base/err.h"
#include "base/tick.h"

struct net_loop;

/* fd is readable (or has an error to fetch). */
typedef void net_fd_fn(int fd, void *arg);
typedef void net_signal_fn(int signo, void *arg);

/* A watched descriptor; embedded in what it belongs to. */
struct net_watch {
	struct event ev;
	net_fd_fn *fn;
	void *arg;
};

must_check enum err net_loop_new(struct net_loop **out);
void net_loop_free(struct net_loop *l); /* nothing may be watched any more */

/* Calls fn(fd, arg) whenever fd is readable, until unwatched. */
must_check enum err net_loop_watch(struct net_loop *l, struct net_watch *w, int fd,
				   net_fd_fn *fn, void *arg);
/* The same for being writable. */
must_check enum err net_loop_watch_writable(struct net_loop *l, struct net_watch *w, int fd,
					    net_fd_fn *fn, void *arg);
void net_loop_unwatch(struct net_watch *w);

/* Calls the watch's fn once more, in the next turn, though the descriptor may say nothing. */
void net_loop_again(struct net_watch *w);

/* Calls fn every `ms` milliseconds. One per loop. */
must_check enum err net_loop_every(struct net_loop *l, unsigned ms, net_fd_fn *fn, void *arg);

/* Calls fn in the loop when the signal arrives. It is blocked from now on in this thread and in those that
 * it starts, and stays so after the loop is gone: threads that run already must block it themselves. One
 * loop of a process only. */
must_check enum err net_loop_signal(struct net_loop *l, int signo, net_signal_fn *fn,
				    void *arg);

/* Waits for events and runs their callbacks: one turn. */
must_check enum err net_loop_turn(struct net_loop *l);

/* The time of this turn. */
tick net_loop_now(struct net_loop *l);

/* libevent's own, for libraries that bring an adapter to it. */
struct event_base *net_loop_base(struct net_loop *l);

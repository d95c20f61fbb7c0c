/* The event loop: who is called, when, and never after it let go. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bug.h"
#include "net/loop.h"

/* A pipe end that is watched, and what to do when it is called. */
struct end {
	struct net_watch *watch;
	struct end *other; /* to be let go in the callback */
	int fd[2];
	unsigned n_calls;
};

static void end_init(struct end *e)
{
	*e = (struct end){ .watch = calloc(1, sizeof *e->watch) };
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, e->fd), 0);
}

static void end_fini(struct end *e)
{
	free(e->watch);
	close(e->fd[0]);
	close(e->fd[1]);
}

static void end_wake(struct end *e)
{
	assert_int_equal(write(e->fd[1], "x", 1), 1);
}

static void on_readable(int fd, void *arg)
{
	struct end *e = arg;
	char byte;

	assert_int_equal(fd, e->fd[0]);
	assert_int_equal(read(fd, &byte, 1), 1);
	e->n_calls++;
	if (!e->other)
		return;
	net_loop_unwatch(e->other->watch);
	free(e->other->watch); /* the memory may go at once: a session's end does that */
	e->other->watch = NULL;
	e->other = NULL;
}

static void calls_while_readable_until_unwatched(void **state)
{
	struct net_loop *l;
	struct end a, b;

	(void)state;
	assert_int_equal(net_loop_new(&l), OK);
	end_init(&a);
	end_init(&b);
	assert_int_equal(net_loop_watch(l, a.watch, a.fd[0], on_readable, &a), OK);
	assert_int_equal(net_loop_watch(l, b.watch, b.fd[0], on_readable, &b), OK);
	end_wake(&a);
	end_wake(&a); /* one is read each time: the other one has to be told of again */
	assert_int_equal(net_loop_turn(l), OK);
	assert_int_equal(net_loop_turn(l), OK);
	assert_int_equal(a.n_calls, 2);
	assert_int_equal(b.n_calls, 0);
	net_loop_unwatch(a.watch);
	end_wake(&a);
	end_wake(&b);
	assert_int_equal(net_loop_turn(l), OK);
	assert_int_equal(a.n_calls, 2);
	assert_int_equal(b.n_calls, 1);
	net_loop_unwatch(b.watch);
	net_loop_free(l);
	end_fini(&a);
	end_fini(&b);
}

/* Both are ready in one turn; whichever is first lets the other one go. */
static void an_end_in_the_same_turn_is_not_called(void **state)
{
	struct net_loop *l;
	struct end a, b;

	(void)state;
	assert_int_equal(net_loop_new(&l), OK);
	end_init(&a);
	end_init(&b);
	a.other = &b;
	b.other = &a;
	assert_int_equal(net_loop_watch(l, a.watch, a.fd[0], on_readable, &a), OK);
	assert_int_equal(net_loop_watch(l, b.watch, b.fd[0], on_readable, &b), OK);
	end_wake(&a);
	end_wake(&b);
	assert_int_equal(net_loop_turn(l), OK);
	assert_int_equal(a.n_calls + b.n_calls, 1);
	net_loop_unwatch(a.n_calls ? a.watch : b.watch);
	net_loop_free(l);
	end_fini(&a);
	end_fini(&b);
}

struct beat {
	struct net_loop *loop;
	tick first, last;
	unsigned n;
};

static void on_beat(int fd, void *arg)
{
	struct beat *b = arg;

	(void)fd;
	b->last = net_loop_now(b->loop);
	if (!b->n++)
		b->first = b->last;
}

static void beats_at_its_pace(void **state)
{
	struct beat b = { 0 };
	tick before = tick_now();

	(void)state;
	assert_int_equal(net_loop_new(&b.loop), OK);
	assert_int_equal(net_loop_every(b.loop, 5, on_beat, &b), OK);
	while (b.n < 10)
		assert_int_equal(net_loop_turn(b.loop), OK);
	assert_true(b.first >= before + 4); /* whole milliseconds on both sides */
	assert_true(tick_now() >= before + 49);
	net_loop_free(b.loop);
}

static void the_clock_stands_within_a_turn(void **state)
{
	struct beat b = { 0 };
	tick now;

	(void)state;
	assert_int_equal(net_loop_new(&b.loop), OK);
	assert_int_equal(net_loop_every(b.loop, 1, on_beat, &b), OK);
	assert_int_equal(net_loop_turn(b.loop), OK);
	now = net_loop_now(b.loop);
	while (tick_now() < now + 3)
		assert_true(net_loop_now(b.loop) == now);
	assert_int_equal(net_loop_turn(b.loop), OK);
	assert_true(net_loop_now(b.loop) >= now + 3);
	net_loop_free(b.loop);
}

struct heard {
	unsigned usr1, usr2;
};

static void on_signal(int signo, void *arg)
{
	struct heard *h = arg;

	signo == SIGUSR1 ? h->usr1++ : h->usr2++;
}

static void signals_arrive_in_the_loop(void **state)
{
	struct heard h = { 0, 0 };
	struct net_loop *l;

	(void)state;
	assert_int_equal(net_loop_new(&l), OK);
	assert_int_equal(net_loop_signal(l, SIGUSR1, on_signal, &h), OK);
	assert_int_equal(net_loop_signal(l, SIGUSR2, on_signal, &h), OK);
	raise(SIGUSR1);
	assert_int_equal(h.usr1, 0); /* not where it struck */
	while (!h.usr1)
		assert_int_equal(net_loop_turn(l), OK);
	raise(SIGUSR2);
	while (!h.usr2)
		assert_int_equal(net_loop_turn(l), OK);
	assert_int_equal(h.usr1, 1);
	assert_int_equal(h.usr2, 1);
	net_loop_free(l);
}

static int lowest_free_fd(void)
{
	int fd = dup(0);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

static void failures_are_told_and_leave_the_loop_usable(void **state)
{
	FILE *file = tmpfile(); /* nothing that can be waited for */
	int fds = lowest_free_fd(), base;
	struct rlimit before, none;
	struct beat b = { 0 };
	struct end e;

	(void)state;
	assert_non_null(file);
	assert_int_equal(net_loop_new(&b.loop), OK);
	end_init(&e);
	assert_int_equal(net_loop_watch(b.loop, e.watch, fileno(file), on_readable, &e), ERR_SYS);

	base = lowest_free_fd();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = (rlim_t)base;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(net_loop_every(b.loop, 1, on_beat, &b), ERR_SYS);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(net_loop_every(b.loop, 1, on_beat, &b), OK);
	while (!b.n)
		assert_int_equal(net_loop_turn(b.loop), OK);
	net_loop_free(b.loop);
	end_fini(&e);
	assert_int_equal(lowest_free_fd(), fds);
	fclose(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_while_readable_until_unwatched),
		cmocka_unit_test(an_end_in_the_same_turn_is_not_called),
		cmocka_unit_test(beats_at_its_pace),
		cmocka_unit_test(the_clock_stands_within_a_turn),
		cmocka_unit_test(signals_arrive_in_the_loop),
		cmocka_unit_test(failures_are_told_and_leave_the_loop_usable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A thread begins with every signal blocked, and whoever starts it notices nothing of that. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The source itself, with a system that can be made to refuse threads. */
static int refusal; /* 0: none */

static int choosy_create(pthread_t *out, const pthread_attr_t *attr, void *(*fn)(void *arg), void *arg)
{
	return refusal ? refusal : pthread_create(out, attr, fn, arg);
}

#define pthread_create choosy_create
#include "base/thread.c"
#undef pthread_create

static sigset_t mask_now(void)
{
	sigset_t now;

	assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &now), 0);
	return now;
}

static void expect_same(const sigset_t *a, const sigset_t *b)
{
	for (int signo = 1; signo <= SIGRTMAX; signo++)
		if (sigismember(a, signo) != sigismember(b, signo))
			fail_msg("signal %d is blocked in one mask only", signo);
}

/* A mask with two signals in it, to be recognized. */
static sigset_t take_mask(void)
{
	sigset_t own;

	sigemptyset(&own);
	sigaddset(&own, SIGUSR1);
	sigaddset(&own, SIGPIPE);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &own, NULL), 0);
	return own;
}

static void *tell_mask(void *arg)
{
	pthread_sigmask(SIG_SETMASK, NULL, arg);
	return arg;
}

static bool may_be_blocked(int signo)
{
	/* the two that lie between the last signal and SIGRTMIN are the C library's own */
	return signo != SIGKILL && signo != SIGSTOP && (signo <= SIGSYS || signo >= SIGRTMIN);
}

static void every_signal_is_blocked_inside_and_the_callers_mask_is_as_before(void **state)
{
	const sigset_t own = take_mask();
	sigset_t inside, after;
	pthread_t thread;
	void *returned;

	(void)state;
	sigemptyset(&inside);
	assert_int_equal(thread_start(&thread, tell_mask, &inside), OK);
	after = mask_now();
	expect_same(&after, &own);
	assert_int_equal(pthread_join(thread, &returned), 0);
	assert_ptr_equal(returned, &inside);
	for (int signo = 1; signo <= SIGRTMAX; signo++)
		if (may_be_blocked(signo) && !sigismember(&inside, signo))
			fail_msg("signal %d is not blocked", signo);
}

static void a_refusal_is_told_and_changes_nothing(void **state)
{
	static const struct {
		int no;
		enum err e;
	} told[] = { { EAGAIN, ERR_SYS }, { ENOMEM, ERR_NOMEM }, { EPERM, ERR_PERM } };
	const sigset_t own = take_mask();

	(void)state;
	for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
		pthread_t before = pthread_self(), out = before;
		sigset_t after;

		refusal = told[i].no;
		errno = 0;
		assert_int_equal(thread_start(&out, tell_mask, NULL), told[i].e);
		assert_int_equal(errno, told[i].no);
		assert_true(pthread_equal(out, before));
		after = mask_now();
		expect_same(&after, &own);
	}
	refusal = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_signal_is_blocked_inside_and_the_callers_mask_is_as_before),
		cmocka_unit_test(a_refusal_is_told_and_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/thread.h"

#include <errno.h>
#include <signal.h>

enum err thread_start(pthread_t *out, void *(*fn)(void *arg), void *arg)
{
	sigset_t all, before;
	pthread_t thread;
	int no;

	/* blocked here already, for a thread begins with the mask of the one that makes it */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	no = pthread_create(&thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (no) {
		errno = no;
		return err_from_errno(no);
	}
	*out = thread;
	return OK;
}

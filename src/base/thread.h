/* Threads that no signal reaches, not even SIGPIPE: signals are the first thread's. */
#pragma once

#include <pthread.h>

#include "base/err.h"

/* Runs fn(arg) in a new thread that has every signal blocked from its first instruction on; the caller's own mask
 * is as before afterwards. *out is the caller's to join or to detach; it may lie in what `arg` points at, but the
 * new thread must not look at it. ERR_NOMEM, ERR_PERM, ERR_SYS: nothing was started; errno has the reason. Any thread. */
must_check enum err thread_start(pthread_t *out, void *(*fn)(void *arg), void *arg);

/* The log thread's side: where lines go. Inside of log/ only. */
#pragma once

#include <pthread.h>

#include "log/format.h"
#include "log/log.h"
#include "log/ring.h"

/* One writing thread's ring; owned by its struct log. */
struct logger {
	struct log_ring ring;
	struct log *log;
	struct logger *next;		   /* set before it is published */
	_Atomic unsigned long long n_lost; /* written by the owning thread only */
};

struct log {
	/* set by log_start, then only read */
	char *path; /* NULL: standard output, or syslog */
	enum log_format format;
	enum log_level level;
	int facility; /* of syslog, or -1 */
	uid_t owner;  /* of the file, when root opens it; -1: as it is */
	gid_t group;
	int wake_fd;
	pthread_t thread;

	_Atomic(struct logger *) loggers; /* pushed by the control thread, never taken off */
	_Atomic bool asleep;		  /* the log thread waits: the next writer wakes it */
	_Atomic bool urged; /* it was told not to linger, and has not seen it yet */
	_Atomic bool ending, reopening;
	_Atomic unsigned long long n_unwritten; /* lines; written by the log thread only */

	/* of the log thread */
	int fd;
	bool complained; /* to stderr, about the failure that is still going on */
	unsigned long long n_lost_told; /* of log_dropped(), up to the last line about it */
	size_t n_out, n_out_lines;
	char out[64 * 1024]; /* lines that go out in one write */
};

/* Opens the file of l->path, or takes standard output. ERR_SYS and friends with errno. */
must_check enum err log_sink_open(struct log *l);

/* The thread: drains all rings until l->ending. `arg` is the struct log. */
void *log_sink_run(void *arg);

/* Closes what log_sink_open opened. */
void log_sink_close(struct log *l);

/* Wakes the log thread, if it sleeps: a line was written. Any thread. */
void log_sink_wake(struct log *l);

/* Wakes it from its lingering too: a ring fills up, or the end is near. Any thread. */
void log_sink_urge(struct log *l);

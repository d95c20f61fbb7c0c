#include "log/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum {
	STUCK_MS = 1000, /* so long may a pipe's reader take before lines are given up */
	LINGER_MS = 20,	 /* where a line comes, more follow: they go out together */
};

_Static_assert(LOG_FORMAT_MAX <= sizeof(((struct log *)0)->out), "a line must fit");

/* Says once what is wrong, until it is right again. */
static void complain(struct log *l, const char *what)
{
	if (!l->complained)
		fprintf(stderr, "taciturn: log %s: %s: %s\n", l->path ? l->path : "output",
			what, strerror(errno));
	l->complained = true;
}

/* The file is its name's own: no device, and reached by no link. Whoever may write the directory
 * could otherwise have root give him any file of the system. */
static bool may_be_given(int fd, const char *path)
{
	struct stat file, name;

	return fstat(fd, &file) == 0 && lstat(path, &name) == 0 && S_ISREG(file.st_mode) &&
	       file.st_nlink == 1 && file.st_dev == name.st_dev && file.st_ino == name.st_ino;
}

static bool give_away(const struct log *l, int fd)
{
	if (geteuid() != 0 || (l->owner == (uid_t)-1 && l->group == (gid_t)-1))
		return true;
	return !may_be_given(fd, l->path) || fchown(fd, l->owner, l->group) == 0;
}

static int open_file(struct log *l)
{
	int fd = open(l->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);

	if (fd >= 0 && !give_away(l, fd))
		complain(l,
			 "cannot be given to proc-user, who will not be able to open it again");
	return fd;
}

enum err log_sink_open(struct log *l)
{
	l->fd = l->path ? open_file(l) : STDOUT_FILENO;
	return l->fd < 0 ? err_from_errno(errno) : OK;
}

void log_sink_close(struct log *l)
{
	if (l->path && l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

static bool write_all(struct log *l, const char *p, size_t n)
{
	while (n) {
		struct pollfd writable = { .fd = l->fd, .events = POLLOUT };
		ssize_t done = write(l->fd, p, n);

		if (done > 0) {
			p += done;
			n -= (size_t)done;
			continue;
		}
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno == EAGAIN && poll(&writable, 1, STUCK_MS) > 0)
			continue;
		return false;
	}
	return true;
}

static void flush(struct log *l)
{
	if (l->n_out == 0)
		return;
	if (write_all(l, l->out, l->n_out)) {
		l->complained = false;
	} else {
		complain(l, "cannot be written");
		atomic_fetch_add_explicit(&l->n_unwritten, l->n_out_lines,
					  memory_order_relaxed);
	}
	l->n_out = 0;
	l->n_out_lines = 0;
}

static void write_line(struct log *l, const struct log_line *line, struct str text)
{
	static const int priority[] = { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR };

	if (l->facility >= 0) {
		log_format_syslog(l->format, line, text, l->out);
		syslog(priority[line->level & 3], "%s", l->out);
		return;
	}
	if (l->n_out + LOG_FORMAT_MAX > sizeof l->out)
		flush(l);
	l->n_out += log_format_line(l->format, line, text, l->out + l->n_out);
	l->n_out_lines++;
}

static void drain(struct log *l, struct logger *lg)
{
	char text[LOG_LINE_MAX];
	struct log_line line;

	while (log_ring_take(&lg->ring, &line, text))
		write_line(l, &line, (struct str){ text, line.len });
}

/* A line of the log thread's own. */
static void tell(struct log *l, enum log_level level, const char *text)
{
	struct log_line line = { .level = (uint8_t)level };
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	line.wall_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	write_line(l, &line, str_of(text));
}

/* A gap in the log is told in the log. */
static void tell_lost(struct log *l)
{
	unsigned long long n = log_dropped(l);
	char text[80];

	if (n == l->n_lost_told)
		return;
	snprintf(text, sizeof text, "log_lost lines=%llu", n - l->n_lost_told);
	l->n_lost_told = n;
	tell(l, LOG_WARN_, text);
}

/* The complaint goes into the old file too: in the background nobody sees standard error. */
static void reopen(struct log *l)
{
	int fd;

	if (!l->path)
		return;
	flush(l);
	l->complained = false;
	fd = open_file(l);
	if (fd < 0) {
		complain(l, "cannot be opened again, the old file is kept; give proc-user the "
			    "directory, or have "
			    "logrotate create the file with that owner");
		tell(l, LOG_ERROR_,
		     "log_reopen_failed note=\"the old file is kept: give proc-user the "
		     "directory, "
		     "or have logrotate create the file with that owner\"");
		flush(l);
		return;
	}
	close(l->fd);
	l->fd = fd;
}

static void drain_all(struct log *l)
{
	for (struct logger *lg = atomic_load(&l->loggers); lg; lg = lg->next)
		drain(l, lg);
	if (!l->complained)
		tell_lost(l);
	flush(l);
}

static bool has_work(struct log *l)
{
	if (atomic_load(&l->ending) || atomic_load(&l->reopening))
		return true;
	for (struct logger *lg = atomic_load(&l->loggers); lg; lg = lg->next)
		if (!log_ring_is_empty(&lg->ring))
			return true;
	return false;
}

/* Sleeps until somebody wakes it. `asleep` is set first and the rings are looked at again after
 * it: a line that is put in between is seen here, or its writer sees `asleep`. */
static void wait_for_work(struct log *l)
{
	struct pollfd woken = { .fd = l->wake_fd, .events = POLLIN };
	uint64_t n;

	atomic_store(&l->asleep, true);
	if (has_work(l)) {
		atomic_store(&l->asleep, false);
		return;
	}
	while (poll(&woken, 1, -1) < 0 && errno == EINTR)
		;
	/* first, for a bell that rings after it must not be taken for one that was heard */
	atomic_store(&l->urged, false);
	if (read(l->wake_fd, &n, sizeof n) < 0 && errno != EAGAIN)
		complain(l, "cannot be woken");
	atomic_store(&l->asleep, false);
}

/* Lets lines gather for a moment: waking this thread costs a busy writer more than its line. */
static void linger(struct log *l)
{
	struct pollfd urged = { .fd = l->wake_fd, .events = POLLIN };
	uint64_t n;

	if (poll(&urged, 1, LINGER_MS) <= 0)
		return;
	atomic_store(&l->urged, false);
	(void)!read(l->wake_fd, &n, sizeof n);
}

void *log_sink_run(void *arg)
{
	struct log *l = arg;

	while (!atomic_load(&l->ending)) {
		wait_for_work(l);
		drain_all(l);
		if (!atomic_load(&l->ending) && !atomic_load(&l->reopening))
			linger(l);
		if (atomic_exchange(&l->reopening, false))
			reopen(l);
	}
	drain_all(l); /* what was written before the end was asked for */
	return NULL;
}

static void ring_bell(struct log *l)
{
	const uint64_t one = 1;

	if (write(l->wake_fd, &one, sizeof one) < 0 && errno != EAGAIN)
		abort(); /* an eventfd of ours takes eight bytes */
}

void log_sink_wake(struct log *l)
{
	/* the load keeps the common case, a thread that is awake, free of a read-modify-write */
	if (atomic_load(&l->asleep) && atomic_exchange(&l->asleep, false))
		ring_bell(l);
}

void log_sink_urge(struct log *l)
{
	/* it rings for the first who urges; and for the end and the reopening, which come but once, always */
	if (!atomic_exchange(&l->urged, true) || atomic_load(&l->ending) ||
	    atomic_load(&l->reopening))
		ring_bell(l);
}

#include "log/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/thread.h"
#include "log/sink.h"

int log_facility(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} known[] = {
		{ "kern", LOG_KERN },	      { "user", LOG_USER },
		{ "mail", LOG_MAIL },	      { "daemon", LOG_DAEMON },
		{ "auth", LOG_AUTH },	      { "syslog", LOG_SYSLOG },
		{ "lpr", LOG_LPR },	      { "news", LOG_NEWS },
		{ "uucp", LOG_UUCP },	      { "cron", LOG_CRON },
		{ "authpriv", LOG_AUTHPRIV }, { "ftp", LOG_FTP },
		{ "local0", LOG_LOCAL0 },     { "local1", LOG_LOCAL1 },
		{ "local2", LOG_LOCAL2 },     { "local3", LOG_LOCAL3 },
		{ "local4", LOG_LOCAL4 },     { "local5", LOG_LOCAL5 },
		{ "local6", LOG_LOCAL6 },     { "local7", LOG_LOCAL7 },
	};

	if (!name)
		return LOG_DAEMON;
	if (strncasecmp(name, "LOG_", 4) == 0)
		name += 4;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcasecmp(name, known[i].name) == 0)
			return known[i].number;
	return -1;
}

static bool is_stdout(const char *file)
{
	return !file || strcmp(file, "-") == 0 || strcmp(file, "stdout") == 0;
}

static enum err open_syslog(struct log *l, const struct log_options *opt)
{
	l->facility = log_facility(opt->facility);
	if (l->facility < 0)
		return ERR_RANGE;
	openlog("taciturn", LOG_PID, l->facility);
	return OK;
}

/* Everything but the thread. What was opened is closed by log_free(). */
static enum err prepare(struct log *l, const struct log_options *opt)
{
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake_fd < 0)
		return err_from_errno(errno);
	if (opt->use_syslog)
		return open_syslog(l, opt);
	if (!is_stdout(opt->file)) {
		l->path = strdup(opt->file);
		if (!l->path)
			return ERR_NOMEM;
	}
	return log_sink_open(l);
}

static void log_free(struct log *l)
{
	struct logger *next;

	log_sink_close(l);
	if (l->facility >= 0)
		closelog();
	if (l->wake_fd >= 0)
		close(l->wake_fd);
	for (struct logger *lg = atomic_load(&l->loggers); lg; lg = next) {
		next = lg->next;
		free(lg);
	}
	free(l->path);
	free(l);
}

enum err log_start(struct log **out, const struct log_options *opt)
{
	struct log *l = calloc(1, sizeof *l);
	int saved;
	enum err e;

	if (!l)
		return ERR_NOMEM;
	l->fd = l->wake_fd = l->facility = -1;
	l->format = opt->format;
	l->level = opt->level;
	l->owner = opt->owner;
	l->group = opt->group;
	e = prepare(l, opt);
	if (!e)
		e = thread_start(&l->thread, log_sink_run, l);
	if (e) {
		saved = errno;
		log_free(l);
		errno = saved;
		return e;
	}
	*out = l;
	return OK;
}

void log_stop(struct log *l)
{
	if (!l)
		return;
	atomic_store(&l->ending, true);
	log_sink_urge(l);
	pthread_join(l->thread, NULL);
	log_free(l);
}

void log_reopen(struct log *l)
{
	atomic_store(&l->reopening, true);
	log_sink_urge(l);
}

enum err log_logger(struct log *l, struct logger **out)
{
	struct logger *lg = aligned_alloc(_Alignof(struct logger), sizeof *lg);

	if (!lg)
		return ERR_NOMEM;
	/* the ring's bytes are not touched: a quiet thread's stay unmapped */
	atomic_init(&lg->ring.head, 0);
	atomic_init(&lg->ring.tail, 0);
	atomic_init(&lg->n_lost, 0);
	lg->log = l;
	lg->next = atomic_load(&l->loggers);
	atomic_store(&l->loggers, lg);
	*out = lg;
	return OK;
}

unsigned long long log_dropped(const struct log *l)
{
	unsigned long long n = atomic_load_explicit(&l->n_unwritten, memory_order_relaxed);

	for (const struct logger *lg = atomic_load(&l->loggers); lg; lg = lg->next)
		n += atomic_load_explicit(&lg->n_lost, memory_order_relaxed);
	return n;
}

/* Bytes that snprintf left in `room`: it returns what it would have liked to write. */
static size_t written(int n, size_t room)
{
	if (n < 0)
		return 0;
	return (size_t)n < room ? (size_t)n : room - 1;
}

/* The time of the day, read where the line is written. */
static int64_t wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void count_lost(struct logger *lg)
{
	unsigned long long n = atomic_load_explicit(&lg->n_lost, memory_order_relaxed);

	atomic_store_explicit(&lg->n_lost, n + 1, memory_order_relaxed);
}

static void put(struct logger *lg, enum log_level lv, const char *text, size_t n)
{
	const struct log_line line = { .wall_ms = wall_ms(),
				       .len = (uint16_t)n,
				       .level = (uint8_t)lv };

	if (!log_ring_put(&lg->ring, &line, text))
		count_lost(lg);
	if (log_ring_is_filling(&lg->ring))
		log_sink_urge(lg->log);
	else
		log_sink_wake(lg->log);
}

void log_write(struct logger *lg, enum log_level lv, const char *who, const char *event,
	       const char *fmt, ...)
{
	char text[LOG_LINE_MAX];
	size_t n;
	va_list ap;

	if (!lg || lv < lg->log->level)
		return;
	n = written(
		snprintf(text, sizeof text, "%s%s%s ", event, who ? " " : "", who ? who : ""),
		sizeof text);
	va_start(ap, fmt);
	n += written(vsnprintf(text + n, sizeof text - n, fmt, ap), sizeof text - n);
	va_end(ap);
	while (n && text[n - 1] == ' ')
		n--;
	put(lg, lv, text, n);
}

static void add(struct log_text *t, const char *p, size_t n)
{
	size_t room = sizeof t->buf - t->len;

	if (n > room)
		n = room;
	memcpy(t->buf + t->len, p, n);
	t->len += n;
}

void log_text_word(struct log_text *t, const char *key, struct str value)
{
	if (t->len)
		add(t, " ", 1);
	if (key) {
		add(t, key, strlen(key));
		add(t, "=", 1);
	}
	if (value.len)
		add(t, value.p, value.len);
}

void log_text_digits(struct log_text *t, unsigned long long v)
{
	char digits[20], *p = digits + sizeof digits;

	do {
		*--p = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	add(t, p, (size_t)(digits + sizeof digits - p));
}

void log_text_number(struct log_text *t, const char *key, unsigned long long v)
{
	log_text_word(t, key, (struct str){ NULL, 0 });
	log_text_digits(t, v);
}

void log_put(struct logger *lg, enum log_level lv, const struct log_text *t)
{
	if (lg && lv >= lg->log->level)
		put(lg, lv, t->buf, t->len);
}

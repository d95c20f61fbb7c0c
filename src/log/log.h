/*
 * The log: one call, one line, one event name, key=value. Each thread writes into a bounded
 * ring of its own; the log thread (sink.c) drains the rings to standard output, a file or syslog. A
 * slow disk drops lines and counts them; it never delays a packet.
 *
 *   log_info(lg, who, "alloc_open", "relay=%s lifetime=%u", text, s);
 *
 * Values that a peer chose go through log_quote() first, so that no peer writes lines of its own.
 * A client can never cause level error. Never logged: passwords, keys, secrets, nonces.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

enum log_level { LOG_DEBUG_, LOG_INFO_, LOG_WARN_, LOG_ERROR_ };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_options {
	const char
		*file; /* NULL or "stdout" or "-": standard output; else a path, appended to */
	bool use_syslog;      /* instead of a file */
	const char *facility; /* syslog facility name; NULL: daemon */
	enum log_format format;
	enum log_level level; /* lines below it are not written */
	/* Whom a regular file is given to that root opens, so that the process can open it again
	 * when it is root no more; (uid_t)-1, (gid_t)-1: stays as it is. */
	uid_t owner;
	gid_t group;
};

struct log;    /* the log thread and where it writes; one per process */
struct logger; /* one per writing thread */

/* Starts the log thread. Strings of `opt` are copied. ERR_SYS and friends when the file cannot
 * be opened (errno tells). Control thread. */
must_check enum err log_start(struct log **out, const struct log_options *opt);

/* Writes what waits, ends the thread, frees everything, the loggers too. */
void log_stop(struct log *l);

/* Opens the file again under its name (SIGHUP, logrotate). Control thread; done by the log
 * thread soon. */
void log_reopen(struct log *l);

/* A writer for one thread. Owned by `l`. Control thread, before that thread starts. */
must_check enum err log_logger(struct log *l, struct logger **out);

/* Lines lost, because a ring was full or because they could not be written. Any thread. */
unsigned long long log_dropped(const struct log *l);

/* Writes "EVENT who k=v k=v". `who` is a ready prefix such as "session=… client=…" or
 * NULL. `lg` may be NULL (tests, tools): nothing is written. The owning thread only. */
void log_write(struct logger *lg, enum log_level lv, const char *who, const char *event,
	       const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* The words of a line, put together without printf: for what every session writes. What does not fit is
 * cut. */
enum { LOG_TEXT_MAX = 768 };

struct log_text {
	size_t len;
	char buf[LOG_TEXT_MAX];
};

static inline void log_text_init(struct log_text *t)
{
	t->len = 0;
}

/* Adds " key=value", or the bare value without a key. The value stands as it is: text from outside goes
 * through log_quote() first. */
void log_text_word(struct log_text *t, const char *key, struct str value);
void log_text_number(struct log_text *t, const char *key, unsigned long long v);
/* Adds digits to the last value. */
void log_text_digits(struct log_text *t, unsigned long long v);

/* Writes a line whose first word is the event's name. The owning thread only. */
void log_put(struct logger *lg, enum log_level lv, const struct log_text *t);

#define log_debug(lg, who, ev, ...) log_write(lg, LOG_DEBUG_, who, ev, __VA_ARGS__)
#define log_info(lg, who, ev, ...)  log_write(lg, LOG_INFO_, who, ev, __VA_ARGS__)
#define log_warn(lg, who, ev, ...)  log_write(lg, LOG_WARN_, who, ev, __VA_ARGS__)
#define log_error(lg, who, ev, ...) log_write(lg, LOG_ERROR_, who, ev, __VA_ARGS__)

/* True for the first and every 2^n-th call with its counter: a line that a flood causes is
 * written ever more seldom. */
static inline bool log_seldom(unsigned long long *n)
{
	unsigned long long v = ++*n;

	return (v & (v - 1)) == 0;
}

/* The number of a facility of syslog ("daemon", "local0", coturn's "LOG_LOCAL0" too; NULL:
 * daemon), or -1. Any thread. */
int log_facility(const char *name);

/* Makes text from outside fit one value: printable ASCII and UTF-8 kept; the rest, " \, and what
 * breaks lines or turns the direction of writing, byte by byte as \xNN; in double quotes when it holds anything but letters, digits and -._:/@+,[]. Cut to
 * fit. Returns buf. */
const char *log_quote(struct str text, char *buf, size_t cap);

/* A log line as text or as JSON. Pure; any thread. Inside of log/ only. */
#pragma once

#include "log/log.h"
#include "log/ring.h"

/* Bytes that a line may become: each byte of the text at most six ("\u00NN"), and its frame. */
enum { LOG_FORMAT_MAX = LOG_LINE_MAX * 8 + 256 };

/* Writes the line and a newline to `out`, which has LOG_FORMAT_MAX bytes; returns how many.
 * `text` begins with the event's name; key=value words follow. Control characters, newlines
 * above all, never come through. */
size_t log_format_line(enum log_format format, const struct log_line *line, struct str text,
		       char *out);

/* The same for syslog, which adds the time and level itself to text (not to JSON): terminated,
 * no newline. */
size_t log_format_syslog(enum log_format format, const struct log_line *line, struct str text,
			 char *out);

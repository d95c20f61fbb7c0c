/* The text of a value to a number. Pure; any thread. Inside of conf/ only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* coturn's words: nothing, yes, true, on, 1 to 9 are true; no, false, off, 0 are false, the
 * first letter of all but on and off being enough. ERR_MALFORMED for anything else. */
must_check enum err conf_value_bool(struct str text, bool *out);

/* A decimal number, with a minus at most. ERR_MALFORMED: not a number; ERR_RANGE: beyond 64
 * bits. */
must_check enum err conf_value_int(struct str text, int64_t *out);

/* Bytes: K M G are thousands, Ki Mi Gi 1024s, a B may follow; small k m g too. */
must_check enum err conf_value_size(struct str text, int64_t *out);

/* Seconds: s m h d. */
must_check enum err conf_value_time(struct str text, int64_t *out);

/* The index of `text` among the words of "a|b|c". */
must_check enum err conf_value_enum(struct str text, const char *words, int *out);

/* PUT-…-HERE, as the examples of README.md have it: whoever pasted one has a secret that everybody knows. */
bool conf_value_is_example(struct str text);

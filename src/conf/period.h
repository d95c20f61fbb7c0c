/* The windows that bytes are counted in: the words of byte-quota-period, and of a user's own limits. UTC. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum conf_period { CONF_PERIOD_MONTH, CONF_PERIOD_DAY, CONF_PERIOD_30D, N_CONF_PERIOD };

enum { CONF_PERIOD_NAME = 16 }; /* "2026-11", "2026-11-20", terminated */

/* The period of that word ("month", "day", "30d"), or false: it is none. */
bool conf_period_find(const char *word, enum conf_period *out);

/* Seconds of two of them, which is how long what was counted is kept. */
int64_t conf_period_keep_s(enum conf_period p);

/* The name of the window that a moment (seconds since 1970) is in: the month, or the first day. Returns out. */
const char *conf_period_name(enum conf_period p, int64_t wall_s, char out[CONF_PERIOD_NAME]);

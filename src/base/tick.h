/* Time: milliseconds on a monotonic clock. The loop reads it once per turn and hands it down;
 * below src/net nobody asks for it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t tick; /* ms since an arbitrary moment; the only typedef of the project */

#define SEC(n) ((tick)(n)*1000)

/* The monotonic clock now. Any thread. */
tick tick_now(void);

/* Milliseconds since 1970, for records. Any thread. */
int64_t tick_wall_ms(void);

/* Nanoseconds since 1970, to compare with what the kernel says. Any thread. */
uint64_t tick_wall_ns(void);

/* Seconds since 1970, for credentials and nonces. Any thread. */
int64_t tick_wall_s(void);

static inline bool tick_before(tick a, tick b)
{
	return a < b;
}

/*
 * Token bucket: `rate` per second, at most `burst` at once. Example: rate 1000, burst 500:
 * after a pause 500 pass at once, then one each millisecond. The clock is an argument.
 * Thousandths of a token are counted, for a rate per second times milliseconds is a whole
 * number of them, and nothing is lost to rounding however often it is asked. rate and burst
 * stay below 2^53.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/tick.h"

struct bucket {
	int64_t milli; /* thousandths of a token; <= burst * 1000 */
	tick since;    /* true as of this moment */
};

static inline void bucket_init(struct bucket *b, uint64_t burst, tick now)
{
	b->milli = (int64_t)burst * 1000;
	b->since = now;
}

static inline void bucket_fill(struct bucket *b, uint64_t rate, uint64_t burst, tick now)
{
	int64_t room = (int64_t)burst * 1000 - b->milli; /* < 0: the burst was made smaller */
	uint64_t ms = now > b->since ? now - b->since : 0;

	if (ms == 0 && room >= 0)
		return;
	if (ms > 0)
		b->since = now;
	if (room <= 0 || (rate > 0 && ms > (uint64_t)room / rate))
		b->milli += room;
	else
		b->milli += (int64_t)(rate * ms); /* <= room */
}

/* How many could be taken now. */
static inline uint64_t bucket_level(struct bucket *b, uint64_t rate, uint64_t burst, tick now)
{
	bucket_fill(b, rate, burst, now);
	return b->milli > 0 ? (uint64_t)b->milli / 1000 : 0;
}

/* Takes n if there are as many; false takes nothing. */
static inline bool bucket_take(struct bucket *b, uint64_t n, uint64_t rate, uint64_t burst,
			       tick now)
{
	bucket_fill(b, rate, burst, now);
	if (n > burst || b->milli < (int64_t)n * 1000)
		return false;
	b->milli -= (int64_t)n * 1000;
	return true;
}

static inline void bucket_give(struct bucket *b, uint64_t n, uint64_t burst)
{
	int64_t room = (int64_t)burst * 1000 - b->milli;

	if (room <= 0 || n > (uint64_t)room / 1000)
		b->milli += room;
	else
		b->milli += (int64_t)n * 1000;
}

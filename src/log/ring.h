/* A bounded ring of log lines between one writing thread and the log thread. Neither ever waits
 * for the other: a line that does not fit is refused. (header only; inside of log/ only) */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
	LOG_RING_SIZE = 64 * 1024, /* a power of two */
	LOG_LINE_MAX = 2048,	   /* bytes of text in a line; longer ones are cut */
};

struct log_line {
	int64_t wall_ms; /* since 1970 */
	uint16_t len;	 /* of the text that follows, <= LOG_LINE_MAX */
	uint8_t level;	 /* enum log_level */
};

/* Positions only grow; their difference is what waits. Each is written by one side. */
struct log_ring {
	_Alignas(64) _Atomic uint32_t head; /* the writer's */
	_Alignas(64) _Atomic uint32_t tail; /* the log thread's */
	uint8_t bytes[LOG_RING_SIZE];
};

static inline void log_ring_copy_in(struct log_ring *r, uint32_t at, const void *from,
				    uint32_t n)
{
	uint32_t start = at % LOG_RING_SIZE, room = LOG_RING_SIZE - start;
	uint32_t first = n < room ? n : room;

	memcpy(r->bytes + start, from, first);
	memcpy(r->bytes, (const uint8_t *)from + first, n - first);
}

static inline void log_ring_copy_out(const struct log_ring *r, uint32_t at, void *to,
				     uint32_t n)
{
	uint32_t start = at % LOG_RING_SIZE, room = LOG_RING_SIZE - start;
	uint32_t first = n < room ? n : room;

	memcpy(to, r->bytes + start, first);
	memcpy((uint8_t *)to + first, r->bytes, n - first);
}

/* False: no room. The writing thread. */
static inline bool log_ring_put(struct log_ring *r, const struct log_line *line,
				const char *text)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);
	uint32_t n = (uint32_t)sizeof *line + line->len;

	if (n > LOG_RING_SIZE - (head - tail))
		return false;
	log_ring_copy_in(r, head, line, (uint32_t)sizeof *line);
	log_ring_copy_in(r, head + (uint32_t)sizeof *line, text, line->len);
	/* sequentially consistent, and not merely release: the writer reads afterwards whether
	 * the log thread sleeps, and that read must not come before this becomes visible */
	atomic_store(&r->head, head + n);
	return true;
}

/* True when more than half is taken. The writing thread. */
static inline bool log_ring_is_filling(struct log_ring *r)
{
	return atomic_load_explicit(&r->head, memory_order_relaxed) -
		       atomic_load_explicit(&r->tail, memory_order_relaxed) >
	       LOG_RING_SIZE / 2;
}

static inline bool log_ring_is_empty(struct log_ring *r)
{
	return atomic_load(&r->head) == atomic_load_explicit(&r->tail, memory_order_relaxed);
}

/* Takes the oldest line; `text` has LOG_LINE_MAX bytes. False: there is none. Log thread. */
static inline bool log_ring_take(struct log_ring *r, struct log_line *line, char *text)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	if (atomic_load_explicit(&r->head, memory_order_acquire) == tail)
		return false;
	log_ring_copy_out(r, tail, line, (uint32_t)sizeof *line);
	log_ring_copy_out(r, tail + (uint32_t)sizeof *line, text, line->len);
	atomic_store_explicit(&r->tail, tail + (uint32_t)sizeof *line + line->len,
			      memory_order_release);
	return true;
}

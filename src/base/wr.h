/*
 * Wire writer: a cursor over memory of ours that cannot be overrun. The first write that does
 * not fit sets `bad`, later ones do nothing, and the caller checks once at the end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

struct wr {
	uint8_t *start, *p, *end; /* start <= p <= end */
	bool bad;		  /* sticky: something did not fit */
};

static inline struct wr wr_init(void *p, size_t len)
{
	return (struct wr){ p, p, (uint8_t *)p + len, false };
}

static inline size_t wr_len(const struct wr *w)
{
	return (size_t)(w->p - w->start);
}

/* Room for `n` bytes that the caller fills, or NULL. */
static inline uint8_t *wr_room(struct wr *w, size_t n)
{
	uint8_t *at = w->p;

	if (w->bad || n > (size_t)(w->end - w->p)) {
		w->bad = true;
		return NULL;
	}
	w->p += n;
	return at;
}

static inline void wr_u8(struct wr *w, uint8_t v)
{
	uint8_t *b = wr_room(w, 1);

	if (b)
		b[0] = v;
}

static inline void wr_put16(uint8_t *b, uint16_t v)
{
	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}

static inline void wr_u16(struct wr *w, uint16_t v)
{
	uint8_t *b = wr_room(w, 2);

	if (b)
		wr_put16(b, v);
}

static inline void wr_u32(struct wr *w, uint32_t v)
{
	uint8_t *b = wr_room(w, 4);

	if (b) {
		wr_put16(b, (uint16_t)(v >> 16));
		wr_put16(b + 2, (uint16_t)v);
	}
}

static inline void wr_bytes(struct wr *w, const void *p, size_t n)
{
	uint8_t *b = wr_room(w, n);

	if (b && n)
		memcpy(b, p, n);
}

static inline void wr_zero(struct wr *w, size_t n)
{
	uint8_t *b = wr_room(w, n);

	if (b && n)
		memset(b, 0, n);
}

/* Back-patches the 16 bits at offset `off`, which was written before. */
static inline void wr_patch16(struct wr *w, size_t off, uint16_t v)
{
	if (!w->bad && off + 2 <= wr_len(w))
		wr_put16(w->start + off, v);
}

/*
 * Wire reader: a cursor over bytes from outside that cannot leave them. The first read past
 * the end sets `bad`, reads after that give zeros, and the caller checks once at the end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct rd {
	const uint8_t *p, *end; /* p <= end */
	bool bad;		/* sticky: something was read that was not there */
};

static inline struct rd rd_init(const void *p, size_t len)
{
	return (struct rd){ p, (const uint8_t *)p + len, false };
}

static inline size_t rd_left(const struct rd *r)
{
	return (size_t)(r->end - r->p);
}

/* Steps over `n` bytes and gives where they began, or NULL if they are not there. */
static inline const uint8_t *rd_take(struct rd *r, size_t n)
{
	const uint8_t *at = r->p;

	if (r->bad || n > rd_left(r)) {
		r->bad = true;
		r->p = r->end;
		return NULL;
	}
	r->p += n;
	return at;
}

static inline uint8_t rd_u8(struct rd *r)
{
	const uint8_t *b = rd_take(r, 1);

	return b ? b[0] : 0;
}

static inline uint16_t rd_u16(struct rd *r)
{
	const uint8_t *b = rd_take(r, 2);

	return b ? (uint16_t)(b[0] << 8 | b[1]) : 0;
}

static inline uint32_t rd_u32(struct rd *r)
{
	const uint8_t *b = rd_take(r, 4);

	return b ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3] : 0;
}

/* The next `n` bytes as a cursor of their own, which cannot see past them. */
static inline struct rd rd_sub(struct rd *r, size_t n)
{
	const uint8_t *b = rd_take(r, n);

	return b ? rd_init(b, n) : (struct rd){ r->end, r->end, true };
}

/* The next `n` bytes as borrowed text; empty when they are not there. */
static inline struct str rd_str(struct rd *r, size_t n)
{
	const uint8_t *b = rd_take(r, n);

	return b ? (struct str){ (const char *)b, n } : (struct str){ NULL, 0 };
}

static inline bool rd_ok(const struct rd *r)
{
	return !r->bad;
}

/* True when all was read, and nothing beyond it. */
static inline bool rd_exact(const struct rd *r)
{
	return !r->bad && r->p == r->end;
}

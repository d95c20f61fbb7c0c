/* Borrowed text: a pointer and a length, no terminator, never owned. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct str {
	const char *p;
	size_t len; /* bytes */
};

#define STR_LIT(s) ((struct str){ (s), sizeof(s) - 1 })
/* for printf's "%.*s" */
#define STR_ARG(s) (int)(s).len, (s).p

static inline struct str str_of(const char *c)
{
	return (struct str){ c, c ? strlen(c) : 0 };
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

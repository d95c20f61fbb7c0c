/* Assertions about our own code. What a peer sends is never a bug: that is ERR_MALFORMED. */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the process when `cond` holds, in every build: going on with a broken invariant in a
 * program that faces the network is worse than a restart. */
#define BUG_ON(cond)                                                                      \
	do {                                                                              \
		if (__builtin_expect(!!(cond), 0)) {                                      \
			fprintf(stderr, "bug: %s at %s:%d\n", #cond, __FILE__, __LINE__); \
			abort();                                                          \
		}                                                                         \
	} while (0)

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Addresses that options give or the host has. Inside of conf/ only. (header only) */
#pragma once

#include <stdlib.h>

#include "conf/reader.h"

/* A growing list of addresses, each once. */
struct conf_addrs {
	struct addr *v;
	size_t n;
};

static inline bool conf_addrs_has(const struct conf_addrs *l, const struct addr *a)
{
	for (size_t i = 0; i < l->n; i++)
		if (addr_ip_eq(&l->v[i], a))
			return true;
	return false;
}

/* False: it was there before, or there is no memory (which the reader remembers). */
static inline bool conf_addrs_add(struct conf_reader *r, struct conf_addrs *l,
				  const struct addr *a)
{
	struct addr *v;

	if (conf_addrs_has(l, a))
		return false;
	v = realloc(l->v, (l->n + 1) * sizeof *v);
	if (!v) {
		r->no_memory = true;
		return false;
	}
	l->v = v;
	l->v[l->n++] = *a;
	return true;
}

static inline bool conf_addrs_is_multicast(const struct addr *a)
{
	return a->family == ADDR_V4 ? (a->ip[0] & 0xf0) == 0xe0 : a->ip[0] == 0xff;
}

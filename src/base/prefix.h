/* Sets of addresses, given as single addresses, CIDR prefixes or ranges. Built once while a
 * configuration is read, then read-only and shared by all threads. */
#pragma once

#include "base/addr.h"

struct prefix_range {
	struct addr from, to; /* inclusive, one family, ports 0 */
};

struct prefix_set {
	struct prefix_range *ranges; /* in the order given */
	size_t n, cap;
};

/* Parses "IP", "IP/LEN" or "IP-IP" (one family, from <= to; host bits behind a prefix length
 * are ignored). */
must_check enum err prefix_parse(struct str text, struct prefix_range *out);

/* Adds a range. ERR_NOMEM leaves the set as it was. */
must_check enum err prefix_add(struct prefix_set *set, const struct prefix_range *r);

/* True when the IP of `a` (its port does not matter) is inside any range. */
bool prefix_has(const struct prefix_set *set, const struct addr *a);

/* True when the IP of `a` is inside `r`. */
bool prefix_range_has(const struct prefix_range *r, const struct addr *a);

/* Gives the memory back; the set is empty afterwards and may be used again. */
void prefix_fini(struct prefix_set *set);

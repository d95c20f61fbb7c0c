#include "base/prefix.h"

#include <stdlib.h>

#include "base/bug.h"

enum { FIRST_CAP = 8 };

/* "0" to "128", no sign and no zero in front. */
static bool parse_len(struct str text, unsigned max, unsigned *out)
{
	unsigned v = 0;

	if (text.len == 0 || text.len > 3 || (text.len > 1 && text.p[0] == '0'))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(text.p[i] - '0');
	}
	if (v > max)
		return false;
	*out = v;
	return true;
}

/* Sets the bits behind the first `len` to 0 in from and to 1 in to. */
static void spread(struct prefix_range *r, unsigned len)
{
	size_t n = addr_ip_len(&r->from);

	for (size_t i = 0; i < n; i++) {
		unsigned keep = len >= 8 ? 8 : len;
		uint8_t host = (uint8_t)(0xff >> keep);

		r->from.ip[i] &= (uint8_t)~host;
		r->to.ip[i] |= host;
		len -= keep;
	}
}

static enum err parse_cidr(struct str ip, struct str len, struct prefix_range *out)
{
	struct prefix_range r;
	unsigned bits = 0;
	enum err e = addr_parse_ip(ip, &r.from);

	if (e)
		return e;
	if (!parse_len(len, (unsigned)addr_ip_len(&r.from) * 8, &bits))
		return ERR_MALFORMED;
	r.to = r.from;
	spread(&r, bits);
	*out = r;
	return OK;
}

static enum err parse_span(struct str from, struct str to, struct prefix_range *out)
{
	struct prefix_range r;
	enum err e = addr_parse_ip(from, &r.from);

	if (e)
		return e;
	e = addr_parse_ip(to, &r.to);
	if (e)
		return e;
	if (r.from.family != r.to.family || memcmp(r.from.ip, r.to.ip, 16) > 0)
		return ERR_MALFORMED;
	*out = r;
	return OK;
}

enum err prefix_parse(struct str text, struct prefix_range *out)
{
	for (size_t i = 0; i < text.len; i++) {
		struct str left = { text.p, i };
		struct str right = { text.p + i + 1, text.len - i - 1 };

		if (text.p[i] == '/')
			return parse_cidr(left, right, out);
		if (text.p[i] == '-')
			return parse_span(left, right, out);
	}
	return parse_span(text, text, out);
}

enum err prefix_add(struct prefix_set *set, const struct prefix_range *r)
{
	BUG_ON(r->from.family != r->to.family);
	if (set->n == set->cap) {
		size_t cap = set->cap ? set->cap * 2 : FIRST_CAP;
		struct prefix_range *grown = reallocarray(set->ranges, cap, sizeof *grown);

		if (!grown)
			return ERR_NOMEM;
		set->ranges = grown;
		set->cap = cap;
	}
	set->ranges[set->n++] = *r;
	return OK;
}

/* Both families lie in network order, IPv4 with zeros behind: bytes compare as numbers do. */
bool prefix_range_has(const struct prefix_range *r, const struct addr *a)
{
	return a->family == r->from.family && memcmp(r->from.ip, a->ip, 16) <= 0 &&
	       memcmp(a->ip, r->to.ip, 16) <= 0;
}

bool prefix_has(const struct prefix_set *set, const struct addr *a)
{
	for (size_t i = 0; i < set->n; i++) {
		if (prefix_range_has(&set->ranges[i], a))
			return true;
	}
	return false;
}

void prefix_fini(struct prefix_set *set)
{
	free(set->ranges);
	*set = (struct prefix_set){ 0 };
}

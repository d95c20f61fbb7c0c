#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "store/op.h"

enum { DIGITS_MAX = 18, WHY_LEN = 128 };

struct store_limits store_limits_none(void)
{
	return (struct store_limits){ CONF_LIVE_UNSET, CONF_LIVE_UNSET, CONF_LIVE_UNSET, "" };
}

static bool number(struct str s, int64_t *out)
{
	char text[DIGITS_MAX + 1];

	if (s.len == 0 || s.len > DIGITS_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	*out = strtoll(text, NULL, 10);
	return true;
}

static bool period(struct str s, struct store_limits *l)
{
	enum conf_period p;

	if (s.len == 0 || s.len >= sizeof l->period)
		return false;
	memset(l->period, 0, sizeof l->period);
	memcpy(l->period, s.p, s.len);
	return conf_period_find(l->period, &p);
}

static bool pair(struct str key, struct str value, struct store_limits *l, char *why)
{
	const struct {
		const char *name;
		int64_t *to;
	} numbers[] = {
		{ "max_allocations", &l->max_allocations },
		{ "max_bps", &l->max_bps },
		{ "max_bytes", &l->max_bytes },
	};

	if (str_eq(key, STR_LIT("period"))) {
		if (period(value, l))
			return true;
		snprintf(why, WHY_LEN, "period=%.*s: day, month or 30d is expected", (int)(value.len < 40 ? value.len : 40),
			 value.p);
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		if (!str_eq(key, str_of(numbers[i].name)))
			continue;
		if (number(value, numbers[i].to))
			return true;
		snprintf(why, WHY_LEN, "%s=%.*s: a number is expected", numbers[i].name,
			 (int)(value.len < 40 ? value.len : 40), value.p);
		return false;
	}
	snprintf(why, WHY_LEN, "a limit is one of max_allocations, max_bps, max_bytes, period");
	return false;
}

bool store_limits_parse(struct str text, struct store_limits *out, char *why)
{
	struct store_limits l = store_limits_none();

	for (size_t i = 0, end; i < text.len; i = end + 1) {
		const char *eq;

		for (end = i; end < text.len && text.p[end] != ' ';)
			end++;
		if (end == i)
			continue;
		eq = memchr(text.p + i, '=', end - i);
		if (!eq)
			eq = text.p + end;
		if (!pair((struct str){ text.p + i, (size_t)(eq - text.p) - i },
			  eq < text.p + end ? (struct str){ eq + 1, (size_t)(text.p + end - eq) - 1 } : STR_LIT(""), &l,
			  why))
			return false;
	}
	*out = l;
	return true;
}

size_t store_limits_print(const struct store_limits *l, char *buf, size_t cap)
{
	const struct {
		const char *name;
		int64_t v;
	} numbers[] = {
		{ "max_allocations", l->max_allocations },
		{ "max_bps", l->max_bps },
		{ "max_bytes", l->max_bytes },
	};
	size_t n = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(numbers) && n < cap; i++)
		if (numbers[i].v != CONF_LIVE_UNSET)
			n += (size_t)snprintf(buf + n, cap - n, "%s%s=%lld", n ? " " : "", numbers[i].name,
					      (long long)numbers[i].v);
	if (l->period[0] && n < cap)
		n += (size_t)snprintf(buf + n, cap - n, "%speriod=%s", n ? " " : "", l->period);
	return n < cap ? n : cap - 1;
}

bool store_limits_eq(const struct store_limits *a, const struct store_limits *b)
{
	return a->max_allocations == b->max_allocations && a->max_bps == b->max_bps && a->max_bytes == b->max_bytes &&
	       strcmp(a->period, b->period) == 0;
}

const char *store_limits_window(const struct store_limits *l, const char *otherwise, int64_t wall_s,
				char out[CONF_PERIOD_NAME])
{
	enum conf_period p;

	if (conf_period_find(l->period, &p))
		return conf_period_name(p, wall_s, out);
	snprintf(out, CONF_PERIOD_NAME, "%s", otherwise);
	return out;
}

#include "conf/origin.h"

#include "base/bug.h"

static const struct {
	struct str scheme, port;
} usual[] = {
	{ { "http", 4 }, { "80", 2 } },
	{ { "https", 5 }, { "443", 3 } },
	{ { "ws", 2 }, { "80", 2 } },
	{ { "wss", 3 }, { "443", 3 } },
};

/* Where `part` first is in s from `from` on, or s.len. */
static size_t find(struct str s, size_t from, const char *part)
{
	size_t n = strlen(part);

	for (size_t i = from; i + n <= s.len; i++)
		if (memcmp(s.p + i, part, n) == 0)
			return i;
	return s.len;
}

/* The scheme's usual port goes; `host` is behind its "://". */
static struct str without_port(struct str s, size_t scheme_len, size_t host)
{
	size_t at = s.len;

	while (at > host && s.p[at - 1] >= '0' && s.p[at - 1] <= '9')
		at--;
	if (at == host || s.p[at - 1] != ':')
		return s;
	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		if (str_eq((struct str){ s.p, scheme_len }, usual[i].scheme) &&
		    str_eq((struct str){ s.p + at, s.len - at }, usual[i].port))
			s.len = at - 1;
	return s;
}

struct str conf_origin_canon(struct str origin, char out[CONF_ORIGIN_MAX])
{
	struct str s = { out, origin.len };
	size_t colon, end;

	if (origin.len > CONF_ORIGIN_MAX)
		return (struct str){ out, 0 };
	for (size_t i = 0; i < origin.len; i++)
		out[i] = origin.p[i] >= 'A' && origin.p[i] <= 'Z' ? (char)(origin.p[i] | 0x20) : origin.p[i];
	colon = find(s, 0, "://");
	if (colon == 0 || colon == s.len) {
		if (origin.len)
			memcpy(out, origin.p, origin.len);
		return s;
	}
	end = find(s, colon + 3, "/");
	s.len = end;
	return without_port(s, colon, colon + 3);
}

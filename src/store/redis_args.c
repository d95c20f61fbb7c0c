#include "store/redis_args.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"

void store_redis_args_init(struct store_redis_args *a)
{
	*a = (struct store_redis_args){ 0 };
}

void store_redis_args_fini(struct store_redis_args *a)
{
	if (a->bytes)
		crypto_wipe(a->bytes, a->cap);
	free(a->bytes);
	free(a->ends);
	store_redis_args_init(a);
}

static bool room(struct store_redis_args *a, size_t n)
{
	size_t cap = a->cap ? a->cap : 256;
	char *bytes;

	if (a->failed || n <= a->cap - a->len)
		return !a->failed;
	while (cap - a->len < n)
		cap *= 2;
	bytes = malloc(cap); /* not realloc: it would leave a password behind */
	if (!bytes) {
		a->failed = true;
		return false;
	}
	if (a->len) {
		memcpy(bytes, a->bytes, a->len);
		crypto_wipe(a->bytes, a->len);
	}
	free(a->bytes);
	a->bytes = bytes;
	a->cap = cap;
	return true;
}

void store_redis_args_put(struct store_redis_args *a, struct str s)
{
	if (s.len == 0 || !room(a, s.len))
		return;
	memcpy(a->bytes + a->len, s.p, s.len);
	a->len += s.len;
}

void store_redis_args_end(struct store_redis_args *a)
{
	if (a->n == a->ends_cap && !a->failed) {
		size_t cap = a->ends_cap ? 2 * a->ends_cap : 16;
		size_t *ends = realloc(a->ends, cap * sizeof *ends);

		if (ends) {
			a->ends = ends;
			a->ends_cap = cap;
		} else {
			a->failed = true;
		}
	}
	if (!a->failed)
		a->ends[a->n++] = a->len;
}

void store_redis_args_add(struct store_redis_args *a, struct str s)
{
	store_redis_args_put(a, s);
	store_redis_args_end(a);
}

void store_redis_args_u64(struct store_redis_args *a, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRIu64, v);
	store_redis_args_add(a, str_of(text));
}

void store_redis_args_i64(struct store_redis_args *a, int64_t v)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRId64, v);
	store_redis_args_add(a, str_of(text));
}

static bool is_coded(unsigned char c)
{
	return c < 0x20 || c == 0x7f || c == '%' || c == '{' || c == '}';
}

void store_redis_args_put_literal(struct store_redis_args *a, struct str s, bool coded)
{
	for (size_t i = 0; i < s.len; i++) {
		char text[4];

		if (coded && is_coded((unsigned char)s.p[i]))
			snprintf(text, sizeof text, "%%%02X", (unsigned char)s.p[i]);
		else if (s.p[i] && strchr("*?[]\\^-", s.p[i]))
			snprintf(text, sizeof text, "\\%c", s.p[i]);
		else {
			store_redis_args_put(a, (struct str){ s.p + i, 1 });
			continue;
		}
		store_redis_args_put(a, str_of(text));
	}
}

void store_redis_args_put_coded(struct store_redis_args *a, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char text[4];

		if (!is_coded((unsigned char)s.p[i])) {
			store_redis_args_put(a, (struct str){ s.p + i, 1 });
			continue;
		}
		snprintf(text, sizeof text, "%%%02X", (unsigned char)s.p[i]);
		store_redis_args_put(a, str_of(text));
	}
}

void store_redis_args_own(struct store_redis_args *a, struct str realm, const char *what, struct str user)
{
	store_redis_args_put(a, STR_LIT("taciturn:{"));
	store_redis_args_put_coded(a, realm);
	store_redis_args_put(a, STR_LIT("}:"));
	store_redis_args_put(a, str_of(what));
	if (user.p) {
		store_redis_args_put(a, STR_LIT(":"));
		store_redis_args_put_coded(a, user);
	}
	store_redis_args_end(a);
}

void store_redis_args_coturn(struct store_redis_args *a, struct str realm, const char *what)
{
	store_redis_args_put(a, STR_LIT("turn/realm/"));
	store_redis_args_put(a, realm);
	store_redis_args_put(a, STR_LIT("/"));
	store_redis_args_put(a, str_of(what));
	store_redis_args_end(a);
}

static int hex_digit(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	return isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10 : -1;
}

struct str store_redis_args_decode(struct str s, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '%' && i + 2 < s.len && hex_digit(s.p[i + 1]) >= 0 && hex_digit(s.p[i + 2]) >= 0) {
			out[n++] = (char)(hex_digit(s.p[i + 1]) << 4 | hex_digit(s.p[i + 2]));
			i += 2;
		} else {
			out[n++] = s.p[i];
		}
	}
	return (struct str){ out, n };
}

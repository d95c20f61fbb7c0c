#include "conf/value.h"

#include <string.h>
#include <strings.h>

#include "base/bug.h"

static bool is_word(struct str text, const char *word)
{
	return text.len == strlen(word) && strncasecmp(text.p, word, text.len) == 0;
}

enum err conf_value_bool(struct str text, bool *out)
{
	if (text.len == 0 || is_word(text, "on") || memchr("yYtT123456789", text.p[0], 13)) {
		*out = true;
		return OK;
	}
	if (is_word(text, "off") || memchr("nNfF0", text.p[0], 5)) {
		*out = false;
		return OK;
	}
	return ERR_MALFORMED;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The digits at the beginning of *text, which then begins behind them. */
static enum err take_digits(struct str *text, int64_t *out)
{
	int64_t n = 0;
	size_t i = 0;

	for (; i < text->len && is_digit(text->p[i]); i++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, text->p[i] - '0', &n))
			return ERR_RANGE;
	if (i == 0)
		return ERR_MALFORMED;
	text->p += i;
	text->len -= i;
	*out = n;
	return OK;
}

enum err conf_value_int(struct str text, int64_t *out)
{
	bool negative = text.len && text.p[0] == '-';
	int64_t n;
	enum err e;

	if (negative) {
		text.p++;
		text.len--;
	}
	e = take_digits(&text, &n);
	if (e)
		return e;
	if (text.len)
		return ERR_MALFORMED;
	*out = negative ? -n : n;
	return OK;
}

struct unit {
	const char *text;
	int64_t factor;
};

static const struct unit sizes[] = {
	{ "", 1 },	   { "k", 1000 },     { "m", 1000000 },	 { "g", 1000000000 },
	{ "ki", 1 << 10 }, { "mi", 1 << 20 }, { "gi", 1 << 30 },
};

static const struct unit times[] = {
	{ "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 },
};

static enum err with_unit(struct str text, const struct unit *units, size_t n, int64_t *out)
{
	for (size_t i = 0; i < n; i++) {
		if (!is_word(text, units[i].text))
			continue;
		return __builtin_mul_overflow(*out, units[i].factor, out) ? ERR_RANGE : OK;
	}
	return ERR_MALFORMED;
}

enum err conf_value_size(struct str text, int64_t *out)
{
	int64_t n;
	enum err e = take_digits(&text, &n);

	if (e)
		return e;
	if (text.len && (text.p[text.len - 1] == 'B' || text.p[text.len - 1] == 'b'))
		text.len--;
	e = with_unit(text, sizes, ARRAY_LEN(sizes), &n);
	if (!e)
		*out = n;
	return e;
}

enum err conf_value_time(struct str text, int64_t *out)
{
	int64_t n;
	enum err e = take_digits(&text, &n);

	if (e)
		return e;
	e = with_unit(text, times, ARRAY_LEN(times), &n);
	if (!e)
		*out = n;
	return e;
}

enum err conf_value_enum(struct str text, const char *words, int *out)
{
	for (int i = 0;; i++) {
		struct str word = { words, strcspn(words, "|") };

		if (str_eq(text, word)) {
			*out = i;
			return OK;
		}
		if (words[word.len] == '\0')
			return ERR_MALFORMED;
		words += word.len + 1;
	}
}

bool conf_value_is_example(struct str text)
{
	static const struct str head = STR_LIT("PUT-"), tail = STR_LIT("-HERE");

	return text.len >= head.len + tail.len && memcmp(text.p, head.p, head.len) == 0 &&
	       memcmp(text.p + text.len - tail.len, tail.p, tail.len) == 0;
}

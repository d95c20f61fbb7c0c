#include "log/format.h"

#include <stdio.h>
#include <time.h>

#include "base/bug.h"

/* Output that ends where its room ends. */
struct out {
	char *p;
	size_t n, cap;
};

static void put(struct out *o, const char *text, size_t n)
{
	BUG_ON(n > o->cap - o->n); /* LOG_FORMAT_MAX is enough for every line */
	memcpy(o->p + o->n, text, n);
	o->n += n;
}

static void put_text(struct out *o, const char *text)
{
	put(o, text, strlen(text));
}

/* "2026-11-20T14:03:22.123Z" */
static void put_time(struct out *o, int64_t wall_ms)
{
	time_t s = (time_t)(wall_ms / 1000);
	char buf[64];
	struct tm tm;
	size_t n;

	if (!gmtime_r(&s, &tm))
		return;
	n = strftime(buf, sizeof buf, "%Y-%m-%dT%H:%M:%S", &tm);
	put(o, buf, n);
	snprintf(buf, sizeof buf, ".%03dZ", (int)(wall_ms % 1000));
	put_text(o, buf);
}

/* Length of the valid UTF-8 sequence at the beginning of `s`, whose character becomes *out; 0 when
 * there is none. */
static size_t utf8_decode(struct str s, uint32_t *out)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = (unsigned char)s.p[0];
	size_t n = first < 0x80	  ? 1
		   : first < 0xc2 ? 0
		   : first < 0xe0 ? 2
		   : first < 0xf0 ? 3
		   : first < 0xf5 ? 4
				  : 0;
	uint32_t c = n > 1 ? first & (0x7fu >> n) : first;

	if (n == 0 || n > s.len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)s.p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | ((unsigned char)s.p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*out = c;
	return n;
}

/* What could begin a line of its own, steer a terminal, or show a line in another order than it
 * has: C0 and C1 controls, line and paragraph separators, and what embeds, overrides or isolates
 * a direction of writing. */
static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069);
}

/* Length of the character at the beginning of `s` that may be shown as it is; 0 when it is a
 * control character or no UTF-8. */
static size_t shown_len(struct str s)
{
	uint32_t c;
	size_t n = utf8_decode(s, &c);

	return n && !is_control(c) ? n : 0;
}

/* The text as it is, but for a '?' in place of each byte that may not be shown. */
static void put_plain(struct out *o, struct str text)
{
	for (size_t i = 0; i < text.len;) {
		size_t n = shown_len((struct str){ text.p + i, text.len - i });

		put(o, n ? text.p + i : "?", n ? n : 1);
		i += n ? n : 1;
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Takes one character: a "\xNN" or a backslash and a character (of a quoted value), a UTF-8
 * sequence, or a byte that is none. Escapes and bytes come out as \u00NN, controls as \uNNNN. */
static void put_json_char(struct out *o, struct str *s, bool quoted)
{
	uint32_t c = (unsigned char)s->p[0];
	size_t n = utf8_decode(*s, &c);
	char buf[12];

	if (quoted && c == '\\' && s->len >= 4 && s->p[1] == 'x' && hex_digit(s->p[2]) >= 0 &&
	    hex_digit(s->p[3]) >= 0) {
		c = (uint32_t)(hex_digit(s->p[2]) << 4 | hex_digit(s->p[3]));
		n = 4;
	} else if (quoted && c == '\\' && s->len >= 2 && (s->p[1] == '"' || s->p[1] == '\\')) {
		c = (unsigned char)s->p[1];
		n = 2;
	} else if (n > 1 && !is_control(c)) {
		put(o, s->p, n);
		s->p += n;
		s->len -= n;
		return;
	}
	n = n ? n : 1;
	if (c < ' ' || c == '"' || c == '\\' || c >= 0x7f) {
		snprintf(buf, sizeof buf, "\\u%04x", (unsigned)c);
		put_text(o, buf);
	} else {
		buf[0] = (char)c;
		put(o, buf, 1);
	}
	s->p += n;
	s->len -= n;
}

static void put_json_string(struct out *o, struct str s, bool quoted)
{
	put(o, "\"", 1);
	while (s.len)
		put_json_char(o, &s, quoted);
	put(o, "\"", 1);
}

/* What JSON calls a number, without exponent, and short enough to survive as a double. */
static bool is_number(struct str s)
{
	size_t i = s.len && s.p[0] == '-' ? 1 : 0, digits = 0, dots = 0;

	if (s.len > 15 || (s.len > i + 1 && s.p[i] == '0' && s.p[i + 1] != '.'))
		return false;
	for (; i < s.len; i++) {
		bool digit = s.p[i] >= '0' && s.p[i] <= '9';

		if (!digit && (s.p[i] != '.' || digits == 0 || ++dots > 1))
			return false;
		digits += digit;
	}
	return digits && s.p[s.len - 1] != '.';
}

/* Cuts what comes before `end` off *s. */
static struct str cut(struct str *s, size_t end)
{
	struct str head = { s->p, end };

	s->p += end;
	s->len -= end;
	return head;
}

/* Where the value at the beginning of `s` ends: behind its closing quote, or before a space. */
static size_t value_end(struct str s)
{
	size_t i = 0;

	if (s.len == 0 || s.p[0] != '"') {
		while (i < s.len && s.p[i] != ' ')
			i++;
		return i;
	}
	for (i = 1; i < s.len && s.p[i] != '"'; i++)
		if (s.p[i] == '\\' && i + 1 < s.len)
			i++;
	return i < s.len ? i + 1 : s.len;
}

static void put_json_value(struct out *o, struct str value)
{
	if (value.len == 0 || value.p[0] != '"') {
		if (is_number(value))
			put(o, value.p, value.len);
		else
			put_json_string(o, value, false);
		return;
	}
	cut(&value, 1);
	if (value.len && value.p[value.len - 1] == '"') /* absent where the line was cut */
		value.len--;
	put_json_string(o, value, true);
}

static size_t key_end(struct str s)
{
	size_t i = 0;

	while (i < s.len && s.p[i] != ' ' && s.p[i] != '=')
		i++;
	return i;
}

/* ,"key":value for every word; one without '=' is true. */
static void put_json_words(struct out *o, struct str text)
{
	while (text.len) {
		struct str key;

		if (text.p[0] == ' ') {
			cut(&text, 1);
			continue;
		}
		key = cut(&text, key_end(text));
		put(o, ",", 1);
		put_json_string(o, key, false);
		put(o, ":", 1);
		if (text.len && text.p[0] == '=') {
			cut(&text, 1);
			put_json_value(o, cut(&text, value_end(text)));
		} else {
			put_text(o, "true");
		}
	}
}

static const char *level_name(enum log_format format, uint8_t level)
{
	static const char *const names[][4] = {
		[LOG_TEXT] = { "DEBUG", "INFO", "WARN", "ERROR" },
		[LOG_JSON] = { "debug", "info", "warn", "error" },
	};

	return names[format][level & 3];
}

static void put_json(struct out *o, const struct log_line *line, struct str text)
{
	put_text(o, "{\"time\":\"");
	put_time(o, line->wall_ms);
	put_text(o, "\",\"level\":\"");
	put_text(o, level_name(LOG_JSON, line->level));
	put_text(o, "\",\"event\":");
	put_json_string(o, cut(&text, value_end(text)), false);
	put_json_words(o, text);
	put_text(o, "}");
}

size_t log_format_line(enum log_format format, const struct log_line *line, struct str text,
		       char *out)
{
	struct out o = { .p = out, .cap = LOG_FORMAT_MAX };

	if (format == LOG_JSON) {
		put_json(&o, line, text);
	} else {
		put_time(&o, line->wall_ms);
		put(&o, " ", 1);
		put_text(&o, level_name(LOG_TEXT, line->level));
		put(&o, " ", 1);
		put_plain(&o, text);
	}
	put(&o, "\n", 1);
	return o.n;
}

size_t log_format_syslog(enum log_format format, const struct log_line *line, struct str text,
			 char *out)
{
	struct out o = { .p = out, .cap = LOG_FORMAT_MAX };

	if (format == LOG_JSON)
		put_json(&o, line, text);
	else
		put_plain(&o, text);
	put(&o, "", 1);
	return o.n - 1;
}

static bool is_plain_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-._:/@+,[]", c));
}

static bool is_plain(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_plain_char(text.p[i]))
			return false;
	return text.len > 0;
}

/* One character of `text`, or one byte of what may not be shown, as it may stand in quotes, into
 * buf; returns its length. */
static size_t quote_char(struct str *text, char buf[8])
{
	size_t n = shown_len(*text);
	char c = text->p[0];

	if (n && c != '"' && c != '\\') {
		memcpy(buf, text->p, n);
		cut(text, n);
		return n;
	}
	cut(text, 1); /* the bytes that follow are no UTF-8 by themselves, and come out alike */
	return (size_t)snprintf(buf, 8, "\\x%02x", (unsigned char)c);
}

const char *log_quote(struct str text, char *buf, size_t cap)
{
	size_t n = 0;

	if (cap == 0)
		return buf;
	if (is_plain(text)) {
		n = text.len < cap - 1 ? text.len : cap - 1;
		memcpy(buf, text.p, n);
		buf[n] = '\0';
		return buf;
	}
	if (cap < 3) { /* not even room for two quotes */
		buf[0] = '\0';
		return buf;
	}
	buf[n++] = '"';
	while (text.len) {
		char one[8];
		size_t len = quote_char(&text, one);

		if (n + len > cap - 2)
			break;
		memcpy(buf + n, one, len);
		n += len;
	}
	buf[n++] = '"';
	buf[n] = '\0';
	return buf;
}

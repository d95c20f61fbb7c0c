#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bug.h"
#include "log/format.h"

/* 2026-11-20T14:03:22.123Z */
static const struct log_line at = { .wall_ms = 1795183402123, .level = LOG_INFO_ };

static void text_is_one_line(void **state)
{
	static const struct {
		const char *text, *line;
	} row[] = {
		{ "alloc_open session=a k=1",
		  "2026-11-20T14:03:22.123Z INFO alloc_open session=a k=1\n" },
		{ "x k=a\nb\r\x1b[0m\x7f", "2026-11-20T14:03:22.123Z INFO x k=a?b??[0m?\n" },
		{ "x k=\xc3\xbc l=\xc2\x85 m=\xe2\x80\xae n=\x9b",
		  "2026-11-20T14:03:22.123Z INFO x k=\xc3\xbc l=?? m=??? n=?\n" },
		{ "", "2026-11-20T14:03:22.123Z INFO \n" },
	};
	char out[LOG_FORMAT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		size_t n = log_format_line(LOG_TEXT, &at, str_of(row[i].text), out);

		assert_int_equal(n, strlen(row[i].line));
		assert_memory_equal(out, row[i].line, n);
	}
}

static void json_is_one_object(void **state)
{
#define HEAD "{\"time\":\"2026-11-20T14:03:22.123Z\",\"level\":\"info\",\"event\":"
	static const struct {
		const char *text, *line;
	} row[] = {
		{ "alloc_open session=1.2.3 relay=192.0.2.1:49152 lifetime=600",
		  HEAD "\"alloc_open\",\"session\":\"1.2.3\",\"relay\":\"192.0.2.1:49152\","
		       "\"lifetime\":600}\n" },
		{ "x a=-1 b=0.5 c=007 d=0 e=1. f=.5 g=1.2.3 h=- i=-0.25 j=1234567890123456",
		  HEAD
		  "\"x\",\"a\":-1,\"b\":0.5,\"c\":\"007\",\"d\":0,\"e\":\"1.\",\"f\":\".5\","
		  "\"g\":\"1.2.3\",\"h\":\"-\",\"i\":-0.25,\"j\":\"1234567890123456\"}\n" },
		{ "x user=\"a b\" n=\"12\" e=\"\" f= z=1",
		  HEAD "\"x\",\"user\":\"a b\",\"n\":\"12\",\"e\":\"\",\"f\":\"\",\"z\":1}\n" },
		{ "x q=\"\\x22\\x5c\\x0a\\xff\" r=\"\\\"\\\\\" k=v",
		  HEAD "\"x\",\"q\":\"\\u0022\\u005c\\u000a\\u00ff\",\"r\":\"\\u0022\\u005c\","
		       "\"k\":\"v\"}\n" },
		{ "x k=\"\\xzz\\q\"", HEAD "\"x\",\"k\":\"\\u005cxzz\\u005cq\"}\n" },
		{ "x k=a\"b\\c\td", HEAD "\"x\",\"k\":\"a\\u0022b\\u005cc\\u0009d\"}\n" },
		{ "x k=\xc3\xa9\xff\xc3 l=\xed\xa0\x80", HEAD
		  "\"x\",\"k\":\"\xc3\xa9\\u00ff\\u00c3\",\"l\":\"\\u00ed\\u00a0\\u0080\"}\n" },
		{ "x k=a\xc2\x85z l=\"\xe2\x80\xa8 \xe2\x81\xa6\" m=\xe2\x80\xb0",
		  HEAD "\"x\",\"k\":\"a\\u0085z\",\"l\":\"\\u2028 \\u2066\",\"m\":\"\xe2\x80\xb0\"}\n" },
		{ "x k=\"cut off", HEAD "\"x\",\"k\":\"cut off\"}\n" },
		{ "x k=\"cut\\", HEAD "\"x\",\"k\":\"cut\\u005c\"}\n" },
		{ "x  bare  k=1 ", HEAD "\"x\",\"bare\":true,\"k\":1}\n" },
		{ "x =1", HEAD "\"x\",\"\":1}\n" },
		{ "", HEAD "\"\"}\n" },
	};
	char out[LOG_FORMAT_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		out[log_format_line(LOG_JSON, &at, str_of(row[i].text), out)] = '\0';
		assert_string_equal(out, row[i].line);
	}
#undef HEAD
}

/* No line outgrows LOG_FORMAT_MAX: what expands most fills it. */
static void the_longest_line_fits(void **state)
{
	static const char *const fillers[] = { "\x01", "\\", "\"", "a ", "=", " =", "\xff",
					       "\xc2\x85", "\xe2\x80\xa8" };
	char text[LOG_LINE_MAX], out[LOG_FORMAT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fillers); i++) {
		struct str s = { text, sizeof text };

		for (size_t k = 0; k < sizeof text; k++)
			text[k] = fillers[i][k % strlen(fillers[i])];
		assert_true(log_format_line(LOG_JSON, &at, s, out) <= sizeof out);
		assert_true(log_format_line(LOG_TEXT, &at, s, out) <= sizeof out);
		assert_true(log_format_syslog(LOG_JSON, &at, s, out) < sizeof out);
	}
}

static void syslog_gets_no_time(void **state)
{
	char out[LOG_FORMAT_MAX];
	size_t n = log_format_syslog(LOG_TEXT, &at, STR_LIT("x k=%s\n"), out);

	(void)state;
	assert_string_equal(out, "x k=%s?");
	assert_int_equal(n, strlen(out));
}

static void levels_have_names(void **state)
{
	static const char *const names[] = { "DEBUG", "INFO", "WARN", "ERROR" };
	char out[LOG_FORMAT_MAX + 1];

	(void)state;
	for (uint8_t i = 0; i < 4; i++) {
		struct log_line line = { .level = i };

		out[log_format_line(LOG_TEXT, &line, STR_LIT("x"), out)] = '\0';
		assert_non_null(strstr(out, names[i]));
		assert_memory_equal(out, "1970-01-01T00:00:00.000Z", 24);
	}
}

static void quotes_keep_peers_inside_their_value(void **state)
{
	static const struct {
		const char *text, *quoted;
	} row[] = {
		{ "alice", "alice" },
		{ "-._:/@+,[]Az09", "-._:/@+,[]Az09" },
		{ "", "\"\"" },
		{ "a b", "\"a b\"" },
		{ "a=b", "\"a=b\"" },
		{ "a\"b\\c", "\"a\\x22b\\x5cc\"" },
		{ "a\nlevel=error", "\"a\\x0alevel=error\"" },
		{ "\x1b[2J\x7f", "\"\\x1b[2J\\x7f\"" },
		{ "J\xc3\xbcrgen", "\"J\xc3\xbcrgen\"" },
		{ "\xff\xc3", "\"\\xff\\xc3\"" },
		{ "\xc0\xaf\xe0\x80\xaf", "\"\\xc0\\xaf\\xe0\\x80\\xaf\"" }, /* overlong */
		{ "\xed\xa0\x80", "\"\\xed\\xa0\\x80\"" },		     /* a surrogate */
		{ "a\xc2\x80", "\"a\\xc2\\x80\"" },			     /* C1: U+0080 to U+009F */
		{ "\xc2\x9b" "2J", "\"\\xc2\\x9b2J\"" },
		{ "\xc2\x9f\xc2\xa0", "\"\\xc2\\x9f\xc2\xa0\"" },
	};
	char buf[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		assert_string_equal(log_quote(str_of(row[i].text), buf, sizeof buf),
				    row[i].quoted);
	assert_string_equal(log_quote((struct str){ "a\0b", 3 }, buf, sizeof buf),
			    "\"a\\x00b\"");
}

/* U+2020 to U+206F: only what breaks a line or turns the direction of writing is escaped. */
static void quotes_keep_lines_in_their_order(void **state)
{
	char buf[64], escaped[32], kept[8], json[LOG_FORMAT_MAX + 1], unicode[8];

	(void)state;
	for (unsigned c = 0x2020; c <= 0x206f; c++) {
		bool turns = (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
		unsigned char raw[] = { 0xe2, (unsigned char)(0x80 | (c >> 6 & 0x3f)), (unsigned char)(0x80 | (c & 0x3f)) };

		snprintf(kept, sizeof kept, "\"%.3s\"", (const char *)raw);
		snprintf(escaped, sizeof escaped, "\"\\x%02x\\x%02x\\x%02x\"", raw[0], raw[1], raw[2]);
		assert_string_equal(log_quote((struct str){ (const char *)raw, 3 }, buf, sizeof buf),
				    turns ? escaped : kept);
		json[log_format_line(LOG_JSON, &at, (struct str){ (const char *)raw, 3 }, json)] = '\0';
		snprintf(unicode, sizeof unicode, "\\u%04x", c);
		assert_int_equal(strstr(json, unicode) != NULL, turns);
	}
}

static void quotes_are_cut_to_fit(void **state)
{
	static const struct {
		const char *text;
		size_t cap;
		const char *quoted;
	} row[] = {
		{ "alice", 4, "ali" },
		{ "alice", 1, "" },
		{ "a b c", 6, "\"a b\"" },
		{ "a b c", 3, "\"\"" },
		{ "a b c", 2, "" },
		{ "\n\n", 10, "\"\\x0a\"" },
		{ "\xc3\xbc x", 4, "\"\"" }, /* no half of a character */
		{ "\xc3\xbc x", 5, "\"\xc3\xbc\"" },
	};
	char buf[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		memset(buf, '~', sizeof buf);
		assert_string_equal(log_quote(str_of(row[i].text), buf, row[i].cap),
				    row[i].quoted);
		assert_int_equal(buf[row[i].cap], '~');
	}
}

/* Whatever a peer sends, its quoted form comes back out of JSON as one value. */
static void quoted_values_survive_json(void **state)
{
	char text[LOG_LINE_MAX], quoted[64], out[LOG_FORMAT_MAX + 1];

	(void)state;
	for (int c = 0; c < 256; c++) {
		char raw[] = { (char)c, ' ', (char)c };
		int n = snprintf(text, sizeof text, "x k=%s z=1",
				 log_quote((struct str){ raw, 3 }, quoted, sizeof quoted));

		out[log_format_line(LOG_JSON, &at, (struct str){ text, (size_t)n }, out)] =
			'\0';
		assert_string_equal(out + strlen(out) - strlen(",\"z\":1}\n"), ",\"z\":1}\n");
		assert_non_null(strstr(out, "\"event\":\"x\",\"k\":\""));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_one_line),
		cmocka_unit_test(json_is_one_object),
		cmocka_unit_test(the_longest_line_fits),
		cmocka_unit_test(syslog_gets_no_time),
		cmocka_unit_test(levels_have_names),
		cmocka_unit_test(quotes_keep_peers_inside_their_value),
		cmocka_unit_test(quotes_keep_lines_in_their_order),
		cmocka_unit_test(quotes_are_cut_to_fit),
		cmocka_unit_test(quoted_values_survive_json),
	};

	return cmocka_run_group_tests_name("log_format", tests, NULL, NULL);
}

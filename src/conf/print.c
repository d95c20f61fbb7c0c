#include <stdio.h>
#include <string.h>

#include "conf/table.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif

enum { INDENT = 8, WIDTH = 78 };

void conf_print_version(void)
{
	printf("taciturn %s\n", PACKAGE_VERSION);
}

/* Words of `text` on lines of at most WIDTH columns. */
static void print_wrapped(const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t n = strcspn(text, " ");

		if (column && column + 1 + n > WIDTH) {
			putchar('\n');
			column = 0;
		}
		if (column)
			column += (size_t)printf(" %.*s", (int)n, text);
		else
			column = (size_t)printf("%*s%.*s", INDENT, "", (int)n, text);
		text += n;
		text += strspn(text, " ");
	}
	putchar('\n');
}

static const char *placeholder(const struct conf_row *row)
{
	switch (row->type) {
	case CONF_BOOL:
		return "[=yes|no]";
	case CONF_INT:
		return "=NUMBER";
	case CONF_SIZE:
		return "=SIZE";
	case CONF_TIME:
		return "=TIME";
	case CONF_STR:
	case CONF_LIST:
		return "=TEXT";
	case CONF_ENUM:
		return "=";
	}
	return "";
}

/* Word number `i` of "a|b|c", as a default. */
static void print_word(const char *words, int64_t i)
{
	for (; i > 0; i--)
		words += strcspn(words, "|") + 1;
	printf("  (%.*s)\n", (int)strcspn(words, "|"), words);
}

static void print_default(const struct conf_row *row)
{
	if (row->type == CONF_BOOL)
		printf("  (%s)\n", row->num ? "yes" : "no");
	else if (row->type == CONF_STR && row->text)
		printf("  (%s)\n", row->text);
	else if (row->type == CONF_STR || row->type == CONF_LIST)
		printf("\n");
	else if (row->type == CONF_ENUM)
		print_word(row->words, row->num);
	else
		printf("  (%lld)\n", (long long)row->num);
}

static void print_row(const struct conf_row *row)
{
	if (row->letter)
		printf("  -%c, --%s%s%s", row->letter, row->name, placeholder(row),
		       row->words ? row->words : "");
	else
		printf("      --%s%s%s", row->name, placeholder(row),
		       row->words ? row->words : "");
	print_default(row);
	print_wrapped(row->help);
}

void conf_print_help(void)
{
	printf("Usage: taciturn [-c FILE | -n] [--OPTION[=VALUE] ...]\n"
	       "A TURN and STUN relay server.\n\n"
	       "  -c FILE             read this configuration file\n"
	       "  -n                  read no configuration file\n"
	       "      --check-config  say all that is wrong with the configuration, and end\n"
	       "  -h, --help          print this, and end\n"
	       "      --version       print the version, and end\n\n"
	       "Options of the file and of the command line, with their defaults. In the file\n"
	       "they stand without dashes, one a line. SIZE takes K M G Ki Mi Gi, TIME takes\n"
	       "s m h d.\n\n");
	for (size_t i = 0; i < CONF_N_ROWS; i++)
		print_row(&conf_table_rows[i]);
}

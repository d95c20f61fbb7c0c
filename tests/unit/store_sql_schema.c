#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/sql_schema.h"
#include "store/sql_stmt.h"

/* The statements of the file, without its comments: what a statement ends with is left to each. */
static char *file_text(void)
{
	const char *top = getenv("srcdir");
	char path[512], line[256];
	char *text = calloc(1, 65536);
	FILE *f;

	snprintf(path, sizeof path, "%s/contrib/sql/schema.sql", top ? top : ".");
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(text);
	while (fgets(line, sizeof line, f))
		if (strncmp(line, "--", 2) != 0 && line[0] != '\n')
			strcat(text, line);
	fclose(f);
	return text;
}

static void the_file_of_contrib_makes_the_same_tables(void **state)
{
	size_t n;
	const struct store_sql_schema_table *tables = store_sql_schema_tables(&n);
	char *want = calloc(1, 65536), *text = file_text();

	(void)state;
	assert_non_null(want);
	for (size_t i = 0; i < n; i++) {
		strcat(want, tables[i].create);
		strcat(want, ";\n");
	}
	sprintf(want + strlen(want),
		"INSERT INTO taciturn_schema (version) SELECT %d WHERE NOT EXISTS (SELECT 1 FROM taciturn_schema);\n",
		STORE_SQL_SCHEMA_VERSION);
	assert_string_equal(text, want);
	free(want);
	free(text);
}

/* PostgreSQL does not know the type of a parameter that nothing uses. */
static void parameters_are_used_without_gaps(void **state)
{
	(void)state;
	for (int s = 0; s < N_STORE_SQL_STMT; s++) {
		const char *text = store_sql_stmt_text((enum store_sql_stmt)s, true, false);
		unsigned seen = 0;

		assert_non_null(text);
		for (const char *p = text; (p = strchr(p, '$')); p++)
			seen |= 1u << strtoul(p + 1, NULL, 10);
		assert_int_equal(seen & 1u, 0);
		seen >>= 1;
		assert_int_equal(seen & (seen + 1), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_file_of_contrib_makes_the_same_tables),
		cmocka_unit_test(parameters_are_used_without_gaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

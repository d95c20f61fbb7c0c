/*
 * One SQLite file and the statements that are prepared on it. Blocks; for the thread that has it.
 */
#pragma once

#include "store/sql_run.h"

enum { STORE_SQLITE_WHY = 200 };

struct store_sqlite_file;

/* Opens the file. Unless it must exist, makes it, and the tables, when there is none or it is empty. *out stays
 * NULL and `why` has the reason when it cannot; `why` also has what is wrong with the tables of a file that is open. */
void store_sqlite_file_open(struct store_sqlite_file **out, const char *path, bool must_exist, unsigned busy_ms,
			    struct store_sql_facts *facts, char why[STORE_SQLITE_WHY]);
void store_sqlite_file_close(struct store_sqlite_file *f); /* NULL is fine */

/* Does all runs of the list in one transaction; each has its status afterwards. */
void store_sqlite_file_run(struct store_sqlite_file *f, struct list *batch);

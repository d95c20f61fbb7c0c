/* taciturnctl's and the stats port's commands, in SQL. */
#pragma once

#include "store/sql_run.h"

extern const struct store_sql_plan store_sql_admin;	   /* lists, sets and deletes */
extern const struct store_sql_plan store_sql_admin_schema; /* makes the tables, or looks at them */

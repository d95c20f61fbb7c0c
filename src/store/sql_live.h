/* Everything of struct conf_live, read from SQL. */
#pragma once

#include "store/sql_run.h"

extern const struct store_sql_plan store_sql_live;

/* What workers ask and report, in SQL: keys, leases, usage and session records. */
#pragma once

#include "store/sql_run.h"

extern const struct store_sql_plan store_sql_ops_key, store_sql_ops_lease, store_sql_ops_batch;

/* Which databases a configuration names, as far as this build has libraries for them. Any thread. */
#pragma once

#include "conf/conf.h"
#include "store/op.h"

/* The database of users, its connection string and the option that names it; NULL: none. */
const struct store_kind *store_kinds_users(const struct conf *c, const char **conninfo, const char **option);

/* The one that counts, where that is another. */
const struct store_kind *store_kinds_counts(const struct conf *c);

/* The one whose connection string is a file's name. */
const struct store_kind *store_kinds_file(void);

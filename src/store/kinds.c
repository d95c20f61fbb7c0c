#include "store/kinds.h"

static bool is_set(const char *option)
{
	return option && *option;
}

const struct store_kind *store_kinds_users(const struct conf *c, const char **conninfo, const char **option)
{
	const struct store_kind *kind = NULL;

	*conninfo = *option = NULL;
	if (is_set(c->redis_userdb)) {
		*conninfo = c->redis_userdb;
		*option = "redis-userdb";
#ifdef HAVE_STORE_REDIS
		kind = &store_redis;
#endif
	} else if (is_set(c->psql_userdb)) {
		*conninfo = c->psql_userdb;
		*option = "psql-userdb";
#ifdef HAVE_STORE_PGSQL
		kind = &store_pgsql;
#endif
	} else if (is_set(c->userdb)) {
		*conninfo = c->userdb;
		*option = "userdb";
		kind = store_kinds_file();
	}
	return kind;
}

const struct store_kind *store_kinds_counts(const struct conf *c)
{
#ifdef HAVE_STORE_REDIS
	if (is_set(c->redis_statsdb))
		return &store_redis;
#endif
	(void)c;
	return &store_memory;
}

const struct store_kind *store_kinds_file(void)
{
#ifdef HAVE_STORE_SQLITE
	return &store_sqlite;
#else
	return NULL;
#endif
}

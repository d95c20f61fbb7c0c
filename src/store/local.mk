noinst_LIBRARIES += %D%/libstore.a
%C%_libstore_a_SOURCES = \
	%D%/backend.h \
	%D%/batch.c \
	%D%/batch.h \
	%D%/cache.c \
	%D%/cache.h \
	%D%/check.c \
	%D%/delivery.c \
	%D%/delivery.h \
	%D%/inside.h \
	%D%/job.c \
	%D%/kinds.c \
	%D%/kinds.h \
	%D%/lease.c \
	%D%/lease.h \
	%D%/limits.c \
	%D%/link.c \
	%D%/link.h \
	%D%/memory.c \
	%D%/neighbour.c \
	%D%/neighbour.h \
	%D%/op.c \
	%D%/op.h \
	%D%/question.c \
	%D%/quota.c \
	%D%/quota.h \
	%D%/reader.c \
	%D%/report.c \
	%D%/spool.c \
	%D%/spool.h \
	%D%/sql_admin.c \
	%D%/sql_admin.h \
	%D%/sql_live.c \
	%D%/sql_live.h \
	%D%/sql_ops.c \
	%D%/sql_ops.h \
	%D%/sql_run.c \
	%D%/sql_run.h \
	%D%/sql_schema.c \
	%D%/sql_schema.h \
	%D%/sql_stmt.c \
	%D%/sql_stmt.h \
	%D%/store.c \
	%D%/store.h \
	%D%/usage.c \
	%D%/usage.h \
	%D%/withdraw.c \
	%D%/withdraw.h

if STORE_PGSQL
%C%_libstore_a_SOURCES += \
	%D%/pgsql.c \
	%D%/pgsql_dial.c \
	%D%/pgsql_dial.h \
	%D%/pgsql_wire.c \
	%D%/pgsql_wire.h
endif

if STORE_SQLITE
%C%_libstore_a_SOURCES += \
	%D%/sqlite.c \
	%D%/sqlite_file.c \
	%D%/sqlite_file.h
endif

if STORE_REDIS
%C%_libstore_a_SOURCES += \
	%D%/redis.c \
	%D%/redis.h \
	%D%/redis_admin.c \
	%D%/redis_args.c \
	%D%/redis_args.h \
	%D%/redis_conninfo.c \
	%D%/redis_conninfo.h \
	%D%/redis_counts.c \
	%D%/redis_link.c \
	%D%/redis_link.h \
	%D%/redis_quota.c \
	%D%/redis_resolve.c \
	%D%/redis_resolve.h \
	%D%/redis_tls.c \
	%D%/redis_tls.h \
	%D%/redis_users.c
endif

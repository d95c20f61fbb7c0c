noinst_LIBRARIES += %D%/libstore.a
%C%_libstore_a_SOURCES = \
	%D%/backend.h \
	%D%/op.c \
	%D%/op.h \
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
	%D%/redis_users.c \
	%D%/store.h

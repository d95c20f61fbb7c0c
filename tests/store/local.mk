# The suite for every kind of database: tests/store/run starts one of each and gives it to the suite. ./check does
# that; make check does not, for it starts no servers.
if HAVE_CMOCKA
noinst_PROGRAMS += %D%/suite
endif
%C%_suite_SOURCES = \
	%D%/coturn.c \
	%D%/counts.c \
	%D%/hostile.c \
	%D%/leases.c \
	%D%/suite.c \
	%D%/suite.h \
	%D%/trouble.c \
	%D%/users.c \
	%D%/world.c \
	%D%/world.h
%C%_suite_LDADD = $(server_libs) $(CMOCKA_LIBS) $(server_syslibs)

EXTRA_DIST += %D%/run %D%/server.py %D%/server_redis.py %D%/server_sql.py

noinst_LIBRARIES += %D%/libconf.a
%C%_libconf_a_SOURCES = \
	%D%/alternates.c \
	%D%/argv.c \
	%D%/argv.h \
	%D%/backend.c \
	%D%/check.c \
	%D%/check.h \
	%D%/conf.c \
	%D%/conf.h \
	%D%/cpus.c \
	%D%/addrs.h \
	%D%/external.c \
	%D%/files.c \
	%D%/hosts.c \
	%D%/http.c \
	%D%/legacy.def \
	%D%/opaque.c \
	%D%/opaque.h \
	%D%/options.def \
	%D%/live.c \
	%D%/live.h \
	%D%/origin.c \
	%D%/origin.h \
	%D%/parse.c \
	%D%/parse.h \
	%D%/period.c \
	%D%/period.h \
	%D%/print.c \
	%D%/reader.c \
	%D%/reader.h \
	%D%/table.c \
	%D%/table.h \
	%D%/users.c \
	%D%/value.c \
	%D%/value.h

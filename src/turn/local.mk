noinst_LIBRARIES += %D%/libturn.a
%C%_libturn_a_SOURCES = \
	%D%/alloc.c \
	%D%/alloc.h \
	%D%/binding.c \
	%D%/binding.h \
	%D%/chan.c \
	%D%/chan.h \
	%D%/perm.c \
	%D%/perm.h \
	%D%/policy.c \
	%D%/policy.h \
	%D%/redirect.c \
	%D%/redirect.h \
	%D%/reply.c \
	%D%/reply.h \
	%D%/route.c \
	%D%/route.h \
	%D%/server.c \
	%D%/server.h \
	%D%/session.c \
	%D%/session.h \
	%D%/tcp.c \
	%D%/tcp.h \
	%D%/verdict.h

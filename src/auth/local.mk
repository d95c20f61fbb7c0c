noinst_LIBRARIES += %D%/libauth.a
%C%_libauth_a_SOURCES = \
	%D%/check.c \
	%D%/check.h \
	%D%/env.h \
	%D%/longterm.c \
	%D%/longterm.h \
	%D%/nonce.c \
	%D%/nonce.h \
	%D%/realm.c \
	%D%/realm.h \
	%D%/rest.c \
	%D%/rest.h \
	%D%/throttle.c \
	%D%/throttle.h \
	%D%/token.c \
	%D%/token.h

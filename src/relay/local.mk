noinst_LIBRARIES += %D%/librelay.a
%C%_librelay_a_SOURCES = \
	%D%/backend.c \
	%D%/backend.h \
	%D%/conn.c \
	%D%/conn.h \
	%D%/crowd.c \
	%D%/crowd.h \
	%D%/dtls.c \
	%D%/dtls.h \
	%D%/endpoint.c \
	%D%/forward.c \
	%D%/handoff.c \
	%D%/handoff.h \
	%D%/listing.c \
	%D%/listing.h \
	%D%/front.c \
	%D%/front.h \
	%D%/pipe.c \
	%D%/pipe.h \
	%D%/port.c \
	%D%/port.h \
	%D%/quota.c \
	%D%/quota.h \
	%D%/relay.c \
	%D%/relay.h \
	%D%/request.c \
	%D%/session.c \
	%D%/splice.c \
	%D%/splice.h \
	%D%/table.c \
	%D%/table.h \
	%D%/web.c \
	%D%/web.h

noinst_LIBRARIES += %D%/libworker.a
%C%_libworker_a_SOURCES = \
	%D%/ask.c \
	%D%/ask.h \
	%D%/board.c \
	%D%/board.h \
	%D%/bridge.c \
	%D%/bridge.h \
	%D%/certs.c \
	%D%/certs.h \
	%D%/control.c \
	%D%/control.h \
	%D%/listen.c \
	%D%/listen.h \
	%D%/drain.c \
	%D%/drain.h \
	%D%/msg.h \
	%D%/notes.c \
	%D%/notes.h \
	%D%/pool.c \
	%D%/pool.h \
	%D%/process.c \
	%D%/process.h \
	%D%/renew.c \
	%D%/renew.h \
	%D%/trim.c \
	%D%/trim.h \
	%D%/worker.c \
	%D%/worker.h

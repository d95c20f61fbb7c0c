noinst_LIBRARIES += %D%/liblog.a
%C%_liblog_a_SOURCES = \
	%D%/format.c \
	%D%/format.h \
	%D%/log.c \
	%D%/log.h \
	%D%/ring.h \
	%D%/sink.c \
	%D%/sink.h

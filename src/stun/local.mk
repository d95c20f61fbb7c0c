noinst_LIBRARIES += %D%/libstun.a
%C%_libstun_a_SOURCES = \
	%D%/address.c \
	%D%/address.h \
	%D%/attr.def \
	%D%/chan.h \
	%D%/classic.c \
	%D%/classic.h \
	%D%/decode.c \
	%D%/demux.h \
	%D%/encode.c \
	%D%/error.c \
	%D%/error.def \
	%D%/frame.c \
	%D%/frame.h \
	%D%/integrity.c \
	%D%/msg.h \
	%D%/print.c

noinst_LIBRARIES += %D%/libstore.a
%C%_libstore_a_SOURCES = \
	%D%/backend.h \
	%D%/op.c \
	%D%/op.h \
	%D%/store.h

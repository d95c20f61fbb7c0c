noinst_LIBRARIES += %D%/libbase.a
%C%_libbase_a_SOURCES = \
	%D%/addr.c \
	%D%/addr.h \
	%D%/bucket.h \
	%D%/bug.h \
	%D%/counter.h \
	%D%/counters.def \
	%D%/crypto.c \
	%D%/crypto.h \
	%D%/err.c \
	%D%/err.h \
	%D%/histogram.c \
	%D%/histogram.def \
	%D%/histogram.h \
	%D%/hmap.c \
	%D%/hmap.h \
	%D%/list.h \
	%D%/mbox.c \
	%D%/mbox.h \
	%D%/prefix.c \
	%D%/prefix.h \
	%D%/rd.h \
	%D%/rng.c \
	%D%/rng.h \
	%D%/slab.c \
	%D%/slab.h \
	%D%/str.h \
	%D%/thread.c \
	%D%/thread.h \
	%D%/tick.c \
	%D%/tick.h \
	%D%/wheel.c \
	%D%/wheel.h \
	%D%/wr.h

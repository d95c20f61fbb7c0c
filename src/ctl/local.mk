sbin_PROGRAMS += taciturnctl
taciturnctl_SOURCES = \
	%D%/credential.c \
	%D%/ctl.h \
	%D%/database.c \
	%D%/database.h \
	%D%/db.c \
	%D%/http.c \
	%D%/http.h \
	%D%/input.c \
	%D%/input.h \
	%D%/main.c \
	%D%/quota.c \
	%D%/remote.c \
	%D%/secret.c \
	%D%/turnadmin.c \
	%D%/turnadmin.h \
	%D%/user.c
taciturnctl_LDADD = $(server_libs) $(EVENT_HTTP_LIBS) $(server_syslibs)

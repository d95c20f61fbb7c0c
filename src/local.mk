# One fragment per folder. %D% is the fragment's folder, %C% the same with underscores.
include src/base/local.mk
include src/log/local.mk
include src/conf/local.mk
include src/stun/local.mk
include src/auth/local.mk
include src/turn/local.mk
include src/net/local.mk
include src/store/local.mk
include src/relay/local.mk
include src/worker/local.mk
include src/admin/local.mk

# All of the server but main(), each library before those that it uses.
server_libs = \
	src/admin/libadmin.a \
	src/worker/libworker.a \
	src/store/libstore.a \
	src/relay/librelay.a \
	src/net/libnet.a \
	src/turn/libturn.a \
	src/auth/libauth.a \
	src/stun/libstun.a \
	src/conf/libconf.a \
	src/log/liblog.a \
	src/base/libbase.a
server_syslibs = $(EVENT_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS) $(SYSTEMD_LIBS) \
	$(UNISTRING_LIBS) $(HIREDIS_LIBS) $(PQ_LIBS) $(SQLITE_LIBS) $(MHD_LIBS) $(JANSSON_LIBS)

sbin_PROGRAMS += taciturn
taciturn_SOURCES = src/main.c
taciturn_LDADD = $(server_libs) $(server_syslibs)

include src/ctl/local.mk

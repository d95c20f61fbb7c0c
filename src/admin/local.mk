noinst_LIBRARIES += %D%/libadmin.a
%C%_libadmin_a_SOURCES = \
	%D%/admin.h \
	%D%/assets.c \
	%D%/assets.h \
	%D%/bind.c \
	%D%/body.c \
	%D%/body.h \
	%D%/control.c \
	%D%/events.c \
	%D%/figures.c \
	%D%/figures.h \
	%D%/health.c \
	%D%/history.c \
	%D%/http.c \
	%D%/legacy.c \
	%D%/metrics.c \
	%D%/metrics.def \
	%D%/metrics.h \
	%D%/mint.c \
	%D%/order.c \
	%D%/reply.c \
	%D%/route.c \
	%D%/route.def \
	%D%/route.h \
	%D%/sessions.c \
	%D%/state.h \
	%D%/status.c \
	%D%/token.c \
	%D%/token.h
nodist_%C%_libadmin_a_SOURCES = %D%/assets_data.c

admin_pages = \
	%D%/assets/act.js \
	%D%/assets/app.js \
	%D%/assets/chart.js \
	%D%/assets/check.html \
	%D%/assets/check.js \
	%D%/assets/client.js \
	%D%/assets/dom.js \
	%D%/assets/icon.svg \
	%D%/assets/index.html \
	%D%/assets/sessions.js \
	%D%/assets/style.css

EXTRA_DIST += %D%/gen-assets $(admin_pages)
CLEANFILES = %D%/assets_data.c

%D%/assets_data.c: $(admin_pages) %D%/gen-assets
	$(AM_V_GEN)$(MKDIR_P) %D% && $(top_srcdir)/%D%/gen-assets $(top_srcdir)/%D%/assets >$@.new && mv $@.new $@

include tests/unit/local.mk
include tests/fuzz/local.mk
include tests/replay/local.mk
include tests/store/local.mk

EXTRA_DIST += tests/bench tests/data tests/lint tests/net

LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
# cmocka speaks TAP when asked; a test finds its data below $srcdir, which automake exports.
AM_TESTS_ENVIRONMENT = CMOCKA_MESSAGE_OUTPUT=TAP; export CMOCKA_MESSAGE_OUTPUT;

LDADD = tests/unit/libworld.a $(server_libs) $(CMOCKA_LIBS) $(server_syslibs)
TESTS = $(check_PROGRAMS)

if !HAVE_CMOCKA
check-local:
	@echo "make check needs cmocka (libcmocka-dev); run configure again when it is there" >&2
	@exit 1
endif

lint: all
	$(top_srcdir)/tests/lint/run-all --build .
.PHONY: lint

# TT_CHECK_CFLAG(VARIABLE, FLAG)
# Appends FLAG to VARIABLE when the compiler takes it without a warning.
AC_DEFUN([TT_CHECK_CFLAG], [
	AS_VAR_PUSHDEF([tt_ok], [tt_cv_cflag_$2])
	AC_CACHE_CHECK([whether $CC takes $2], [tt_ok], [
		tt_saved=$CFLAGS
		CFLAGS="$CFLAGS -Werror $2"
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM], [AS_VAR_SET([tt_ok], [yes])],
			[AS_VAR_SET([tt_ok], [no])])
		CFLAGS=$tt_saved
	])
	AS_VAR_IF([tt_ok], [yes], [$1="$$1 $2"])
	AS_VAR_POPDEF([tt_ok])
])

# TT_CHECK_LDFLAG(VARIABLE, FLAG)
# Appends FLAG to VARIABLE when a program links with it, the flags in TT_CFLAGS included.
AC_DEFUN([TT_CHECK_LDFLAG], [
	AS_VAR_PUSHDEF([tt_ok], [tt_cv_ldflag_$2])
	AC_CACHE_CHECK([whether the linker takes $2], [tt_ok], [
		tt_saved_c=$CFLAGS
		tt_saved_ld=$LDFLAGS
		CFLAGS="$CFLAGS $TT_CFLAGS"
		LDFLAGS="$LDFLAGS $2"
		AC_LINK_IFELSE([AC_LANG_PROGRAM], [AS_VAR_SET([tt_ok], [yes])],
			[AS_VAR_SET([tt_ok], [no])])
		CFLAGS=$tt_saved_c
		LDFLAGS=$tt_saved_ld
	])
	AS_VAR_IF([tt_ok], [yes], [$1="$$1 $2"])
	AS_VAR_POPDEF([tt_ok])
])

# TT_ROW(WHAT, STATE, COST OF ABSENCE)
# One row of the table that configure ends with; the cost is shown when STATE begins with "no".
AC_DEFUN([TT_ROW], [
	AS_CASE(["$2"],
		[no*], [tt_cost="$3"],
		[tt_cost=])
	AS_IF([test -n "$tt_cost"],
		[printf '  %-22s %-14s %s\n' "$1" "$2" "$tt_cost" >&AS_MESSAGE_FD],
		[printf '  %-22s %s\n' "$1" "$2" >&AS_MESSAGE_FD])
])

# TT_STORE(KIND, LIBRARY)
# Whether a kind of database is built: the conditional STORE_KIND, and HAVE_STORE_KIND for the sources.
AC_DEFUN([TT_STORE], [
	AS_IF([test -e "$srcdir/src/store/m4_tolower($1).c"], [], [have_$2=no])
	AM_CONDITIONAL([STORE_$1], [test "$have_$2" = yes])
	AS_IF([test "$have_$2" = yes],
		[AC_DEFINE([HAVE_STORE_$1], [1], [this kind of database is built])])
])

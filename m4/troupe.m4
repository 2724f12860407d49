dnl troupe.m4 - which compiler flags troupe is built with.

dnl TROUPE_ADD_FLAG(FLAG): appends FLAG to TROUPE_CFLAGS if the compiler takes it. -Werror, because clang
dnl only warns of a warning that it does not know.
AC_DEFUN([TROUPE_ADD_FLAG],
[AS_VAR_PUSHDEF([cache], [troupe_cv_flag_$1])dnl
AC_CACHE_CHECK([whether $CC takes $1], [cache],
  [troupe_saved_CFLAGS=$CFLAGS
   CFLAGS="-Werror $1"
   AC_COMPILE_IFELSE([AC_LANG_PROGRAM()], [AS_VAR_SET([cache], [yes])], [AS_VAR_SET([cache], [no])])
   CFLAGS=$troupe_saved_CFLAGS])
AS_VAR_IF([cache], [yes], [TROUPE_CFLAGS="$TROUPE_CFLAGS $1"])
AS_VAR_POPDEF([cache])])

dnl TROUPE_WARNINGS: the dialect and the warnings; --enable-werror makes them errors.
AC_DEFUN([TROUPE_WARNINGS],
[TROUPE_CFLAGS='-std=c11'
m4_foreach_w([flag], [-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
    -Wpointer-arith -Wwrite-strings -Wvla -Wundef -Wformat=2 -Wimplicit-fallthrough -Wlogical-op
    -Wduplicated-cond],
  [TROUPE_ADD_FLAG(flag)])
AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [make every warning an error])])
AS_IF([test "$enable_werror" = yes], [TROUPE_CFLAGS="$TROUPE_CFLAGS -Werror"])
AC_SUBST([TROUPE_CFLAGS])])

dnl TROUPE_INSTRUMENT: at most one of --enable-asan, --enable-tsan, --enable-fuzz, --enable-coverage. The flags go to
dnl every object and every link; the Lua interpreter of the distribution lacks them, so the tests then run under
dnl tests/lua_host.
AC_DEFUN([TROUPE_INSTRUMENT],
[AC_ARG_ENABLE([asan], [AS_HELP_STRING([--enable-asan], [build with AddressSanitizer and UBSan])])
AC_ARG_ENABLE([tsan], [AS_HELP_STRING([--enable-tsan], [build with ThreadSanitizer])])
AC_ARG_ENABLE([fuzz], [AS_HELP_STRING([--enable-fuzz], [build for make fuzz-run, by clang])])
AC_ARG_ENABLE([coverage], [AS_HELP_STRING([--enable-coverage], [build so that make coverage can count lines])])
INSTRUMENT=
INSTRUMENT_FLAGS=
AS_IF([test "$enable_asan" = yes],
  [INSTRUMENT="$INSTRUMENT asan"
   INSTRUMENT_FLAGS='-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer'])
AS_IF([test "$enable_tsan" = yes],
  [INSTRUMENT="$INSTRUMENT tsan"
   INSTRUMENT_FLAGS='-fsanitize=thread -fno-omit-frame-pointer'])
AS_IF([test "$enable_fuzz" = yes],
  [INSTRUMENT="$INSTRUMENT fuzz"
   INSTRUMENT_FLAGS='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined'])
AS_IF([test "$enable_coverage" = yes],
  [INSTRUMENT="$INSTRUMENT coverage"
   INSTRUMENT_FLAGS='--coverage -O0'])
AS_CASE([$INSTRUMENT],
  [''], [INSTRUMENT=none],
  [*' '*' '*], [AC_MSG_ERROR([more than one of$INSTRUMENT is enabled: one build has one])])
INSTRUMENT=`echo $INSTRUMENT`
dnl A sanitized library takes its runtime from the program that loads it, so its own undefined symbols are meant.
AS_CASE([$INSTRUMENT], [asan|fuzz|tsan], [NO_UNDEFINED=], [NO_UNDEFINED='-no-undefined -Wl,-z,defs'])
AM_CONDITIONAL([SANITIZED], [test $INSTRUMENT = asan || test $INSTRUMENT = tsan])
AC_SUBST([INSTRUMENT])
AC_SUBST([INSTRUMENT_FLAGS])
AC_SUBST([NO_UNDEFINED])])

dnl Builds the extension with cargo, so that PIE and phpize can: phpize && ./configure && make && make install.

PHP_ARG_ENABLE([chatpush],
  [whether to build chatpush],
  [AS_HELP_STRING([--disable-chatpush], [Do not build chatpush])],
  [yes])

if test "$PHP_CHATPUSH" != "no"; then
  AC_PATH_PROG([CARGO], [cargo], [no], [$PATH:$HOME/.cargo/bin])
  if test "$CARGO" = "no"; then
    AC_MSG_ERROR([cargo is missing: install Rust 1.89 or newer from https://rustup.rs])
  fi
  if test "$enable_maintainer_zts" = "yes" || test "$PHP_ZTS" = "yes"; then
    AC_MSG_ERROR([chatpush is for PHP without thread safety (NTS)])
  fi
  PHP_SUBST([CARGO])
  PHP_SUBST([PHP_CONFIG])
  chatpush_workspace=$(cd "$abs_srcdir/../.." && pwd)
  PHP_SUBST([chatpush_workspace])
  PHP_ADD_MAKEFILE_FRAGMENT([$abs_srcdir/Makefile.frag], [$abs_srcdir], [$abs_builddir])
  PHP_ADD_BUILD_DIR([modules])
  PHP_MODULES="$PHP_MODULES \$(phplibdir)/chatpush.so"
fi

#!/bin/sh
# install.sh - make install puts things where Lua, pkg-config and the shell look for them, and they work there;
# make uninstall takes all of it away again.

. "${top_srcdir:?}/tests/tap.sh"
cd "${top_builddir:?}" || exit 1

# The outer make's jobs and options are none of the inner one's business.
unset MAKEFLAGS MFLAGS MAKELEVEL
unset LUA_PATH LUA_CPATH
stage=$(mktemp -d) || exit 1
trap 'rm -rf "$stage"' EXIT

succeeds 'make install works' "${MAKE:?}" -s install DESTDIR="$stage"

# at DIR: where make put what belongs into DIR.
at() { echo "$stage${1:?}"; }

LD_LIBRARY_PATH=$(at "$libdir")
LUA_PATH="$(at "$luadir")/?.lua;$(at "$luadir")/?/init.lua"
LUA_CPATH="$(at "$luaexecdir")/?.so"
PKG_CONFIG_PATH="$(at "$libdir")/pkgconfig"
export LD_LIBRARY_PATH LUA_PATH LUA_CPATH PKG_CONFIG_PATH

cat >"$stage/program.c" <<'EOT'
#include <stdio.h>
#include <troupe.h>
int main(void) { return puts(troupe_version()) < 0; }
EOT
build_program()
{
    flags=$(pkg-config --define-variable=prefix="$(at "$prefix")" --cflags --libs troupe) || return
    # shellcheck disable=SC2086
    $CC -o "$stage/program" "$stage/program.c" $flags
}
succeeds 'a C program builds with what pkg-config says' build_program
holds 'the C program runs' "$(
    version=$("$stage/program" 2>&1)
    [ "$version" = "$(pkg-config --modversion troupe)" ] || echo "it printed: $version")"

for module in $(find "$stage" \( -path "$(at "$luaexecdir")/*.so" -o -path "$(at "$luadir")/*.lua" \) -printf '%P\n' |
    sed "s|^${luaexecdir#/}/||; s|^${luadir#/}/||; s|\.[a-z]*\$||; s|/|.|g" | sort); do
    case $module in
    troupe.cli*) ;; # the program's own parts, which its own vm alone can load
    troupe.*) succeeds "require \"$module\" works" "$LUA" -e "require 'troupe' require '$module'" ;;
    *) succeeds "require \"$module\" works" "$LUA" -e "require '$module'" ;;
    esac
done

if [ -e "$(at "$bindir")/troupe" ]; then
    succeeds 'the installed program tells its version' "$(at "$bindir")/troupe" version
fi

rm -f "$stage/program" "$stage/program.c"
"$MAKE" -s uninstall DESTDIR="$stage" >/dev/null 2>&1
holds 'make uninstall leaves no file' "$(find "$stage" ! -type d)"

finish

#!/bin/sh
# dist.sh - the source package holds what git tracks: all of it, apart from what only a checkout needs.

. "${top_srcdir:?}/tests/tap.sh"

unset MAKEFLAGS MFLAGS MAKELEVEL
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

git -c safe.directory='*' -C "$top_srcdir" ls-files >"$work/listed" || exit 1
grep -vE '(^|/)\.gitignore$' "$work/listed" | sort >"$work/tracked"
"${MAKE:?}" -s -C "${top_builddir:?}" print-distfiles | sort -u >"$work/packed"

holds 'git tracks something' "$([ -s "$work/tracked" ] || echo 'git ls-files is empty')"
holds 'every tracked file is in the package' "$(comm -23 "$work/tracked" "$work/packed")"

finish

#!/bin/sh
# headers.sh - each header compiles alone, twice over, and the public one without any extension.

. "${top_srcdir:?}/tests/tap.sh"

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

for header in "$top_srcdir"/src/*.h; do
    name=$(basename "$header")
    printf '#include "%s"\n#include "%s"\nextern int not_empty;\n' "$name" "$name" >"$work/alone.c"
    # shellcheck disable=SC2086
    succeeds "$name compiles alone" ${CC:?} -std=c11 ${CPPFLAGS:?} -Wall -Wextra -Werror -fsyntax-only "$work/alone.c"
done

succeeds 'troupe.h is plain C11 without extensions' \
    ${CC:?} -std=c11 -pedantic -Wall -Wextra -Werror -fsyntax-only -x c "$top_srcdir/src/troupe.h"

finish

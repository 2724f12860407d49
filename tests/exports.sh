#!/bin/sh
# exports.sh - what the shared objects show to the programs that load them: nothing but our own public names.

. "${top_srcdir:?}/tests/tap.sh"
cd "${top_builddir:?}/.libs" || exit 1

# The symbols that a shared object defines for others; the linker's own marks aside.
exported()
{
    nm -D --defined-only "$1" | awk '{ print $NF }' | sed 's/@.*//' | grep -vE '^(_init|_fini|_edata|_end|__bss_start)$'
}

holds 'libtroupe exports troupe_* and luaopen_* only' "$(exported libtroupe.so | grep -vE '^(troupe_|luaopen_)')"
holds 'libtroupe exports its public functions' "$(
    sed -n 's/^TROUPE_API .*[ *]\(troupe_[a-z_]*\)(.*/\1/p' "$top_srcdir/src/troupe.h" | while read -r name; do
        exported libtroupe.so | grep -qx "$name" || echo "$name is not exported"
    done)"

for object in *.so; do
    holds "$object stays when it is closed" "$(readelf -d "$object" | grep -q 'FLAGS_1.*NODELETE' || echo 'no nodelete flag')"
    holds "$object needs no writable code" "$(readelf -d "$object" | grep TEXTREL)"
    module=${object%.so}
    [ "$module" = libtroupe ] || holds "$object exports luaopen_$module only" "$(exported "$object" | grep -vx "luaopen_$module")"
done

finish

#!/bin/sh
# layers_itself.sh - layers.sh finds what it is there for: a small tree with one breach of each rule fails them all,
# the same tree with the breach in a comment or a string fails none.

. "${top_srcdir:?}/tests/tap.sh"

tree=$(mktemp -d) || exit 1
trap 'rm -rf "$tree"' EXIT
mkdir "$tree/src" "$tree/tests"
cp "$top_srcdir/tests/tap.sh" "$tree/tests/"

# file NAME LINE...: a source of the tree.
file()
{
    name=$1
    shift
    printf '%s\n' "$@" >"$tree/src/$name"
}

rules=$top_srcdir/tests/layers.sh

verdict() { top_srcdir=$tree sh "$rules"; }

file troupe.h ''
file buffer.c '#include "buffer.h" /* fork(), clock_gettime() */ // pthread_create(' \
    'const char *text = "fork() \" wait(1)"; /* #include "node.h"' '#include <lua.h>' '*/ int x_fork(void);'
file buffer.h '#include "troupe.h"'
holds 'prose and strings are no breach' "$(verdict | grep '^not ok')"

# breaks TEXT: one test that the tree as it is now breaks the rule TEXT and no other; then the tree is whole again.
breaks()
{
    broken=$(verdict | sed -n 's/^not ok [0-9]* - //p')
    holds "a breach is found: $1" "$([ "$broken" = "$1" ] || echo "broken instead: $broken")"
    rm "$tree"/src/*
    file troupe.h ''
    file buffer.c ''
    file buffer.h ''
}

all=$(verdict)
breaks_world()
{
    breaks "$(echo "$all" | sed -n "s/^[a-z ]*[0-9]* - \(only in .*: $1\)$/\1/p")"
}

file gossip.c ''
breaks 'every room has a floor'
file buffer.c '#include "node.h"'
file node.h ''
breaks 'no file includes one of a higher floor'
file buffer.c '#include "heap.h"'
file heap.c '# include "job.h"'
file heap.h ''
file job.h '#include "buffer.h"'
breaks 'no room needs itself by way of others'
file troupe.h '#include "buffer.h"'
breaks 'troupe.h includes nothing of ours'
file node.c '#include <lauxlib.h>'
breaks_world 'lua\.h'
file node.c '#  include <zmq.h>'
breaks_world 'zmq\.h'
file thread.c 'int f(void) { return (int)waitpid(1, 0, 0); }'
breaks_world 'fork, exec and wait'
file process.c 'int f(void) { return pthread_create (0, 0, 0, 0); }'
breaks_world 'pthread_create'
file dispatcher.c 'double f(void) { return time(0); }'
breaks_world 'the clock'
seq 501 >"$tree/src/buffer.c"
breaks 'no file is over 500 lines'

finish

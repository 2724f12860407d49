#!/bin/sh
# layers.sh - the floors of doc/architecture.md: who may include whom, and who may touch the outside world.
#
# The tables below are the rule. A room that is in none of them fails, until somebody has decided where it lives.
# The room of src/NAME.c and src/NAME.h is NAME. NAME_part.c belongs to the family of NAME, which has one floor and
# shares its headers. Includes go downward or along one floor, never in a circle of families.

. "${top_srcdir:?}/tests/tap.sh"
cd "$top_srcdir/src" || exit 1
files=$(echo *.c *.h)

floors='
6 main
5 lua
5 module
4 troupe
3 codes
3 node
3 pool
2 child
2 signals
2 worker
1 dispatcher
1 ear
1 interrupt
1 mailbox
1 process
1 registry
1 thread
1 vm
0 address
0 buffer
0 clock
0 crew
0 heap
0 id_map
0 job
0 latch
0 log
0 message
0 order
0 pack
0 sanitizer
0 slab
0 stats
0 stop
0 tray
0 value
'
# troupe.h holds the statuses, which every floor speaks, and includes nothing of ours.
vocabulary=troupe.h

# The number beside ROOM in the table, or nothing.
entry_of() { echo "$floors" | sed -n "s/^\([0-9]\) $1\$/\1/p"; }

# family_of ROOM: vm for vm_state, id_map for itself.
family_of()
{
    if [ -z "$(entry_of "$1")" ] && [ -n "$(entry_of "${1%%_*}")" ]; then echo "${1%%_*}"; else echo "$1"; fi
}

# floor_of ROOM: its number, or nothing.
floor_of() { entry_of "$(family_of "$1")"; }

# Each file without its comments and strings, so that prose may speak of what code may not do.
# Line numbers stay as they are.
code_of()
{
    ${AWK:-awk} '
        {
            line = $0
            if (line !~ /^ *# *include/)
                gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
            out = ""
            while (line != "") {
                if (inside) {
                    end = index(line, "*/")
                    if (!end) break
                    line = substr(line, end + 2)
                    inside = 0
                } else {
                    start = index(line, "/*")
                    slashes = index(line, "//")
                    if (slashes && (!start || slashes < start)) { out = out substr(line, 1, slashes - 1); break }
                    if (!start) { out = out line; break }
                    out = out substr(line, 1, start - 1) " "
                    line = substr(line, start + 2)
                    inside = 1
                }
            }
            print out
        }' "$1"
}

# "FILE INCLUDED" for each include of one of our own headers.
own_includes()
{
    for file in $files; do
        sed -n 's/^ *# *include *"\([^"]*\)".*/'"$file"' \1/p' "$file"
    done
}

homeless=$(for file in $files; do
    [ -n "$(floor_of "${file%.[ch]}")" ] || echo "$file has no floor in tests/layers.sh"
done)
holds 'every room has a floor' "$homeless"

upward=$(own_includes | while read -r file included; do
    [ "$included" != $vocabulary ] || continue
    from=$(floor_of "${file%.[ch]}")
    to=$(floor_of "${included%.h}")
    [ "${from:-0}" -ge "${to:-9}" ] || echo "$file (floor $from) includes $included (floor $to)"
done)
holds 'no file includes one of a higher floor' "$upward"

circles=$(own_includes | while read -r file included; do
    from=$(family_of "${file%.[ch]}")
    to=$(family_of "${included%.h}")
    [ "$included" = $vocabulary ] || [ "$from" = "$to" ] || echo "$from $to"
done | tsort 2>&1 >/dev/null)
holds 'no room needs itself by way of others' "$circles"

holds "$vocabulary includes nothing of ours" "$(own_includes | grep "^$vocabulary ")"

# world NAME TRACE FAMILY...: one test that only these touch a part of the outside world, which shows in code as the
# extended regular expression TRACE.
world()
{
    name=$1 trace=$2
    shift 2
    holds "only in $*: $name" "$(for file in $files; do
        case " $* " in
        *" $(family_of "${file%.[ch]}") "*) ;;
        *) code_of "$file" | grep -nE "$trace" | sed "s/^/$file:/" ;;
        esac
    done)"
}

# A call of one of the functions, not a longer name that ends like it.
call_of() { echo "(^|[^_a-z0-9.>])($1) *\("; }

# child: an llthreads child is one chunk of Lua, which it loads and whose results it turns to bytes.
world lua.h '# *include *[<"](lua|lauxlib|lualib)\.h' child lua module value vm
world zmq.h '# *include *[<"]zmq\.h' mailbox
world 'fork, exec and wait' "$(call_of 'v?fork|exec[lv][pe]*|posix_spawnp?|system|popen|wait[34]?|waitpid|waitid')" process
world pthread_create "$(call_of 'pthread_create|thrd_create')" thread
world 'the clock' "$(call_of 'clock_gettime|gettimeofday|time|clock')" clock
holds 'no file is over 500 lines' \
    "$(for file in $files; do ${AWK:-awk} 'END { if (NR > 500) print FILENAME ": " NR " lines" }' "$file"; done)"

finish

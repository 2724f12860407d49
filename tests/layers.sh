#!/bin/sh
# layers.sh - the floors of doc/architecture.md: who may include whom, and who may touch the outside world.
#
# The tables below are the rule. A room that is in none of them fails, until somebody has decided where it lives.
# The room of src/NAME.c and src/NAME.h is NAME. NAME_part.c belongs to the family of NAME, which has one floor and
# shares its headers. Includes go downward or along one floor, never in a circle of families.

. "${top_srcdir:?}/tests/tap.sh"
cd "$top_srcdir/src" || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

cat >"$work/floors" <<'EOT'
6 main
5 api
5 lua
5 module
4 troupe
3 codes
3 node
3 pool
2 bridge
2 child
2 signals
2 uplink
2 sink
2 worker
1 dispatcher
1 ear
1 file_watch
1 frames
1 interrupt
1 log
1 loop
1 mailbox
1 process
1 registry
1 thread
1 vm
1 wire
0 address
0 buffer
0 calendar
0 claims
0 clock
0 crew
0 descriptors
0 gate
0 heap
0 histogram
0 id_map
0 job
0 latch
0 message
0 meter
0 native
0 order
0 outlet
0 pack
0 placement
0 rate
0 record
0 run_note
0 sanitizer
0 slab
0 stats
0 stop
0 tray
0 unpack
0 value
EOT
# troupe.h holds the statuses, which every floor speaks, and includes nothing of ours.
vocabulary=troupe.h

# All code as FAMILY:FILE:LINE:TEXT, without comments and strings, so that prose may speak of what code may not do.
# The family of a file that has no floor is its room.
awk '
    FILENAME ~ /floors$/ { floor[$2] = $1; next }
    FNR == 1 {
        inside = 0
        file = substr(FILENAME, 3)
        room = substr(file, 1, length(file) - 2)
        family = room
        sub(/_.*/, "", family)
        if (room in floor || !(family in floor)) family = room
    }
    {
        line = $0
        if (line !~ /^ *# *include/) gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
        text = ""
        while (line != "") {
            if (inside) {
                end = index(line, "*/")
                if (!end) break
                line = substr(line, end + 2)
                inside = 0
                continue
            }
            start = index(line, "/*")
            slashes = index(line, "//")
            if (slashes && (!start || slashes < start)) { line = substr(line, 1, slashes - 1); start = 0 }
            if (!start) { text = text line; break }
            text = text substr(line, 1, start - 1) " "
            line = substr(line, start + 2)
            inside = 1
        }
        print family ":" file ":" FNR ":" text
    }' "$work/floors" ./*.c ./*.h >"$work/code"
[ -s "$work/code" ] || exit 1

# Includes of our own headers, apart from the vocabulary: FILE FAMILY FLOOR INCLUDED FAMILY FLOOR. No floor is -.
awk -F: '
    FILENAME ~ /floors$/ { split($0, entry, " "); floor[entry[2]] = entry[1]; next }
    { family[$2] = $1 }
    $4 ~ /^ *# *include *"/ { split($4, part, "\""); file[++n] = $2; included[n] = part[2] }
    function place(name) { return name " " family[name] " " (family[name] in floor ? floor[family[name]] : "-") }
    END {
        for (name in family) if (!(family[name] in floor)) print name >homeless
        for (i = 1; i <= n; i++) if (included[i] != vocabulary) print place(file[i]), place(included[i])
    }' vocabulary=$vocabulary homeless="$work/homeless" "$work/floors" "$work/code" >"$work/includes"

holds 'every room has a floor' "$(cat "$work/homeless" 2>/dev/null)"

holds 'no file includes one of a higher floor' \
    "$(awk '$6 > $3 && $3 != "-" && $6 != "-" { print $1 " (floor " $3 ") includes " $4 " (floor " $6 ")" }' "$work/includes")"

holds 'no room needs itself by way of others' "$(awk '$2 != $5 { print $2, $5 }' "$work/includes" | tsort 2>&1 >/dev/null)"

holds "$vocabulary includes nothing of ours" "$(grep "^$vocabulary " "$work/includes")"

# world NAME TRACE FAMILY...: one test that only these touch a part of the outside world, which shows in code as the
# extended regular expression TRACE.
world()
{
    name=$1 trace=$2
    shift 2
    holds "only in $*: $name" "$(awk -F: -v families=" $* " '
        !index(families, " " $1 " ") { sub(/^[^:]*:/, ""); print }' "$work/code" | grep -E "^[^:]*:[0-9]*:(.*[^_a-z0-9.>])?$trace")"
}

# A call of one of the functions, and not of one of a structure's.
call_of() { echo "($1) *\\("; }

# child: an llthreads child is one chunk of Lua, which it loads and whose results it turns to bytes.
world lua.h '# *include *[<"](lua|lauxlib|lualib)\.h' child lua module value vm
# mailbox: between the vms of this program; wire: to other programs.
world zmq.h '# *include *[<"]zmq\.h' mailbox wire
world czmq.h '# *include *[<"]czmq\.h' module
world 'fork, exec and wait' "$(call_of 'v?fork|exec[lv][pe]*|posix_spawnp?|system|popen|wait[34]?|waitpid|waitid')" process
world pthread_create "$(call_of 'pthread_create|thrd_create')" thread
world 'the clock' "$(call_of 'clock_gettime|gettimeofday|time|clock')" clock

holds 'no file is over 500 lines' "$(awk 'FNR == 501 { print FILENAME }' ./*.c ./*.h)"

finish

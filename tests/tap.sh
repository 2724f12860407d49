# shellcheck shell=sh
# tap.sh - TAP for the test scripts in sh: sourced, it counts results and prints the plan at exit.
#
# A script that dies half way prints no plan, so the whole of it fails.

tap_count=0
tap_failed=0

# holds TEXT PROBLEMS: one test; it fails when PROBLEMS is not empty, and they are shown.
holds()
{
    tap_count=$((tap_count + 1))
    if [ -z "$2" ]; then
        echo "ok $tap_count - $1"
    else
        tap_failed=$((tap_failed + 1))
        echo "not ok $tap_count - $1"
        printf '%s\n' "$2" | sed 's/^/# /'
    fi
}

# succeeds TEXT COMMAND...: one test; it fails when the command does, and its output is shown.
succeeds()
{
    text=$1
    shift
    if output=$("$@" 2>&1); then
        holds "$text" ''
    else
        holds "$text" "$* failed with status $?
$output"
    fi
}

# Ends the script.
finish()
{
    echo "1..$tap_count"
    [ $tap_failed -eq 0 ]
    exit
}

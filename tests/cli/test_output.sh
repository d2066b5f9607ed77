#!/bin/bash
# Where output goes, and what becomes of it: colours, pipes that close, disks that are full.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
small=$data/small.pcapng
escape=$(printf '\033')

colored()
{
    oriel "$@"
    grep -q "$escape" "$tmp/out"
}

plain()
{
    oriel "$@"
    ! grep -q "$escape" "$tmp/out"
}

for verb in dump ladder; do
    check "$verb: no colours into a pipe" plain $verb -r "$small"
    check "$verb: --color=always colours it" colored $verb -r "$small" --color=always
    check "$verb: CLICOLOR_FORCE too" env CLICOLOR_FORCE=1 bash -c \
        "'$ORIEL' $verb -r '$small' | grep -q '$escape'"
    check "$verb: CLICOLOR_FORCE=0 does not" env CLICOLOR_FORCE=0 bash -c \
        "! '$ORIEL' $verb -r '$small' | grep -q '$escape'"
    check "$verb: NO_COLOR goes before CLICOLOR_FORCE" env CLICOLOR_FORCE=1 NO_COLOR=1 bash -c \
        "! '$ORIEL' $verb -r '$small' | grep -q '$escape'"
    check "$verb: --color=always goes before NO_COLOR" env NO_COLOR=1 bash -c \
        "'$ORIEL' $verb -r '$small' --color=always | grep -q '$escape'"
    check "$verb: --color=never goes before CLICOLOR_FORCE" env CLICOLOR_FORCE=1 bash -c \
        "! '$ORIEL' $verb -r '$small' --color=never | grep -q '$escape'"
done

if have script; then
    # on_terminal COMMAND: its output with a terminal at its end
    on_terminal()
    {
        script -qec "$1" /dev/null < /dev/null
    }
    check "colours on a terminal" bash -c "$(declare -f on_terminal)
        TERM=xterm on_terminal \"'$ORIEL' dump -r '$small'\" | grep -q '$escape'"
    check "none on a dumb one" bash -c "$(declare -f on_terminal)
        ! TERM=dumb on_terminal \"'$ORIEL' dump -r '$small'\" | grep -q '$escape'"
    check "a terminal gets the names of the columns" bash -c "$(declare -f on_terminal)
        on_terminal \"'$ORIEL' dump -r '$small'\" | grep -q 'Proto'"
    check "a pipe does not" bash -c "! '$ORIEL' dump -r '$small' | grep -q Proto"
else
    skip "colours on a terminal" "no script(1)"
fi

# A reader that had enough: no message, no signal, status 0.
closed_pipe()
{
    i=0
    while [ $i -lt 200 ]; do
        cat "$small"
        i=$((i + 1))
    done > "$tmp/long.pcapng"
    { "$ORIEL" "$@" -r "$tmp/long.pcapng" 2> "$tmp/err"; echo $? > "$tmp/status"; } |
        head -n 1 > /dev/null
    cat "$tmp/err"
    [ ! -s "$tmp/err" ] && [ "$(cat "$tmp/status")" -eq 0 ]
}
check "dump is quiet when its reader leaves" closed_pipe dump
check "dump --json too" closed_pipe dump --json
check "ladder too" closed_pipe ladder

full_disk()
{
    status=0
    "$ORIEL" "$@" > /dev/full 2> "$tmp/err" || status=$?
    cat "$tmp/err"
    [ "$status" -eq 3 ] && says "$tmp/err" "cannot write to standard output: No space left"
}
if [ -c /dev/full ]; then
    check "a full disk is reported" full_disk dump -r "$small"
    check "also by help" full_disk help
else
    skip "a full disk is reported" "no /dev/full"
fi

check "standard input is read as -" bash -c \
    "'$ORIEL' dump -r - < '$small' | cmp - <('$ORIEL' dump -r '$small')"
check "also from a pipe" bash -c \
    "cat '$small' | '$ORIEL' dump -r - | cmp - <('$ORIEL' dump -r '$small')"

# What packets say does not reach a terminal as a command.
poison()
{
    LC_ALL=C sed "s/application/app$(printf '\033\007\233')ation/" "$small" > "$tmp/poison.pcapng"
    for verb in dump ladder "dump --json" "dump -V" "dump -x"; do
        # shellcheck disable=SC2086
        "$ORIEL" $verb -r "$tmp/poison.pcapng" > "$tmp/out" || return 1
        if LC_ALL=C grep -q "$(printf '[\001-\010\013-\037\177]')" "$tmp/out"; then
            echo "$verb lets control characters through"
            return 1
        fi
    done
}
check "control characters in a comment are not passed on" poison

if have python3; then
    check "JSON lines are JSON, also with bytes that are no characters" python3 -c "
import json, subprocess, sys
for line in subprocess.run([sys.argv[1], 'dump', '--json', '-V', '-x', '-r', sys.argv[2]],
                           capture_output=True).stdout.splitlines():
    assert json.loads(line)['v'] == 1
" "$ORIEL" "$tmp/poison.pcapng"
else
    skip "JSON lines are JSON, also with bytes that are no characters" "no python3"
fi
tap_end

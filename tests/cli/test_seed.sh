#!/bin/sh
# A lab with chance in it: the same seed gives the same bytes, another seed others.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"

lab=$here/../../labs/bad-link.lab

run() # seed directory
{
    mkdir -p "$2" && "$ORIEL" lab run "$lab" --seed "$1" -w "$2/run.pcapng" --log "$2/run.events"
}

differ()
{
    ! cmp -s "$1" "$2"
}

check "a run with seed 5" run 5 "$tmp/a"
check "the same again" run 5 "$tmp/b"
check "a run with seed 6" run 6 "$tmp/c"
check "one seed, one capture" cmp "$tmp/a/run.pcapng" "$tmp/b/run.pcapng"
check "one seed, one event log" cmp "$tmp/a/run.events" "$tmp/b/run.events"
check "another seed, another capture" differ "$tmp/a/run.pcapng" "$tmp/c/run.pcapng"
check "another seed, another event log" differ "$tmp/a/run.events" "$tmp/c/run.events"
tap_end

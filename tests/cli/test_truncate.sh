#!/bin/sh
# A capture cut off at every byte: the frames before the cut are printed, the fault is named with
# its offset, the status is 1. Only between two blocks is it whole: there are 14 such places.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
small=$data/small.pcapng
size=$(wc -c < "$small")

cut_everywhere()
{
    whole=0
    before=0
    n=0
    while [ "$n" -lt "$size" ]; do
        head -c "$n" "$small" > "$tmp/cut"
        oriel dump --no-why -r "$tmp/cut"
        frames=$(wc -l < "$tmp/out")
        if [ "$status" -eq 0 ] && [ ! -s "$tmp/err" ]; then
            whole=$((whole + 1))
        elif [ "$status" -ne 1 ] || ! grep -q 'at byte [0-9]*: the file ' "$tmp/err"; then
            echo "cut at $n: status $status"
            cat "$tmp/err"
            return 1
        fi
        if [ "$frames" -lt "$before" ] || [ "$frames" -gt $((before + 1)) ]; then
            echo "cut at $n: $frames frames after $before"
            return 1
        fi
        before=$frames
        n=$((n + 1))
    done
    echo "$whole whole, $before frames"
    [ "$whole" -eq 14 ] && [ "$before" -eq 11 ]
}

cut_ladder()
{
    n=0
    while [ "$n" -lt "$size" ]; do
        head -c "$n" "$small" > "$tmp/cut"
        oriel ladder -r "$tmp/cut"
        if [ "$status" -gt 1 ]; then
            echo "cut at $n: status $status"
            cat "$tmp/err"
            return 1
        fi
        n=$((n + 37))
    done
}

check "dump survives a cut at each of $size bytes" cut_everywhere
check "ladder survives cuts too" cut_ladder

head -c $((size - 40)) "$small" > "$tmp/cut"
check "the fault is told after the frames, with its offset" exits 1 dump -r "$tmp/cut"
check "in this form" \
    grep -q "^oriel dump: $tmp/cut: at byte [0-9]*: the file ends inside" "$tmp/err"
check "and with --json the frames before are whole lines" exits 1 dump --json -r "$tmp/cut"
check "each of which ends in a brace" sh -c "! grep -v '}\$' '$tmp/out'"
tap_end

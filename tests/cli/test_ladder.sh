#!/bin/sh
# oriel ladder, compared with what it drew when somebody last looked at it.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
small=$data/small.pcapng

for width in 80 100 140; do
    check "a ladder of $width columns" exits 0 ladder -r "$small" --width $width
    check "as expected" same "$data/ladder-$width.txt"
done
check "a ladder in ASCII" exits 0 ladder -r "$small" --ascii
check "as expected" same "$data/ladder-ascii.txt"
check "holds nothing else" sh -c "! LC_ALL=C grep -q '[^ -~]' '$tmp/out'"
cp "$tmp/out" "$tmp/ascii"
check "a locale without UTF-8 draws the same" sh -c \
    "LC_ALL=C '$ORIEL' ladder -r '$small' | cmp - '$tmp/ascii'"
check "COLUMNS is the width" sh -c \
    "COLUMNS=140 '$ORIEL' ladder -r '$small' | cmp - '$data/ladder-140.txt'"
check "without reasons" exits 0 ladder -r "$small" --no-why
check "none is drawn" sh -c "! grep -q application '$tmp/out'"
check "a gap can be asked for" exits 0 ladder -r "$small" --gap 4ms
check "and is drawn" says "$tmp/out" "5 ms"
check "or not at all" exits 0 ladder -r "$small" --gap 0
check "and is not" sh -c "! grep -q '┊' '$tmp/out'"
check "a filter takes some" exits 0 ladder -r "$small" icmp
check "and only the lines they need" says "$tmp/out" "ICMP Echo"
check "nothing that matches draws nothing" exits 0 ladder -r "$small" tcp
check "not even lines" [ ! -s "$tmp/out" ]
check "a TCP connection" exits 0 ladder -r "$data/talk.pcap" --width 80
check "as expected" same "$data/ladder-talk.txt"
tap_end

#!/bin/sh
# oriel dump, compared with what it printed when somebody last looked at it.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
small=$data/small.pcapng

check "a line per packet, the reason at its end" exits 0 dump -r "$small"
check "as expected" same "$data/dump-pipe.txt"
check "with a narrow page the reason stands underneath" \
    env COLUMNS=100 sh -c "'$ORIEL' dump -r '$small' > '$tmp/out'"
check "as expected" same "$data/dump-100.txt"
check "with a wide page it stands in a column" \
    env COLUMNS=160 sh -c "'$ORIEL' dump -r '$small' > '$tmp/out'"
check "as expected" same "$data/dump-160.txt"
check "every field and every byte" exits 0 dump -r "$small" -V -x -c 1 udp
check "as expected" same "$data/dump-fields.txt"
check "JSON" exits 0 dump -r "$small" --json -x -c 3
check "as expected" same "$data/dump-json.txt"

lines()
{
    number=$1
    shift
    exits 0 dump -r "$small" "$@" && [ "$(wc -l < "$tmp/out")" -eq "$number" ] && return
    cat "$tmp/out"
    return 1
}
check "a filter takes some" lines 3 udp.port == 7 and not icmp
check "the same by -Y" lines 4 -Y 'udp.port == 40000 and not icmp'
check "the reason can be filtered for" lines 4 'why == "UDP_DATA"'
check "so can words of the comment" lines 1 'frame.comment contains "will be LOST"'
check "a count ends it" lines 3 -c 3
check "a count is of packets that match" lines 2 -c 2 icmp
check "no filter takes all" lines 11
check "a filter that nothing matches prints nothing" lines 0 tcp

check "quiet: something matches" exits 0 dump -q -r "$small" arp
check "and nothing is printed" [ ! -s "$tmp/out" ]
check "quiet: nothing matches" exits 1 dump -q -r "$small" tcp
check "and no word is lost about it" [ ! -s "$tmp/err" ]

# A TCP connection: the letters of tcpdump, numbers from its start.
talk=$data/talk.pcap
check "a TCP connection" exits 0 dump -r "$talk"
check "as expected" same "$data/dump-talk.txt"
talk_lines()
{
    number=$1
    shift
    exits 0 dump -r "$talk" "$@" && [ "$(wc -l < "$tmp/out")" -eq "$number" ] && return
    cat "$tmp/out"
    return 1
}
check "relative numbers can be filtered for" talk_lines 1 'tcp.seq == 1 && tcp.ack == 13'
check "numbers on the wire as well" talk_lines 1 tcp.seq_raw == 1000000
check "and what is remarkable about a segment" talk_lines 2 tcp.analysis.flags
check "a filter for one connection" talk_lines 11 tcp.port == 42181
check "JSON keeps the words" exits 0 dump -r "$talk" --json -c 2
check "of Wireshark" says "$tmp/out" '[SYN, ACK] Seq=0 Ack=1'

field()
{
    exits 0 dump -r "$small" --no-why -t "$1" -c 7
    set -- "$2" "$(awk 'NR == 7 { print $2 }' "$tmp/out")"
    [ "$1" = "$2" ] || { echo "$2, expected $1"; return 1; }
}
check "times since the first packet" field r 2.015000
check "times since the packet before" field d 0.005000
check "times of the day" field a 00:00:02.015000
check "times since 1970" field e 2.015000123
tap_end

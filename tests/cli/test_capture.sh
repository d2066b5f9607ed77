#!/bin/sh
# Other people's programs read what we write; small.pcapng is kept equal to our writer's output by
# a unit test.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
small=$data/small.pcapng

if ! have tshark || ! have capinfos; then
    skip "other programs read our captures" "no tshark"
    tap_end
fi

capinfos "$small" > "$tmp/info" 2> /dev/null
check "capinfos counts the packets" grep -q 'Number of packets: *11$' "$tmp/info"
check "capinfos sees the scenario" says "$tmp/info" "lab echo"
check "capinfos sees the seed" says "$tmp/info" "seed 42, virtual time"
check "capinfos sees the version" grep -q 'Capture application: Oriel [0-9]' "$tmp/info"
check "capinfos sees the command line" says "$tmp/info" "oriel lab run echo --seed 42"
check "times are nanoseconds" says "$tmp/info" "nanoseconds (9)"
check "and in order" grep -q 'Strict time order: *True' "$tmp/info"
check "the interface has a name" grep -q 'Name = a-b' "$tmp/info"
check "and a speed" grep -q 'Speed = 10000000' "$tmp/info"
check "and statistics" grep -q 'Number of stat entries = 1' "$tmp/info"
check "two names are resolved" grep -q 'IPv4 addresses in file: 2' "$tmp/info"

shark()
{
    tshark -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE -r "$small" "$@" 2> "$tmp/shark.err"
}

shark -T fields -e frame.number -Y '_ws.malformed or ip.checksum.status == "Bad" or
    udp.checksum.status == "Bad" or icmp.checksum.status == "Bad"' > "$tmp/bad"
check "no packet is malformed or has a bad checksum" [ ! -s "$tmp/bad" ]
shark -T fields -e frame.comment -Y 'frame.number == 5' > "$tmp/comment"
check "both comments are there" says "$tmp/comment" \
    "will be LOST on link a-b (draw 3),ev=30 why=UDP_DATA"
shark -T fields -e frame.comment -Y 'frame.number == 8' > "$tmp/comment"
check "comments may be Chinese" says "$tmp/comment" "应用程序要求发送一个回显请求"
shark -T fields -e frame.packet_id > "$tmp/ids"
check "packets have numbers" sh -c "seq 11 | diff - '$tmp/ids'"
shark -T fields -e frame.time_epoch -Y 'frame.number == 7' > "$tmp/time"
check "a nanosecond is not lost" grep -qx '2.015000123' "$tmp/time"
shark -T fields -e frame.packet_flags_direction -Y 'frame.number == 1' > "$tmp/dir"
check "the direction is there" grep -qx '0x00000002' "$tmp/dir"
shark -N n -T fields -e _ws.col.Source -Y 'frame.number == 3' > "$tmp/name"
check "names are used" grep -qx 'a' "$tmp/name"

# The same columns as tshark prints them.
"$ORIEL" dump --no-why -r "$small" | awk '{ print $1, $2, $3, $4, $6 }' > "$tmp/ours"
tshark -t r -r "$small" -T fields -e _ws.col.No. -e _ws.col.Time -e _ws.col.Source \
    -e _ws.col.Destination -e _ws.col.Length 2> /dev/null |
    sed 's/Broadcast/ff:ff:ff:ff:ff:ff/' |
    awk '{ print $1, substr($2, 1, length($2) - 3), $3, $4, $5 }' > "$tmp/theirs"
check "dump and tshark agree about number, time, addresses and length" \
    diff "$tmp/theirs" "$tmp/ours"

# What others write we read.
if have editcap; then
    for format in pcap nsecpcap; do
        editcap -F $format "$small" "$tmp/other.$format" 2> /dev/null
        check "we read $format as editcap writes it" sh -c "
            '$ORIEL' dump --no-why -r '$tmp/other.$format' > '$tmp/out' &&
            '$ORIEL' dump --no-why -r '$small' | diff - '$tmp/out'"
    done
    editcap -F pcapng "$small" "$tmp/other.pcapng" 2> /dev/null
    check "we read pcapng as editcap writes it, with the reasons" sh -c "
        '$ORIEL' dump -r '$tmp/other.pcapng' > '$tmp/out' &&
        '$ORIEL' dump -r '$small' | diff - '$tmp/out'"
fi
if have tcpdump; then
    check "tcpdump reads ours" sh -c "[ \$(tcpdump -nr '$small' 2> /dev/null | wc -l) -eq 11 ]"
fi
tap_end

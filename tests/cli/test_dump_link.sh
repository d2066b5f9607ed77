#!/bin/sh
# oriel dump --link: what passes on a link, listed as it comes.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
# shellcheck source=tests/cli/link.inc
. "$(dirname "$0")/link.inc"

# listen NAME ARGUMENT...: until it says that it does
listen()
{
    start "$@"
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        grep -q "^listening on" "$tmp/$1.err" && return
        sleep 0.1
    done
    cat "$tmp/$1.err"
    return 1
}
speak() { oriel ping --link "$near,addr=10.9.0.1/24" -c 1 -W 100ms "$1" || :; }

counted()
{
    listen l dump --link "$far" -c 1 -w "$tmp/l.pcapng" arp.opcode == 1 && speak 10.9.0.2 && ends "$started" &&
        [ "$status" -eq 0 ] && [ "$(wc -l < "$tmp/l.out")" -eq 1 ] && says "$tmp/l.out" "ARP" &&
        says "$tmp/l.err" "1 packet captured" && says "$tmp/l.err" "1 frame in $tmp/l.pcapng" &&
        exits 0 dump -r "$tmp/l.pcapng" && [ "$(wc -l < "$tmp/out")" -eq 1 ] && says "$tmp/out" "Who has"
}
interrupted()
{
    listen i dump --link "$far" --json -x -w "$tmp/i.pcapng" icmp && speak 10.9.0.2 && sleep 0.3
    stop "$started" INT
    [ "$status" -eq 0 ] && [ ! -s "$tmp/i.out" ] && says "$tmp/i.err" "0 packets captured" &&
        says "$tmp/i.err" "did not match" && ! grep -q "captured, 0 did" "$tmp/i.err" &&
        exits 0 dump -r "$tmp/i.pcapng" && [ ! -s "$tmp/out" ]
}
quiet()
{
    start q dump --link "$far" -q arp
    sleep 0.5
    speak 10.9.0.2
    ends "$started"
    [ "$status" -eq 0 ] && [ ! -s "$tmp/q.out" ] && [ ! -s "$tmp/q.err" ]
}
killed()
{
    listen k dump --link "$far" -w "$tmp/k.pcapng" && speak 10.9.0.2 && sleep 0.3
    stop "$started" KILL
    exits 0 dump -r "$tmp/k.pcapng" && says "$tmp/out" "ARP" && [ ! -s "$tmp/err" ]
}
played()
{
    exits 3 dump --link "pcap:$tmp/nowhere" && says "$tmp/err" "No such file" &&
        exits 0 dump --link "pcap:$tmp/l.pcapng,fast" -c 1 && [ "$(wc -l < "$tmp/out")" -eq 1 ]
}
refused()
{
    exits 2 dump --link "$far" -r "$tmp/l.pcapng" && says "$tmp/err" "both given" &&
        exits 2 dump -r "$tmp/l.pcapng" -w "$tmp/x" && says "$tmp/err" "link SPEC is missing" &&
        exits 2 dump --link "$far" -w - && says "$tmp/err" "-q leaves the list out" &&
        exits 2 dump --link user && says "$tmp/err" "nothing passes there" &&
        exits 2 dump --link "$far,colour=red" && says "$tmp/err" "link option" &&
        exits 3 dump --link "$far" -w "$tmp/nowhere/x" && says "$tmp/err" "cannot write"
}
# All that an interface sends and receives, with finished sums, is there; then it goes away.
on_an_interface()
{
    unshare -n sh -eu -c '
        ip link add v0 type veth peer name v1
        ip addr add 10.9.8.1/24 dev v0
        ip link set v0 up; ip link set v1 up
        timeout 20 "$1" dump --link packet:v0 "udp.port == 4567 and udp.checksum.status == 1" > "$2/v.out" 2> "$2/v.err" &
        for i in 1 2 3 4 5 6 7 8 9 10; do grep -q listening "$2/v.err" && break; sleep 0.2; done
        ip neigh add 10.9.8.2 lladdr 02:00:00:00:00:09 dev v0
        python3 -c "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b\"hello\", (\"10.9.8.2\", 4567))"
        sleep 0.3
        ip link del v0
        wait $! && exit 1
        exit 0' - "$ORIEL" "$tmp" && says "$tmp/v.out" "10.9.8.2" && [ "$(wc -l < "$tmp/v.out")" -eq 1 ] &&
        says "$tmp/v.err" "the link v0 is gone: No such device" && says "$tmp/v.err" "1 packet"
}

check "so many packets that match are listed and kept, then it ends" counted
check "Ctrl-C ends it, and it says how many there were" interrupted
check "with -q it waits for one that matches, and says nothing" quiet
check "what was kept can be read to the last frame when it was killed" killed
check "a capture is a link too" played
check "what makes no sense together is refused" refused
if have unshare && have ip && unshare -n true 2> /dev/null; then
    check "an interface's packets both ways, until it is removed" on_an_interface
else
    skip "an interface's packets both ways, until it is removed" "needs a network namespace"
fi
tap_end

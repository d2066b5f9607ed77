#!/bin/sh
# What others find of a node of ours on a TAP device: ping, arping, traceroute and nmap on the kernel's side. All is
# in a network namespace of the test's own.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"

ns=oriel-kernel-$$
if [ "$(id -u)" -ne 0 ] || ! [ -c /dev/net/tun ] || ! ip netns add "$ns" 2> /dev/null; then
    skip "ping, arping, traceroute and nmap" "needs root and /dev/net/tun"
    tap_end
fi
node=
trap '[ -z "$node" ] || kill "$node" 2> /dev/null; wait; ip netns del "$ns" 2> /dev/null; rm -rf "$tmp"' EXIT
PATH=$PATH:/usr/sbin:/sbin
inside() { ip netns exec "$ns" timeout 30 "$@"; }

inside sh -c 'ip link set lo up && ip tuntap add dev tap0 mode tap && ip addr add 10.78.0.1/24 dev tap0 &&
    ip addr add fd78::1/64 dev tap0 nodad && ip link set tap0 up'
four=10.78.0.2 six=fd78::2
ip netns exec "$ns" "$ORIEL" nc --link "tap:tap0,addr=$four/24,addr=$six/64" -l -k 7000 < /dev/null > "$tmp/node" 2>&1 &
node=$!
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    inside ping -c 1 -W 1 -q $four > /dev/null && inside ping -c 1 -W 1 -q $six > /dev/null && break
    sleep 0.1
done

# finds TEXT COMMAND...: it ends well, and prints that
finds()
{
    text=$1
    shift
    inside "$@" > "$tmp/out" 2>&1 && says "$tmp/out" "$text" && return
    cat "$tmp/out" "$tmp/node"
    return 1
}

# of PROGRAM SENTENCE TEXT ARGUMENT...
of()
{
    sentence="$1 $2"
    program=$1
    text=$3
    shift 3
    if have "$program"; then
        check "$sentence" finds "$text" "$program" "$@"
    else
        skip "$sentence" "$program is not installed"
    fi
}

for to in $four $six; do
    of ping "gets an answer for each request from $to" "5 received, 0% packet loss" -c 5 -i 0.01 $to
    of ping "with what is cut into several packets" "2 received, 0% packet loss" -c 2 -i 0.01 -s 5000 $to
    of ping "with a pattern that comes back" "2 received, 0% packet loss" -c 2 -i 0.01 -p 00ff55 -s 1 $to
    of traceroute "reaches $to by a port where nobody is" " 1  $to" -n -q 1 $to
    of traceroute "by echo requests" " 1  $to" -n -q 1 -I $to
    of traceroute "by TCP, where somebody listens" " 1  $to" -n -q 1 -T -p 7000 $to
done
of arping "asks who has the address" "2 packets received" -c 2 -W 0.1 -i tap0 $four
of arping "asks without an address of its own, as for duplicates" "1 packets received" -c 1 -0 -i tap0 $four

# scan SENTENCE TEXT FLAG...: of port 7000, where somebody listens, and 7001
scan()
{
    sentence=$1
    text=$2
    shift 2
    of nmap "$sentence" "$text" -n -T5 --max-retries 2 -p 7000,7001 "$@"
    if have nmap; then
        check "and where nobody listens" grep -q "^7001/[a-z]* *$closed" "$tmp/out"
    fi
}
closed=closed
scan "by SYN finds the open port" "7000/tcp open" -sS $four
scan "by SYN, IPv6" "7000/tcp open" -6 -sS $six
scan "by whole connections" "7000/tcp open" -sT $four
scan "by nothing, FIN and a Christmas tree: silence where it is open" "7000/tcp open|filtered" -sX $four
scan "by datagrams is told that a port is closed" "7000/udp closed" -sU $four
closed=unfiltered
scan "by bare acknowledgements is reset" "7000/tcp unfiltered" -sA $four
of nmap "with bad checksums gets no answer" "7000/tcp filtered" -n -T5 --max-retries 0 -p 7000 -sS --badsum $four
of nmap "with SYNs in fragments finds the open port" "7000/tcp open" -n -T5 -p 7000 -sS -f $four
of nmap "is told which protocols there are" "99       closed" -n -T5 --max-retries 1 -sO -p 6,17,99 $four
alive() { kill -0 $node && finds "1 received" ping -c 1 $four; }
check "the node is well after all that" alive
tap_end

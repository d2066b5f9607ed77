#!/bin/sh
# What a link tells: addresses by DHCP, names by name servers.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
# shellcheck source=tests/cli/link.inc
. "$(dirname "$0")/link.inc"

python3 "$here/peer.py" "${far##*:}" "$tmp/log" &
pids="$pids $!"
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    grep -q ready "$tmp/log" 2>/dev/null && break
    sleep 0.1
done

leased()
{
    exits 0 ping --link "$near" -c 1 -v 10.7.0.1 && says "$tmp/err" "10.7.0.50/24 by DHCP" &&
        says "$tmp/out" "1 received" && says "$tmp/log" "dhcp 1" && says "$tmp/log" "dhcp 3"
}
returned() { says "$tmp/log" "dhcp 7"; }
shown()
{
    exits 0 addr --link "$near" && says "$tmp/out" "10.7.0.50/24" &&
        exits 0 route --link "$near" && says "$tmp/out" "10.7.0.1"
}
named() { exits 0 ping --link "$near" -c 1 web.test && says "$tmp/out" "PING 10.7.0.1" && says "$tmp/log" "dns web.test 1"; }
by_hand() { exits 0 ping --link "$near,addr=10.7.0.9/24,dns=10.7.0.1" -c 1 WEB.test. && says "$tmp/out" "1 received"; }
unknown() { exits 2 ping --link "$near" -c 1 other.test && says "$tmp/err" "there is no host of the name 'other.test'"; }
unknown_nc() { exits 4 nc --link "$near" other.test 80; }
no_server() { exits 2 ping --link "$near,addr=10.7.0.9/24" -c 1 web.test && says "$tmp/err" "no name server is known"; }
not_a_name() { exits 2 ping --link "$near,addr=10.7.0.9/24" -c 1 "a..b" && says "$tmp/err" "is neither an address nor a name"; }
check "without addr= the link is asked by DHCP" leased
check "the address is given back at the end" returned
check "addr and route show what came" shown
check "a name is asked of the name server of the lease" named
check "dns= names one" by_hand
check "a name that nobody has" unknown
check "nc: status 4" unknown_nc
check "no name server" no_server
check "what can be no name" not_a_name

silent() { exits 3 ping --link "udp:127.0.0.1:0,peer=127.0.0.1:9,dhcp" -c 1 10.7.0.1 && says "$tmp/err" "no DHCP server answers on udp" && [ -z "$(ls "$XDG_RUNTIME_DIR/oriel")" ]; }
system_hosts() { exits 5 nc localhost 1; }
check "no DHCP server: status 3, and what to do" silent
check "with user, the system's own names are known" system_hosts
tap_end

#!/bin/sh
# Verbs on a TAP device whose other end is dnsmasq: an address by DHCP, names by DNS over UDP and TCP,
# name servers by router advertisements. Everything is in a network namespace of the test's own.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"

if [ "$(id -u)" -ne 0 ] || ! [ -c /dev/net/tun ] || ! command -v dnsmasq >/dev/null ||
    ! ip netns add "oriel-dhcp-$$" 2>/dev/null; then
    skip "an address and names from dnsmasq" "needs root, /dev/net/tun and dnsmasq"
    tap_end
fi
ns=oriel-dhcp-$$
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; ip netns del "$ns" 2>/dev/null; rm -rf "$tmp"' EXIT
inside() { ip netns exec "$ns" "$@"; }

inside sh -c 'ip link set lo up && ip tuntap add dev tap0 mode tap && ip addr add 10.77.0.1/24 dev tap0 &&
    ip addr add fd77::1/64 dev tap0 nodad && ip link set tap0 up'
many=$(seq 1 60 | sed 's/.*/--host-record=many.test,10.77.1.&/')
# shellcheck disable=SC2086
ip netns exec "$ns" dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --user=root --no-resolv --no-hosts \
    --interface=tap0 --bind-dynamic --log-dhcp --log-facility="$tmp/log" --dhcp-leasefile="$tmp/leases" \
    --no-ping --dhcp-range=10.77.0.50,10.77.0.60,2m --dhcp-range=::,constructor:tap0,ra-stateless \
    --enable-ra "--dhcp-option=option6:dns-server,[fd77::1]" --dhcp-option=option:mtu,1400 \
    --local=/test/ --host-record=www.test,10.77.0.1 --host-record=six.test,fd77::1 \
    --host-record=both.test,10.77.0.1,fd77::1 \
    --cname=alias.test,www.test --edns-packet-max=512 $many &
server=$!
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    grep -q "started" "$tmp/log" 2>/dev/null && break
    sleep 0.1
done

# on ARGUMENT...: the program in the namespace; output, errors and status as with `oriel`
on()
{
    status=0
    inside "$ORIEL" "$@" > "$tmp/out" 2> "$tmp/err" < /dev/null || status=$?
}
works() { [ "$status" -eq 0 ] || { cat "$tmp/out" "$tmp/err"; tail -20 "$tmp/log"; return 1; }; }

address()
{
    on ping --link tap:tap0 -v -c 2 -i 20ms -w "$tmp/a.pcapng" www.test
    works && says "$tmp/out" "64 bytes from 10.77.0.1" && says "$tmp/err" "by DHCP"
}
exchange()
{
    for m in DHCPDISCOVER DHCPOFFER DHCPREQUEST DHCPACK DHCPRELEASE; do
        says "$tmp/log" "$m(tap0)" || return 1
    done
    [ ! -s "$tmp/leases" ] || ! grep -q " 10.77.0.5" "$tmp/leases"
}
clean()
{
    tshark -r "$tmp/a.pcapng" -o udp.check_checksum:TRUE -o ip.check_checksum:TRUE \
        -Y '_ws.malformed || udp.checksum.status == 0 || ip.checksum.status == 0' > "$tmp/bad" 2>/dev/null &&
        [ ! -s "$tmp/bad" ] &&
        [ "$(tshark -r "$tmp/a.pcapng" -Y 'dhcp.option.dhcp == 1 || dhcp.option.dhcp == 3 || dns.flags.response == 0' \
            -T fields -e frame.number 2>/dev/null | wc -l)" -ge 3 ]
}
alias_of()
{
    on ping --link tap:tap0 -c 1 alias.test
    works && says "$tmp/out" "64 bytes from 10.77.0.1"
}
six()
{
    on ping --link tap:tap0,dhcp,addr=fd77::9/64 -c 1 six.test
    works && says "$tmp/out" "64 bytes from fd77::1"
}
# Nobody listens there, so the message says which address it was.
family()
{
    on nc -4 -w 3s --link tap:tap0,dhcp,addr=fd77::9/64 both.test 9
    [ "$status" -eq 5 ] && says "$tmp/err" "connect to 10.77.0.1 port 9" || return 1
    on nc -6 -w 3s --link tap:tap0,dhcp,addr=fd77::9/64 both.test 9
    [ "$status" -eq 5 ] && says "$tmp/err" "connect to fd77::1 port 9" || return 1
    on nc -6 --link tap:tap0,addr=10.77.0.9/24,dns=10.77.0.1 www.test 9
    [ "$status" -eq 4 ] && says "$tmp/err" "there is no host of the name 'www.test' with an IPv6 address"
}
hosts_file()
{
    echo "10.77.0.1 box.lan box # of this test" > "$tmp/hosts"
    status=0
    # shellcheck disable=SC2016
    inside unshare -m sh -c 'mount --bind "$1" /etc/hosts && shift && exec "$@"' sh "$tmp/hosts" "$ORIEL" \
        ping --link tap:tap0,addr=10.77.0.9/24 -c 1 box > "$tmp/out" 2> "$tmp/err" || status=$?
    works && says "$tmp/out" "64 bytes from 10.77.0.1"
}
over_tcp()
{
    on ping --link tap:tap0 -c 1 -W 100ms -w "$tmp/t.pcapng" many.test
    says "$tmp/out" "PING 10.77.1." &&
        [ -n "$(tshark -r "$tmp/t.pcapng" -Y 'dns.flags.truncated == 1 && udp' 2>/dev/null)" ] &&
        [ -n "$(tshark -r "$tmp/t.pcapng" -Y 'dns.count.answers == 60 && tcp' 2>/dev/null)" ]
}
nobody()
{
    on ping --link tap:tap0 -c 1 nobody.test
    [ "$status" -eq 2 ] && says "$tmp/err" "there is no host of the name 'nobody.test'"
}
told_by_router()
{
    on ping --link tap:tap0,addr=10.77.0.9/24 -c 1 www.test
    works && says "$tmp/out" "64 bytes from 10.77.0.1"
}
silence()
{
    kill "$server"
    wait "$server" 2>/dev/null
    server=
    on ping --link tap:tap0,dhcp -c 1 10.77.0.1
    [ "$status" -eq 3 ] && says "$tmp/err" "no DHCP server answers on tap0"
}

check "a verb gets an address, and the name of its destination, from dnsmasq" address
check "the exchange is the usual one, and the address is given back" exchange
check "nothing on the wire is malformed, and every sum is right" clean
check "an alias leads to its address" alias_of
check "a name with an IPv6 address alone is found" six
check "-4 and -6 choose the address of a name" family
check "the hosts file is asked first" hosts_file
check "an answer that was cut is asked for again over TCP" over_tcp
check "a name that does not exist is said to be none" nobody
check "a router's name servers are asked where DHCP told of none" told_by_router
check "where no server answers, that is said" silence
tap_end

#!/bin/sh
# serial: over pseudo-terminals: Oriel to Oriel, and beside others who speak SLIP and PPP.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
# shellcheck source=tests/cli/link.inc
. "$(dirname "$0")/link.inc"
line=$tmp/line
head -c 300000 /dev/urandom > "$tmp/file"
printf 'sesame\n' > "$tmp/good"
printf 'guess\n' > "$tmp/bad"

# there TEST FILE: within ten seconds
there()
{
    for _ in $(seq 100); do
        [ "$1" "$2" ] && return
        sleep 0.1
    done
    return 1
}

# far ARGUMENT...: a program that makes the line and is there when somebody comes, its pid in $far_pid
far()
{
    timeout 60 "$ORIEL" "$@" > "$tmp/far.out" 2> "$tmp/far.err" < /dev/null &
    far_pid=$!
    pids="$pids $far_pid"
    there -e "$line"
}
answered()
{
    far nc -l -k --link "serial:$line,pty,addr=10.9.0.2,peer=10.9.0.1,dns=10.9.0.2" 7 &&
        exits 0 ping -v --link "serial:$line" -c 2 -i 50ms -W 3s 10.9.0.2 &&
        says "$tmp/out" "2 received" &&
        says "$tmp/err" "PPP: 10.9.0.1 here, 10.9.0.2 at the other end" && says "$tmp/err" "1 name servers"
}
ended()
{
    ends "$far_pid" && [ "$status" -eq 3 ] && says "$tmp/far.err" "is gone: the other end has hung up"
}
# transfer LISTENER-LINK CLIENT-LINK ADDRESS: a file, one way, by its digest
transfer()
{
    far nc -l -N --link "serial:$line,pty,$1" 7 || return
    status=0
    timeout 40 "$ORIEL" nc -N --link "serial:$line,$2" "$3" 7 < "$tmp/file" 2> "$tmp/err" || status=$?
    [ "$status" -eq 0 ] || { cat "$tmp/err" "$tmp/far.err"; return 1; }
    ends "$far_pid"
    want=$(sha256sum < "$tmp/file") && got=$(sha256sum < "$tmp/far.out") && [ "$want" = "$got" ]
}
over_ppp() { transfer addr=10.9.0.2,peer=10.9.0.1 wait=20 10.9.0.2; }
over_slip() { transfer slip,addr=10.9.0.2/24,mtu=1500 slip,addr=10.9.0.1/24,mtu=1500 10.9.0.2; }
over_ipv6() { transfer addr=fd00:9::2/64 addr=fd00:9::1/64 fd00:9::2; }
proven()
{
    transfer "addr=10.9.0.2,peer=10.9.0.1,auth=chap,peer-user=bob,peer-password-file=$tmp/good" \
        "user=bob,password-file=$tmp/good" 10.9.0.2
}
refused()
{
    asks="auth=pap,peer-user=bob,peer-password-file=$tmp/good"
    far nc -l --link "serial:$line,pty,addr=10.9.0.2,peer=10.9.0.1,$asks" 7 &&
        exits 3 ping --link "serial:$line,user=bob,password-file=$tmp/bad" -c 1 10.9.0.2 &&
        says "$tmp/err" "the other end does not take our name and password" &&
        ends "$far_pid" && [ "$status" -eq 3 ] && says "$tmp/far.err" "the other end is not who it should be"
}

check "two programs agree by PPP: an address is given, and ping is answered" answered
check "who hangs up says so" ended
check "a transfer over PPP, by its digest" over_ppp
check "a transfer over IPv6 and PPP" over_ipv6
check "a transfer over SLIP" over_slip
check "with a password, by CHAP" proven

# seen: how the two ends agreed is in a capture of the line, and is what tshark sees there
seen()
{
    transfer addr=10.9.0.2,peer=10.9.0.1 "frames=$tmp/line.pcapng" 10.9.0.2 &&
        exits 0 dump -r "$tmp/line.pcapng" 'lcp or ipcp' &&
        says "$tmp/out" "Configuration Request id 1 <ACCM 0x00000000,Magic" &&
        says "$tmp/out" "Configuration Nak id 2 <Address 10.9.0.1>" &&
        says "$tmp/out" "Termination Request"
}
same_as_tshark()
{
    fields="ppp.protocol ppp.code ppp.identifier ppp.length lcp.opt.asyncmap lcp.opt.magic_number
        ipcp.opt.ip_address ip.src ip.len tcp.len"
    set --
    for f in $fields; do set -- "$@" -e "$f"; done
    tshark -r "$tmp/line.pcapng" -T fields "$@" > "$tmp/theirs" 2> /dev/null &&
        exits 0 dump -r "$tmp/line.pcapng" --json -V && python3 - "$tmp/out" "$tmp/theirs" $fields << 'END'
import json, sys
theirs = open(sys.argv[2]).read().splitlines()
frames = [json.loads(line)["fields"] for line in open(sys.argv[1])]
assert len(frames) == len(theirs) > 20
for frame, line in zip(frames, theirs):
    values = [",".join(f["value"] for f in frame if f["name"] == name) for name in sys.argv[3:]]
    assert values == line.split("\t"), (values, line)
END
}
check "the line's own frames are captured: how the two ends agreed, and their goodbye" seen
if have tshark; then
    check "tshark sees the same in that capture" same_as_tshark
else
    skip "tshark sees the same in that capture" "there is no tshark"
fi
check "a wrong password is refused, and both ends say so" refused

# ---- slirp: another's SLIP and PPP, which need no kernel ----

# beside LINK ARGUMENT...: the verb on a line at whose other end slirp is
beside()
{
    kind=$1 link=$2
    shift 2
    rm -f "$line"
    (
        there -e "$line" && sleep 0.2
        exec setsid timeout 30 slirp-fullbolt ${kind:+"$kind"} <> "$line" >&0 2> "$tmp/slirp.err"
    ) &
    pids="$pids $!"
    status=0
    timeout 30 "$ORIEL" "$@" --link "serial:$line,pty,$link" < "$tmp/request" > "$tmp/out" 2> "$tmp/err" ||
        status=$?
    [ "$status" -eq 0 ] || { cat "$tmp/err" "$tmp/slirp.err"; return 1; }
}
with_slirp()
{
    : > "$tmp/request"
    beside "$1" "$2" ping -v 10.0.2.2 -c 2 -i 50ms -W 3s && says "$tmp/out" "2 received"
}
page()
{
    printf 'GET /file HTTP/1.0\r\n\r\n' > "$tmp/request"
    beside "$1" "$2" nc -v 10.0.2.2 "$http" &&
        { [ -z "$1" ] || says "$tmp/err" "PPP: 10.0.2.15 here, 10.0.2.2 at the other end"; } && python3 -c '
import sys
got = open(sys.argv[1], "rb").read().split(b"\r\n\r\n", 1)[1]
assert got == open(sys.argv[2], "rb").read()' "$tmp/out" "$tmp/file"
}
slip=slip,mtu=1500,addr=10.0.2.15/24,gw=10.0.2.2
ppp=peer=10.0.2.2
if have slirp-fullbolt; then
    python3 -c '
import functools, http.server, sys
h = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
s = http.server.HTTPServer(("127.0.0.1", 0), h)
print(s.server_port, flush=True)
s.serve_forever()' "$tmp" > "$tmp/port" 2> /dev/null &
    pids="$pids $!"
    there -s "$tmp/port"
    http=$(cat "$tmp/port")
    check "slirp by SLIP: ping" with_slirp "" "$slip"
    check "slirp by SLIP: a page of its host" page "" "$slip"
    check "slirp by PPP: the address that it gives, and a page of its host" page ppp "$ppp"
else
    skip "beside slirp" "there is no slirp-fullbolt here"
fi

# ---- pppd: the kernel's PPP ----

kernel_has_ppp() { [ "$(id -u)" -eq 0 ] && [ -c /dev/ppp ] && (: < /dev/ppp) 2> /dev/null; }
with_pppd()
{
    rm -f "$line"
    (
        there -e "$line" && sleep 0.2
        exec timeout 30 pppd "$(readlink "$line")" 115200 nodetach noauth local nodefaultroute \
            10.9.0.2:10.9.0.1 ms-dns 10.9.0.53 +ipv6 > "$tmp/pppd.log" 2>&1
    ) &
    pids="$pids $!"
    oriel ping -v --link "serial:$line,pty" -c 2 -i 50ms -W 3s 10.9.0.2
    [ "$status" -eq 0 ] || { cat "$tmp/err" "$tmp/pppd.log"; return 1; }
    says "$tmp/err" "PPP: 10.9.0.1 here, 10.9.0.2 at the other end" && says "$tmp/err" "1 name servers"
}
if have pppd && kernel_has_ppp; then
    check "pppd gives the address, and answers" with_pppd
else
    skip "beside pppd" "no pppd, not root, or a kernel without PPP (/dev/ppp)"
fi
tap_end

#!/bin/sh
# Verbs on a link: two programs joined by UDP datagrams, in real time.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
# shellcheck source=tests/cli/link.inc
. "$(dirname "$0")/link.inc"

start peer ping --link "$far,addr=10.9.0.2/24,addr=fd00:9::2/64" -c 1000 -q 10.9.0.99
peer=$started
mine=$near,addr=10.9.0.1/24

answered()
{
    exits 0 ping --link "$mine" -c 3 -i 50ms 10.9.0.2 && says "$tmp/out" "3 received, 0% packet loss" &&
        says "$tmp/out" "64 bytes from 10.9.0.2: icmp_seq=1 ttl=64" && [ ! -s "$tmp/err" ]
}
answered6()
{
    exits 0 ping --link "$near,addr=fd00:9::1/64" -c 2 -i 50ms fd00:9::2 &&
        says "$tmp/out" "2 received"
}
nobody()
{
    exits 1 ping --link "$mine" -c 1 -W 200ms 10.9.0.77 && says "$tmp/out" "100% packet loss"
}
captured()
{
    exits 0 ping --link "$mine" -c 2 -i 20ms -w "$tmp/run.pcapng" 10.9.0.2 &&
        says "$tmp/err" "frames in $tmp/run.pcapng" && says "$tmp/err" "host > door0:" &&
        exits 0 dump -r "$tmp/run.pcapng" 'icmp and why.cause == "RAW_DATA"' &&
        [ "$(wc -l < "$tmp/out")" -eq 2 ] &&
        exits 0 dump -r "$tmp/run.pcapng" 'icmp' && says "$tmp/out" "came from outside"
}
both()
{
    exits 0 ping --link "$mine" -c 1 -w "$tmp/b.pcapng" --vantage both 10.9.0.2 &&
        [ -s "$tmp/b.host.pcapng" ] && [ -s "$tmp/b.door0.pcapng" ]
}
piped()
{
    "$ORIEL" ping --link "$mine" -c 1 -w - 10.9.0.2 2>/dev/null | "$ORIEL" dump -r - icmp > "$tmp/out" &&
        [ "$(wc -l < "$tmp/out")" -eq 2 ]
}
known_to_others()
{
    tshark -r "$tmp/run.pcapng" -T fields -e _ws.malformed -e icmp.checksum.status -Y icmp \
        > "$tmp/out" 2>/dev/null && [ "$(sort -u "$tmp/out" | tr -d '\t')" = 1 ] &&
        [ "$(tshark -r "$tmp/run.pcapng" -T fields -e frame.time_epoch -c 1 2>/dev/null | cut -c1-2)" != 0. ]
}
lossy()
{
    exits 1 ping --link "$mine" -c 3 -i 20ms -W 100ms --impair "loss 100%" 10.9.0.2 &&
        says "$tmp/err" "host > door0:" && says "$tmp/err" "lost (draws 1"
}
slow()
{
    exits 0 ping --link "$mine" -c 2 -i 20ms --impair "delay 30ms" 10.9.0.2 &&
        sed -n 's|^rtt.* = \([0-9]*\).*|\1|p' "$tmp/out" | { read -r ms && [ "$ms" -ge 60 ]; }
}
reasons()
{
    exits 0 ping --link "$mine" -c 1 --why 10.9.0.2 &&
        says "$tmp/out" "host > door0  ARP Who has 10.9.0.2? Tell 10.9.0.1" &&
        says "$tmp/out" "a packet waits for the link address of its next hop"
}
drawn()
{
    exits 0 ping --link "$mine" -c 1 --ladder --ascii 10.9.0.2 && says "$tmp/out" "host" &&
        says "$tmp/out" "|- ICMP Echo (ping) request" && tail -1 "$tmp/out" | grep -q '^rtt'
}
as_json()
{
    exits 0 ping --link "$mine" -c 1 --json -v --impair "delay 1ms" 10.9.0.2 && all_json &&
        says "$tmp/out" '"event":"ping"' && says "$tmp/out" '"event":"summary"'
}
logged()
{
    exits 0 ping --link "$mine" -c 1 --log "$tmp/log" 10.9.0.2 &&
        [ "$(head -c 14 "$tmp/log")" = "oriel-events 1" ]
}
told()
{
    exits 0 ping --link "$mine" -c 1 -v 10.9.0.2 && says "$tmp/err" "frames of at most 1500 bytes in UDP"
}
interrupted()
{
    start me ping --link "$mine" -c 1000 -w "$tmp/i.pcapng" 10.9.0.2
    sleep 0.5
    stop "$started" INT
    [ "$status" -eq 0 ] && says "$tmp/me.out" "ping statistics" &&
        says "$tmp/me.err" "frames in $tmp/i.pcapng" &&
        [ ! -e "$XDG_RUNTIME_DIR/oriel/$started.sock" ]
}
cut_off()
{
    start me ping --link "$mine" -c 1000 -i 20ms -w "$tmp/k.pcapng" 10.9.0.2
    sleep 0.5
    stop "$started" KILL
    exits 0 dump -r "$tmp/k.pcapng" icmp && [ "$(wc -l < "$tmp/out")" -gt 2 ] && [ ! -s "$tmp/err" ]
}
check "ping over a link is answered" answered
check "over IPv6 too, once the address is known to be free" answered6
check "nobody answers: status 1" nobody
check "-w captures every frame with its reason, and says where" captured
check "--vantage both writes a file for either end" both
check "-w - is the capture alone" piped
if have tshark; then
    check "tshark finds checksums good and times of today" known_to_others
else
    skip "tshark finds checksums good and times of today" "no tshark"
fi
check "--impair loses, and the summary names the draws" lossy
check "--impair delays" slow
check "--why shows a line a frame" reasons
check "--ladder draws, and what ping says stands below" drawn
check "--json prints objects" as_json
check "--log writes events" logged
check "-v says what the link is" told
check "Ctrl-C ends it with the statistics, and says where the files are" interrupted
check "a capture can be read to the last frame when the program was killed" cut_off

hops() { exits 0 traceroute --link "$mine" -I 10.9.0.2 && says "$tmp/out" " 1  10.9.0.2"; }
hops_json() { exits 0 traceroute --link "$mine" -I --json 10.9.0.2 && all_json; }
who_has()
{
    exits 0 arp --link "$mine" 10.9.0.2 && says "$tmp/out" "10.9.0.2" && says "$tmp/out" "reachable"
}
who_has_not() { exits 1 arp --link "$mine" 10.9.0.66 && says "$tmp/out" "HWaddress"; }
addresses()
{
    exits 0 addr --link "$mine,addr=fd00:9::1/64" && says "$tmp/out" "inet 10.9.0.1/24 preferred static" &&
        says "$tmp/out" "inet6 fd00:9::1/64 preferred static"
}
routes()
{
    exits 0 route --link "$mine,gw=10.9.0.2" --at 10ms && says "$tmp/out" "10.9.0.2"
}
check "traceroute finds the other end" hops
check "traceroute --json prints objects" hops_json
check "arp asks for an address" who_has
check "nobody has it: status 1" who_has_not
check "addr shows the addresses, ready for use" addresses
check "route shows the gateway" routes

asked()
{
    exits 0 ss -a && says "$tmp/out" "icmp  UNCONN" && says "$tmp/out" "ping/$peer/host"
}
counted()
{
    exits 0 stat && says "$tmp/out" "ping/$peer/host: sent because" && says "$tmp/out" "(ARP_REQUEST)"
}
metrics()
{
    exits 0 stat --prometheus --pid "$peer" && says "$tmp/out" "# TYPE oriel_why_total counter" &&
        says "$tmp/out" "oriel_why_total{pid=\"$peer\",node=\"host\",reason=\"ARP_REQUEST\"}"
}
limits() { exits 0 ss --limits --pid "$peer" && says "$tmp/out" "neighbours"; }
as_objects()
{
    for how in "ss -a" "ss --limits" "stat -z"; do
        # shellcheck disable=SC2086
        exits 0 $how --json && all_json || return 1
    done
}
wrong_pid() { exits 3 ss --pid 1 && says "$tmp/err" "process 1 does not answer"; }
stale()
{
    start gone ping --link "udp:127.0.0.1:0,addr=10.9.9.1/24" -c 1000 -q 10.9.9.2
    stop "$started" KILL
    [ -S "$XDG_RUNTIME_DIR/oriel/$started.sock" ] && exits 0 ss &&
        [ ! -e "$XDG_RUNTIME_DIR/oriel/$started.sock" ]
}
garbage()
{
    python3 - "$XDG_RUNTIME_DIR/oriel/$peer.sock" <<'END' && exits 0 ss
import socket, sys
for question in (b"\n", b"ss nonsense\n", b"x" * 5000, b"stat\0\n", b"ss info states=99999999999999999999\n"):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(5)
    s.connect(sys.argv[1])
    try:
        s.sendall(question)
        assert s.recv(100) == b"", question
    except (BrokenPipeError, ConnectionResetError):
        pass
idle = [socket.socket(socket.AF_UNIX) for _ in range(7)]
for s in idle:
    s.connect(sys.argv[1])
END
}
# A process that a debugger holds, with a queue in front of its socket.
stopped()
{
    start still ping --link "udp:127.0.0.1:0,addr=10.9.9.1/24" -c 1000 -q 10.9.9.2
    kill -STOP "$started"
    python3 - "$XDG_RUNTIME_DIR/oriel/$started.sock" "$ORIEL" "$started" <<'END'
import socket, subprocess, sys
queue = []
while not queue or queue[-1].connect_ex(sys.argv[1]) == 0:
    queue.append(socket.socket(socket.AF_UNIX))
    queue[-1].setblocking(False)
r = subprocess.run([sys.argv[2], "ss", "--pid", sys.argv[3]], timeout=20, capture_output=True, text=True)
assert r.returncode == 3 and "timed out" in r.stderr, r
END
    code=$?
    kill -CONT "$started"
    stop "$started"
    return "$code"
}
check "ss shows the sockets of what runs" asked
check "stat counts, each with its sentence" counted
check "stat --prometheus" metrics
check "ss --limits shows how full tables are" limits
check "--json of each prints objects" as_objects
check "a process that has no stack: status 3" wrong_pid
check "what a killed process left behind is tidied up" stale
check "nonsense and silence at the control socket do no harm" garbage
check "a process that does not move is not waited for for ever" stopped
stop "$peer"
none() { exits 1 ss && says "$tmp/err" "no process of yours has a stack"; }
check "nobody runs: status 1" none

in_lab() { exits 0 ss -ti --lab hello --on client --at 130ms && says "$tmp/out" "now limited by:"; }
lab_link() { exits 0 ping --link lab:two-hosts,node=a -c 1 b && says "$tmp/out" "1 received"; }
lab_nc()
{
    exits 0 nc --link lab:hello,node=client 10.0.2.1 42181 && [ "$(cat "$tmp/out")" = "Hello Client" ]
}
ack_lost()
{
    exits 0 nc -v --link lab:hello,node=client --seed 27 --impair "loss 25%" 10.0.2.1 42181 &&
        grep -q 'FIN,ACK Seq=1 .*; its acknowledgement was lost at .* by draw 7$' "$tmp/err" &&
        ! grep -q 'lost elsewhere' "$tmp/err"
}
kinds() { exits 0 link list && says "$tmp/out" "udp:" && says "$tmp/out" "vxlan:" && exits 0 link list --json && all_json; }
one_kind() { exits 0 link list vxlan && ! grep -q '^udp' "$tmp/out" && exits 1 link list vxlam && says "$tmp/err" "did you mean 'vxlan'"; }
check "ss of a node of a lab" in_lab
check "--link lab:NAME,node=NODE is a node of a lab" lab_link
check "nc from there hears a server of the lab" lab_nc
check "a summary names the lost acknowledgement that made a segment be sent again" ack_lost
keys()
{
    exits 0 link list --json && python3 - "$tmp/out" docs/links.md <<'END' &&
import json, sys
page = open(sys.argv[2]).read()
for line in open(sys.argv[1]):
    kind = json.loads(line)
    assert f"`{kind['kind']}:" in page or not kind["keys"], kind["kind"]
    for k in kind["keys"]:
        text = "`" + k["key"] + ("=" + k["value"] if "value" in k else "") + "`"
        assert text in page, (kind["kind"], text)
END
        exits 0 link list && says "$tmp/out" "addr=A/LEN" &&
        exits 2 ping --link "$near,adr=10.9.0.1/24" 10.9.0.2 && says "$tmp/err" "link option 'adr=10.9.0.1/24'"
}
check "link list shows the kinds" kinds
check "the keys of every kind are those of the page, and no others are taken" keys
check "link list KIND shows one" one_kind

wrong()
{
    wanted=$1
    text=$2
    shift 2
    exits "$wanted" "$@" && says "$tmp/err" "$text"
}
check "a kind that is none" wrong 2 "expected one of" ping --link foo:bar 10.0.0.1
check "user with an option" wrong 2 "link 'user' takes nothing more, found ',mtu=1500'" ping --link user,mtu=1500 10.0.0.1
no_link()
{
    wrong 3 "cannot take UDP" ping --link udp:192.0.2.1:1,addr=10.0.0.1/24 -w "$tmp/none.pcapng" 10.0.0.2 &&
        [ "$(wc -l < "$tmp/err")" -eq 1 ]
}
check "a link that cannot be opened: nothing is summed up" no_link
check "an address that is none" wrong 2 "addr '10.0.0.1/99'" ping --link udp:1,addr=10.0.0.1/99 10.0.0.2
check "no peer and no port" wrong 3 "peer=HOST:PORT" ping --link udp 10.0.0.2
check "a port that is taken" wrong 3 "cannot take UDP" ping --link udp:192.0.2.1:1,addr=10.0.0.1/24 10.0.0.2
check "an impairment that is none" wrong 2 "--impair:" ping --link "$mine" --impair "lose everything" 10.9.0.2
check "a destination that is none" wrong 2 "no name server is known" ping --link "$mine" nowhere
check "--lab and --link" wrong 2 "both given" ping --link "$mine" --lab two-hosts --on a b
check "--on without a lab" wrong 2 "--lab NAME is missing" ping --link "$mine" --on a 10.9.0.2
check "a lab without a node" wrong 2 "--on NODE is missing" ping --lab two-hosts b
check "a place that is none" wrong 2 "--vantage" ping --link "$mine" -w "$tmp/x" --vantage there 10.9.0.2
check "a file that cannot be written" wrong 3 "cannot write /nowhere/x" ping --link "$mine" -c 1 -w /nowhere/x 10.9.0.2
check "no route to it: status 2" exits 2 ping --link "$mine" -c 1 -W 100ms 192.0.2.1
check "a state that is none" wrong 2 "did you mean 'established'" ss state establishd
check "two formats" wrong 2 "two formats" stat --json --prometheus
tap_end

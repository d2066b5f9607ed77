#!/bin/sh
# oriel nc: over a link between two programs, and inside a lab.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
# shellcheck source=tests/cli/link.inc
. "$(dirname "$0")/link.inc"
other=$far,addr=10.9.0.2/24
mine=$near,addr=10.9.0.1/24
head -c 1000000 /dev/urandom > "$tmp/file"
head -c 700000 /dev/urandom > "$tmp/file2"

# sends INPUT ARGUMENT...: nc with that input; as exits
sends()
{
    wanted=$1
    input=$2
    shift 2
    status=0
    printf '%b' "$input" | timeout 20 "$ORIEL" nc --link "$mine" "$@" > "$tmp/out" 2> "$tmp/err" ||
        status=$?
    [ "$status" -eq "$wanted" ] && return
    echo "exit status $status, expected $wanted"
    cat "$tmp/err"
    return 1
}
# heard NAME TEXT: the other side got exactly that
heard()
{
    printf '%b' "$2" | cmp - "$tmp/$1.out"
}

start keeper nc -lk --link "$other" 7
keeper=$started
one() { sends 0 'one\n' -N 10.9.0.2 7 && [ ! -s "$tmp/err" ]; }
two() { sends 0 'two\n' -q 50ms -p 5555 -v 10.9.0.2 7 && says "$tmp/err" "Connection to 10.9.0.2 7 port [tcp] succeeded!"; }
refused() { sends 5 '' 10.9.0.2 8 && says "$tmp/err" "connect to 10.9.0.2 port 8 (tcp) failed: Connection refused"; }
nothing() { sends 5 '' -v 10.9.0.2 8 && says "$tmp/err" "1 connection, 1 failed; 0 bytes sent, 0 received"; }
nobody() { sends 7 '' -w 200ms 10.9.0.99 7 && says "$tmp/err" "timed out"; }
no_way() { sends 6 '' 192.0.2.1 7 && says "$tmp/err" "unreachable"; }
silence() { sends 0 '' -d -w 200ms 10.9.0.2 7; }
no_name() { sends 4 '' nowhere.invalid 7; }
numeric() { sends 4 '' -n localhost 7 && says "$tmp/err" "-n looks up no names"; }
check "what is typed arrives, and -N ends it" one
check "-q ends it, -p is our port, -v says what happened" two
check "nobody listens: status 5" refused
check "a connection that was refused sent nothing" nothing
check "nobody answers: status 7" nobody
check "no way there: status 6" no_way
check "-w ends silence: status 0" silence
check "a name that nobody knows: status 4" no_name
check "-n: a name is not looked up: status 4" numeric

ranges() { sends 0 '' -zv 10.9.0.2 5-8 9 && says "$tmp/err" "10.9.0.2 7 port [tcp] succeeded!" && [ "$(grep -c refused "$tmp/err")" -eq 4 ]; }
none_open() { sends 5 '' -z 10.9.0.2 8-9 && [ ! -s "$tmp/err" ]; }
no_udp() { sends 5 '' -zu -w 300ms 10.9.0.2 9; }
check "-z looks at ranges, and names the open ones" ranges
check "-z says nothing without -v; none is open: status 5" none_open
check "-zu: a closed port refuses" no_udp
sockets()
{
    exits 0 ss -ltn && says "$tmp/out" "LISTEN" && says "$tmp/out" "nc/$keeper/host" &&
        exits 0 ss -tn state listening --json && all_json && says "$tmp/out" '"local_port":7'
}
check "ss shows the listener" sockets
check "the one who keeps listening heard everybody" heard keeper 'one\ntwo\n'
stop "$keeper" INT
check "Ctrl-C ends a listener: status 0" [ "$status" -eq 0 ]

cat > "$tmp/two.lab" <<'EOF'
title "Two at once"
about "Both connect to one listener; who is second speaks when the first has gone."
host a  eth0 10.0.0.1/24 fd00::1/64
host b  eth0 10.0.0.2/24
link a.eth0 b.eth0  delay 5ms
at 0 a tcp connect 10.0.0.2:7 say "one"
at 0 a tcp connect 10.0.0.2:7 say "two" write 1 every 150ms shutdown
EOF
second()
{
    exits 0 nc -lk -q 200ms --lab "$tmp/two.lab" --on b 7 < /dev/null && [ "$(cat "$tmp/out")" = onetwo ]
}
told()
{
    exits 0 nc -lkv -q 200ms --lab "$tmp/two.lab" --on b 7 < /dev/null && says "$tmp/err" "2 connections; 0 bytes sent, 6 received" &&
        says "$tmp/err" "a > b: "
}
check "-k: -q counts anew for the second one" second
check "-v in a lab: what happened on it" told

both_ways()
{
    stdin=$tmp/file2 start server nc -l --link "$other" 7
    status=0
    timeout 30 "$ORIEL" nc -N --link "$mine" "$@" 10.9.0.2 7 < "$tmp/file" > "$tmp/back" 2> "$tmp/err" ||
        status=$?
    code=$status
    ends "$started"
    [ "$code" -eq 0 ] && [ "$status" -eq 0 ] && cmp "$tmp/file" "$tmp/server.out" && cmp "$tmp/file2" "$tmp/back"
}
lossy()
{
    both_ways --impair "loss 2%, delay 1ms" --seed 7 -w 20s &&
        says "$tmp/err" "segments sent again: a later segment was delivered" &&
        grep -q 'lost at .* on host.eth0-door0.out by draw [0-9]' "$tmp/err"
}
piped()
{
    start server nc -l --link "$other" 7
    head -c 300000 "$tmp/file" | timeout 20 "$ORIEL" nc -N --link "$mine" 10.9.0.2 7 | cat > /dev/null
    ends "$started"
    head -c 300000 "$tmp/file" | cmp - "$tmp/server.out"
}
seen()
{
    start server nc -l --link "$other" 7
    sends 0 'hello\n' -N --ladder --ascii --json --write "$tmp/run.pcapng" --impair "delay 1ms" 10.9.0.2 7 &&
        ends "$started" && [ ! -s "$tmp/out" ] && says "$tmp/err" "SYN_SENT |- SYN Seq=0" &&
        says "$tmp/err" '"connections":1' &&
        exits 0 dump -r "$tmp/run.pcapng" 'tcp.len == 6' && [ "$(wc -l < "$tmp/out")" -eq 1 ]
}
reset()
{
    start server nc -l --link "$other" 7
    (sleep 0.4; kill -INT "$started") &
    sends 8 '' -d 10.9.0.2 7 && says "$tmp/err" "reset"
}
congestion()
{
    start server nc -l --link "$other" 7
    (sleep 0.3; exits 0 ss -ti --json && cp "$tmp/out" "$tmp/ss") &
    (echo x; sleep 0.6) | timeout 10 "$ORIEL" nc -N --cc bbr --link "$mine" 10.9.0.2 7
    ends "$started"
    says "$tmp/ss" '"congestion":"bbr"' && says "$tmp/ss" '"limited_by":"application"'
}
check "files both ways at once, byte for byte" both_ways
check "over a bad link, too; the summary names each loss by its draw" lossy
check "through pipes" piped
check "ladder and summary go to standard error, the capture to its file" seen
check "the other side gives up: status 8" reset
check "--cc is the connection's" congestion

datagrams()
{
    start server nc -lu -w 700ms --link "$other" 9
    (echo ping; sleep 0.3) | timeout 5 "$ORIEL" nc -u -q 100ms --link "$mine" 10.9.0.2 9
    ends "$started"
    heard server 'ping\n'
}
six()
{
    start server nc -l -6 --link "$far,addr=fd00:9::2/64" 7
    status=0
    echo six | timeout 10 "$ORIEL" nc -N -6 --link "$near,addr=fd00:9::1/64" fd00:9::2 7 || status=$?
    code=$status
    ends "$started"
    [ "$code" -eq 0 ] && heard server 'six\n'
}
check "-u: a datagram for what was typed" datagrams
check "-6" six

in_lab()
{
    exits 0 nc --lab hello --on client --at 0s 10.0.2.1 42181 && [ "$(cat "$tmp/out")" = "Hello Client" ]
}
in_lab_refused() { exits 5 nc --lab two-hosts --on a b 7 && says "$tmp/err" "refused"; }
in_lab_alone() { exits 7 nc -l --lab two-hosts --on a 7; }
of_family()
{
    exits 4 nc -6 --lab "$tmp/two.lab" --on a b 7 && says "$tmp/err" "the node 'b' has no IPv6 address" &&
        exits 6 nc -6 --lab "$tmp/two.lab" --on b a 9 && says "$tmp/err" "connect to fd00::1 port 9"
}
check "in a lab" in_lab
check "-6 is the family of a node's address" of_family
check "refused in a lab: status 5" in_lab_refused
check "listening in a lab where nobody comes: status 7" in_lab_alone

wrong()
{
    text=$1
    shift
    exits 2 nc --link "$mine" "$@" && says "$tmp/err" "$text"
}
check "no host" wrong "expected HOST and PORT"
check "no port" wrong "expected a PORT" 10.9.0.2
check "a port that is none" wrong "'http' is no port" 10.9.0.2 http
check "a range without -z" wrong "is no port" 10.9.0.2 1-5
check "a range backwards" wrong "no range of ports" -z 10.9.0.2 5-1
check "port 0" wrong "is no port" 10.9.0.2 0
check "several ports without -z" wrong "several ports" 10.9.0.2 1 2
check "-l and -z" wrong "-l and -z" -lz 7
check "-k without -l" wrong "-k is for -l" -k 10.9.0.2 7
check "-4 and -6" wrong "-4 and -6" -46 10.9.0.2 7
check "an address of the other family" wrong "the other family" -6 10.9.0.2 7
check "a timeout that is none" wrong "is not a duration" -w soon 10.9.0.2 7
tap_end

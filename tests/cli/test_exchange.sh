#!/bin/sh
# The exchange that everyone watches, by two programs: examples/server.c and examples/client.c, over a
# udp: link between two processes, over the loopback of one stack, over the system's own sockets, and with
# the client or the server under oriel run.
# Each time the segments are the same, by tshark and the filter tcp.port == 42181.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
root=$(cd "$here/../.." && pwd)
build=$(cd "$(dirname "$ORIEL")" && pwd)
cc=gcc
have gcc || cc=clang
strict="-std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -I$root/include"
lib=$build/liboriel-posix
sanitized=
nm "$lib.a" 2> /dev/null | grep -q __asan_init && sanitized="-fsanitize=address,undefined"
export LD_LIBRARY_PATH="$build" ASAN_OPTIONS=detect_leaks=0

if ! have tshark; then
    skip "the exchange" "no tshark"
    tap_end
fi

# flags, seq, ack, length; c and s: who sends
cat > "$tmp/table" << 'END'
c 0x0002 0 0 0
s 0x0012 0 1 0
c 0x0010 1 1 0
s 0x0018 1 1 12
c 0x0010 1 13 0
s 0x0011 13 1 0
c 0x0010 1 14 0
c 0x0011 1 14 0
s 0x0010 14 2 0
END

# segments FILE: those of the table; a window update between may be there or not.
segments()
{
    tshark -r "$1" -Y 'tcp.port == 42181' -T fields -e tcp.dstport -e tcp.flags -e tcp.seq -e tcp.ack \
        -e tcp.len 2> "$tmp/tshark.err" |
        awk '{ print ($1 == 42181 ? "c" : "s"), $2, $3, $4, $5 }' |
        awk '!($0 == "c 0x0010 1 1 0" && seen++)' | diff "$tmp/table" -
}
clean()
{
    bad=$(tshark -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE -r "$1" -Y '_ws.malformed or
        ip.checksum.status == "Bad" or tcp.checksum.status == "Bad" or tcp.analysis.flags' 2> /dev/null)
    [ -z "$bad" ] || { echo "$bad"; return 1; }
}
seen_in()
{
    check "the segments of $1 are those of the table" segments "$2"
    check "and none is damaged, lost or sent again" clean "$2"
}
greeted()
{
    [ "$(cat "$1")" = "Hello Client" ]
}
lines()
{
    check "examples/$1.c has twenty to forty lines of code" \
        [ "$(sed '1,/^ \*\/$/d' "$root/examples/$1.c" | wc -l)" -le 40 ]
}
lines server
lines client

# until_says FILE TEXT
until_says()
{
    for _ in $(seq 100); do
        grep -qF "$2" "$1" 2> /dev/null && return
        sleep 0.05
    done
    return 1
}

# ---- two processes, two stacks, a udp: link ----

for lib_kind in a so; do
    # shellcheck disable=SC2086    # words on purpose, here and below
    check "the server compiles against liboriel-posix.$lib_kind" \
        $cc $strict $sanitized -DORIEL "$root/examples/server.c" "$lib.$lib_kind" -o "$tmp/server-$lib_kind"
    # shellcheck disable=SC2086
    check "and the client" \
        $cc $strict $sanitized -DORIEL "$root/examples/client.c" "$lib.$lib_kind" -o "$tmp/client-$lib_kind"
done
port=$((20000 + $$ % 20000))
ORIEL_LINK="udp:127.0.0.1:$port,peer=127.0.0.1:$((port + 1)),addr=10.0.2.1/16" \
    ORIEL_CAPTURE=$tmp/server.pcapng timeout 20 "$tmp/server-a" > "$tmp/server.out" 2>&1 &
server=$!
until_says "$tmp/server.out" listens
ORIEL_LINK="udp:127.0.0.1:$((port + 1)),peer=127.0.0.1:$port,addr=10.0.1.1/16" \
    ORIEL_CAPTURE=$tmp/client.pcapng timeout 20 "$tmp/client-so" 10.0.2.1 > "$tmp/client.out" 2>&1
status=$?
check "over udp: the client is greeted" greeted "$tmp/client.out"
check "and is content" [ $status -eq 0 ]
wait $server
check "and so is the server" [ $? -eq 0 ]
seen_in "the client's end" "$tmp/client.pcapng"
seen_in "the server's end" "$tmp/server.pcapng"
check "the capture says why each segment was sent" sh -c "'$ORIEL' dump -r '$tmp/server.pcapng' \
    'tcp.port == 42181' | grep -q 'the application closed, and all it wrote was sent'"

# ---- one process, one stack, loopback ----

for program in server client; do
    # shellcheck disable=SC2086
    check "the $program compiles as a part" $cc $strict -DORIEL -Dmain=${program}_main -c \
        "$root/examples/$program.c" -o "$tmp/$program.o"
done
# shellcheck disable=SC2086
check "both make one program" $cc $strict $sanitized "$data/exchange_loopback.c" "$tmp/server.o" \
    "$tmp/client.o" "$lib.a" -pthread -o "$tmp/both"
ORIEL_CAPTURE=$tmp/loopback.pcapng timeout 20 "$tmp/both" > "$tmp/both.out" 2>&1
check "over the loopback of one stack both are content" [ $? -eq 0 ]
check "and the client is greeted" says "$tmp/both.out" "Hello Client"
seen_in "loopback" "$tmp/loopback.pcapng"

check "without a link that exists a program says so" sh -c "ORIEL_LINK=nonsense:1 '$tmp/client-a' 2>&1 |
    grep -q 'liboriel-posix: ORIEL_LINK=nonsense:1: '"

# ---- the system's own ----

# shellcheck disable=SC2086
check "the same source compiles for the system's sockets" \
    $cc $strict "$root/examples/server.c" -o "$tmp/server-sys"
# shellcheck disable=SC2086
check "and the client's" $cc $strict "$root/examples/client.c" -o "$tmp/client-sys"

# In a network namespace of its own: port 42181 may be taken outside.
cat > "$tmp/native.sh" << 'END'
ip link set lo up
timeout 30 tshark -q -i lo -w "$1/native.pcapng" > "$1/capture.out" 2>&1 &
capture=$!
for _ in $(seq 100); do
    grep -q '^Capturing\|-- Capturing\| Capture started' "$1/capture.out" 2> /dev/null && break
    sleep 0.1
done
sleep 0.5
timeout 20 "$1/server-sys" > "$1/native-server.out" 2>&1 &
server=$!
for _ in $(seq 100); do
    grep -q listens "$1/native-server.out" 2> /dev/null && break
    sleep 0.05
done
timeout 20 "$1/client-sys" 127.0.0.1 > "$1/client.out"
wait $server || exit 1
sleep 1.5
kill -INT $capture
wait $capture
END
# The client under oriel run, the server beside it.
cat > "$tmp/client-run.sh" << 'END'
ip link set lo up
"$1/server-sys" > "$1/run-server.out" & server=$!
for _ in $(seq 100); do
    grep -q listens "$1/run-server.out" 2> /dev/null && break
    sleep 0.05
done
timeout 20 "$2" run -q -w "$1/client-run.pcapng" -- "$1/client-sys" 10.0.2.2 > "$1/client.out" || exit 1
wait $server
END
# The server under oriel run, the client beside it.
cat > "$tmp/server-run.sh" << 'END'
ip link set lo up
timeout 40 "$2" run -q -p 42181 -w "$1/server-run.pcapng" -- "$1/server-sys" > "$1/run-server.out" & server=$!
for _ in $(seq 400); do
    grep -q listens "$1/run-server.out" 2> /dev/null && break
    sleep 0.05
done
timeout 20 "$1/client-sys" 127.0.0.1 > "$1/client.out" || exit 1
wait $server
END
chmod 755 "$tmp"
if have unshare && have ip && unshare -n true 2> /dev/null; then
    check "over the system's sockets both are content" unshare -n sh "$tmp/native.sh" "$tmp"
    check "and the client is greeted" greeted "$tmp/client.out"
    check "the segments of the system's loopback are those of the table" segments "$tmp/native.pcapng"
    check "with the client under oriel run both are content" \
        unshare -n sh "$tmp/client-run.sh" "$tmp" "$build/oriel"
    check "the client is greeted" greeted "$tmp/client.out"
    seen_in "the client under oriel run" "$tmp/client-run.pcapng"
    check "with the server under oriel run both are content" \
        unshare -n sh "$tmp/server-run.sh" "$tmp" "$build/oriel"
    check "the client is greeted" greeted "$tmp/client.out"
    seen_in "the server under oriel run" "$tmp/server-run.pcapng"
else
    skip "over the system's sockets" "no network namespace can be made"
fi
tap_end

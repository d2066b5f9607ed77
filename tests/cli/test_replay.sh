#!/bin/sh
# oriel replay: what a program did on a stack, done again from a recording.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
root=$(cd "$here/../.." && pwd)
build=$(cd "$(dirname "$ORIEL")" && pwd)
cc=gcc
have gcc || cc=clang
sanitized=
nm "$build/liboriel-posix.a" 2> /dev/null | grep -q __asan_init && sanitized="-fsanitize=address,undefined"
export ASAN_OPTIONS=detect_leaks=0

for program in server client; do
    # shellcheck disable=SC2086    # words on purpose
    check "the $program of the examples compiles" $cc -std=c11 -D_GNU_SOURCE -DORIEL -I"$root/include" \
        $sanitized "$root/examples/$program.c" "$build/liboriel-posix.a" -o "$tmp/$program"
done
port=$((40000 + $$ % 20000))
ORIEL_LINK="udp:127.0.0.1:$port,peer=127.0.0.1:$((port + 1)),addr=10.0.2.1/16" \
    ORIEL_RECORD=$tmp/server.rec timeout 20 "$tmp/server" > "$tmp/server.out" 2>&1 &
server=$!
for _ in $(seq 100); do
    grep -q listens "$tmp/server.out" 2> /dev/null && break
    sleep 0.05
done
ORIEL_LINK="udp:127.0.0.1:$((port + 1)),peer=127.0.0.1:$port,addr=10.0.1.1/16" \
    ORIEL_RECORD=$tmp/client.rec timeout 20 "$tmp/client" 10.0.2.1 > "$tmp/client.out" 2>&1
check "the client is content" [ $? -eq 0 ]
wait $server
check "and the server" [ $? -eq 0 ]

for program in server client; do
    check "the ${program}'s recording is replayed" exits 0 replay "$tmp/$program.rec"
    check "every answer as it was" says "$tmp/out" "all as recorded"
    cp "$tmp/out" "$tmp/said"
    check "also the second time" exits 0 replay "$tmp/$program.rec"
    check "and in the same words" diff "$tmp/said" "$tmp/out"
done
check "with -q it says nothing" exits 0 replay -q "$tmp/server.rec"
check "nothing at all" [ ! -s "$tmp/out" ]

check "a capture is made of it" exits 0 replay -w "$tmp/again.pcapng" "$tmp/server.rec"
check "in which the exchange is seen" sh -c "'$ORIEL' dump -r '$tmp/again.pcapng' 'tcp.port == 42181' |
    grep -c . | grep -qx 9"
check "with the reasons" sh -c "'$ORIEL' dump -r '$tmp/again.pcapng' | grep -q 'the application closed'"
check "a capture that cannot be made is a matter of the system" \
    exits 3 replay -w /nowhere/x.pcapng "$tmp/server.rec"

# One letter of what the server said is another.
python3 - "$tmp/server.rec" "$tmp/other.rec" << 'END'
import sys
data = open(sys.argv[1], "rb").read()
assert data.count(b"Hello Client") == 1
open(sys.argv[2], "wb").write(data.replace(b"Hello Client", b"Hello client"))
END
check "other bytes give another answer" exits 1 replay "$tmp/other.rec"
check "and it is said which" says "$tmp/err" "oriel_netif_take: the sum of a frame is "
head -c 2000 "$tmp/server.rec" > "$tmp/half.rec"
"$ORIEL" replay "$tmp/half.rec" > "$tmp/out" 2> "$tmp/err"
check "half a recording is replayed, or said to be cut off" \
    sh -c "[ $? -eq 0 ] || grep -q 'cut off or damaged' '$tmp/err'"
check "a file that is none is refused" exits 3 replay "$ORIEL"
check "with a reason" says "$tmp/err" "this is no recording of this version"
check "and so is one that is not there" exits 3 replay "$tmp/nothing"

# What is not recorded cannot be done again: a packet is made, but goes into a stack by a step.
unrecorded()
{
    tr '\n' ' ' < "$root/include/oriel/oriel.h" | grep -oE 'oriel_[a-z_0-9]+\(struct oriel_stack \*' | cut -d'(' -f1 |
        sort -u | while read -r call; do
        grep -qE ", $call\)" "$root/host/replay.def" || [ "$call" = oriel_pkt_new ] || echo "$call"
    done > "$tmp/unrecorded"
    sed -n 's/^CALL(.*, \(.*\))/--wrap=\1/p' "$root/host/replay.def" | diff "$root/host/replay.wrap" - &&
        ! grep . "$tmp/unrecorded"
}
check "every call that changes a stack is recorded" unrecorded

# A program that dies leaves what it did.
cat > "$tmp/dies.c" << 'END'
#include <netinet/in.h>
#include <oriel/posix.h>
#include <signal.h>

int main(void)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(7)};
    int fd = oriel_px_socket(AF_INET, SOCK_DGRAM, 0);
    if (oriel_px_bind(fd, (struct sockaddr *)&here, sizeof here) == 0)
        raise(SIGKILL);
    return 0;
}
END
# shellcheck disable=SC2086
check "a program that dies compiles" $cc -std=c11 -D_GNU_SOURCE -I"$root/include" $sanitized "$tmp/dies.c" \
    "$build/liboriel-posix.a" -o "$tmp/dies"
sh -c "ORIEL_RECORD='$tmp/dies.rec' '$tmp/dies'; true" > /dev/null 2>&1
check "and what it did until then is in its recording" exits 0 replay "$tmp/dies.rec"
tap_end

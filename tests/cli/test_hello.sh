#!/bin/sh
# The exchange that everyone watches, from the world to the pictures of it: labs/hello.lab.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
hello=$here/../../labs/hello.lab
run=$tmp/run.pcapng

check "the ladder has flags, numbers, states of both ends, and why" \
    exits 0 lab run "$hello" --ladder
grep -v '^labs\|expectations hold' "$tmp/out" > "$tmp/only" && mv "$tmp/only" "$tmp/out"
check "as expected" same "$data/ladder-hello.txt"
check "a capture at each end" exits 0 lab run "$hello" -q -w "$run" --vantage both

lines()
{
    number=$1
    shift
    exits 0 dump -r "$tmp/run.client.pcapng" --no-why "$@" &&
        [ "$(wc -l < "$tmp/out")" -eq "$number" ] && return
    cat "$tmp/out"
    return 1
}
check "nine segments pass the filter that everyone uses" lines 9 tcp.port == 42181
flags()
{
    lines 9 tcp.port == 42181
    sed 's/.*\(\[[A-Z.]*\]\) Seq=\([0-9]*\).* Len=\([0-9]*\).*/\1 \2 \3/' "$tmp/out" > "$tmp/flags"
    diff - "$tmp/flags" <<'TABLE'
[S] 0 0
[S.] 0 0
[.] 1 0
[P.] 1 12
[.] 1 0
[F.] 13 0
[.] 1 0
[F.] 1 0
[.] 14 0
TABLE
}
check "with tcpdump's letters, relative numbers and lengths" flags
check "a state is a word of the capture" lines 2 'tcp && frame.comment contains "state=SYN_SENT"'
check "a reason is one, too" lines 3 'why == "ACK_FIN" or why == "HANDSHAKE_DONE"'
check "the ladder of the capture" exits 0 ladder -r "$tmp/run.server.pcapng" --width 80 tcp
check "shows the states of the end that captured" says "$tmp/out" "│ FIN_WAIT_1"
check "from the first" says "$tmp/out" "│ LISTEN"
check "to the last" says "$tmp/out" "│ TIME_WAIT"

# Wireshark sees the same numbers.
if have tshark; then
    tshark -r "$tmp/run.client.pcapng" -Y tcp -T fields -e tcp.seq -e tcp.ack -e tcp.len \
        -e tcp.window_size -e tcp.nxtseq -e tcp.stream > "$tmp/theirs" 2> /dev/null
    "$ORIEL" dump -r "$tmp/run.client.pcapng" --json -V tcp |
        python3 -c '
import json, sys
names = ["tcp.seq", "tcp.ack", "tcp.len", "tcp.window_size", "tcp.nxtseq", "tcp.stream"]
for line in sys.stdin:
    fields = {f["name"]: f["value"] for f in json.loads(line)["fields"]}
    print("\t".join(fields[n] for n in names))
' > "$tmp/ours"
    check "tshark has the same relative numbers and windows" diff "$tmp/theirs" "$tmp/ours"
else
    skip "tshark has the same relative numbers and windows" "no tshark"
fi
tap_end

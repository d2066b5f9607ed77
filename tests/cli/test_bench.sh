#!/bin/sh
# oriel bench: two programs on a link; what it measures is not looked at, only that it does.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
# shellcheck source=tests/cli/link.inc
. "$(dirname "$0")/link.inc"

start server bench -s --link "$far,addr=10.9.0.2/24"
server=$started
mine=$near,addr=10.9.0.1/24

measures()
{
    exits 0 bench --link "$mine" -t 200ms 10.9.0.2 "$@" --json && all_json && python3 -c '
import json, sys
x = [json.loads(l) for l in open(sys.argv[1])][0]
assert x["event"] == "bench" and x["time_ns"] >= 200e6
assert (x["bits_per_s"] if x["what"].startswith("bulk") else x["turns_per_s"]) > 0, x
assert x["what"].startswith("bulk") or x["min_us"] <= x["p50_us"] <= x["max_us"]' "$tmp/out"
}
words()
{
    exits 0 bench --link "$mine" -t 100ms 10.9.0.2 && grep -q '^bulk: .*bit/s over 1 connection; ' "$tmp/out"
}
watched()
{
    exits 0 bench --link "$mine" -t 200ms --impair "loss 1%, delay 1ms" -w "$tmp/b.pcapng" 10.9.0.2 &&
        says "$tmp/err" "1 connection; " && exits 0 dump -q -r "$tmp/b.pcapng" 'tcp.len > 1000'
}
check "bulk" measures bulk
check "bulk over four connections" measures bulk -P 4
check "bulk, the other way" measures bulk -R
check "requests and answers" measures rr
check "requests and answers of 3,000 bytes over three connections" measures rr -P 3 -l 3000
check "connections" measures conn
check "connections, four at once, again" measures conn -P 4
check "in words" words
check "over a bad wire, with a capture" watched
served() { exits 0 ss -ltn && says "$tmp/out" "*:5201"; }
check "the server lives on" served
stop "$server" INT
check "until Ctrl-C" [ "$status" -eq 0 ]

nobody() { exits 7 bench --link "$mine" -t 100ms 10.9.0.2 "$@" && says "$tmp/err" "timed out" && [ ! -s "$tmp/out" ]; }
check "nobody there: status 7" nobody
check "nobody there to connect to: status 7" nobody conn
lab()
{
    exits 0 bench --lab fairness --on a1 b1 -p 1 -t 500ms --json "$@" && all_json && cat "$tmp/out"
}
differs() { [ "$(lab --cc newreno)" != "$(lab --cc bbr)" ]; }
refused() { exits 5 bench --lab two-hosts --on a b conn && says "$tmp/err" "refused"; }
check "in a lab" lab
check "in a lab --cc counts" differs
check "nobody listens in a lab: status 5" refused
wrong() { text=$1; shift; exits 2 bench --link "$mine" "$@" && says "$tmp/err" "$text"; }
check "no host" wrong "expected HOST"
check "-s and a host" wrong "-s waits for others" -s 10.9.0.2
check "nothing that can be measured" wrong "not one of bulk, rr, conn" 10.9.0.2 everything
tap_end

#!/bin/sh
# Random worlds:  tools/sim.sh PATH-OF-SIM COUNT
# Runs the seeds of tests/sim/seeds.txt (each has found something once), then 1 to COUNT. Prints one
# line; when a seed fails, what it said, and the status is 1.
set -eu
sim=$1
count=${2:-200}
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

{
    sed -n 's/^\([0-9][0-9]*\).*/\1/p' tests/sim/seeds.txt
    seq 1 "$count"
} | awk '!seen[$0]++' > "$work/seeds"

# Two at a time; the first that fails ends it.
# shellcheck disable=SC2016    # the inner shell's
xargs -P 2 -n 20 sh -c '
    sim=$0 work=$1
    shift
    "$sim" all "$@" > "$work/$1.out" 2>&1 || {
        status=$?
        [ $status = 1 ] || echo "status $status, by the seed after the last that is ok, of: $*" >> "$work/$1.out"
        exit 255
    }
    rm "$work/$1.out"' "$sim" "$work" < "$work/seeds" 2> /dev/null || true

for out in "$work"/*.out; do
    [ -f "$out" ] || continue
    tail -n 20 "$out"
    exit 1
done
echo "sim: $(wc -l < "$work/seeds") worlds, all is well"

#!/bin/sh
# Killing: `oriel run`, its guard, the program, a child of it or the whole group, at random moments from its
# start on, while connections are busy. Nothing is left: no process, no namespace (and no device in it), no
# peer that hangs. KILLS=200 tries so many moments.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
kills=${KILLS:-20}
chmod 755 "$tmp"
user= tun=/dev/net/tun
if [ "$(id -u)" = 0 ]; then
    user="setpriv --reuid nobody --regid nogroup --clear-groups"
    tun=$tmp/tun
    mknod "$tun" c 10 200 2> /dev/null && chmod 666 "$tun"
fi
cp "$ORIEL" "$(dirname "$ORIEL")/liboriel-preload.so" "$tmp/"
python=$(PATH=/usr/bin:/bin command -v python3 || command -v python3)

# $user is several words.
# shellcheck disable=SC2086
each()      # each MODE FLAGS
{
    if ! (cd / && $user timeout 20 "$tmp/oriel" run --mode="$1" $2 -- true) 2> "$tmp/err"; then
        skip "$1: killing" "$(head -n 1 "$tmp/err")"
        return
    fi
    for whom in oriel guard program child group; do
        check "$1: $whom killed, at $((kills / 5)) moments" \
            "$python" "$data/kill.py" "$whom" $((kills / 5)) "$tmp" "--mode=$1 $2" $user
    done
}

each notify ""
each preload ""
each ns "--tun $tun"
tap_end

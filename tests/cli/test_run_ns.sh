#!/bin/sh
# oriel run --mode=ns: a program in namespaces of its own, whose device is Oriel's; as an ordinary user.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
chmod 755 "$tmp"
user= tun=/dev/net/tun
if [ "$(id -u)" = 0 ]; then
    user="setpriv --reuid nobody --regid nogroup --clear-groups"
    tun=$tmp/tun
    mknod "$tun" c 10 200 2> /dev/null && chmod 666 "$tun"
    chown nobody "$tmp"
fi
cp "$ORIEL" "$tmp/oriel"
python=$(PATH=/usr/bin:/bin command -v python3 || command -v python3)
servers=
trap 'kill $servers 2> /dev/null; rm -rf "$tmp"' EXIT

# ends STATUS ARGUMENT...: `oriel run --mode=ns`, as the ordinary user
ends()
{
    wanted=$1
    shift
    status=0
    # shellcheck disable=SC2086    # $user is several words
    (cd / && $user timeout 60 "$tmp/oriel" run --mode=ns --tun "$tun" "$@") > "$tmp/out" 2> "$tmp/err" < /dev/null ||
        status=$?
    [ "$status" -eq "$wanted" ] && return
    echo "exit status $status, expected $wanted"
    cat "$tmp/err"
    return 1
}

# What cannot be had here is no failure of ours: namespaces in a container, the kernel's tun module.
status=0
# shellcheck disable=SC2086
(cd / && $user timeout 20 "$tmp/oriel" run --mode=ns --tun "$tun" -- true) > "$tmp/out" 2> "$tmp/err" || status=$?
if [ "$status" = 126 ]; then
    skip "programs in namespaces" "$(cat "$tmp/err")"
    tap_end
fi

head -c 20000000 /dev/urandom > "$tmp/file"
head -c 300000 /dev/urandom > "$tmp/part"
port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
for where in 127.0.0.1 ::1; do
    "$python" -m http.server --bind $where -d "$tmp" "$port" > /dev/null 2>&1 &
    servers="$servers $!"
done
for try in 1 2 3 4 5 6 7 8 9 10; do
    curl -s -o /dev/null "http://127.0.0.1:$port/part" && curl -s -o /dev/null "http://[::1]:$port/part" && break
    sleep "0.$try"
done

fetch()     # fetch ADDRESS FLAG...: the file, byte for byte
{
    from=$1
    shift
    ends 0 "$@" -- curl -s "http://$from:$port/file" && cmp "$tmp/out" "$tmp/file"
}
check "the host's loopback is at 10.0.2.2, over IPv4" fetch 10.0.2.2
check "and at fd00::2, over IPv6" fetch '[fd00::2]'
check "large packets as well" fetch 10.0.2.2 --mtu 65520
check "small ones" fetch '[fd00::2]' --mtu 1280

small()     # over a bad wire, with a capture
{
    ends 0 --impair 'loss 2%, delay 5ms' -w "$tmp/wire.pcapng" -- curl -s "http://10.0.2.2:$port/part" &&
        cmp "$tmp/part" "$tmp/out" && "$ORIEL" dump -r "$tmp/wire.pcapng" 'tcp.flags.syn == 1' | says_all
}
says_all() { grep -q '10.0.2.15.*10.0.2.2'; }
check "a wire that loses is mended, and captured" small

refused() { ends 7 -- curl -s http://10.0.2.2:1/; }
off() { ends 7 --no-host-loopback -- curl -s --max-time 5 "http://10.0.2.2:$port/part"; }
check "a port where nobody listens refuses" refused
check "the host's loopback can be closed" off

me()
{
    ends 0 -- sh -c 'id -u; cat /etc/resolv.conf; cat /proc/self/status' && says "$tmp/out" "nameserver 10.0.2.3" &&
        says "$tmp/out" "CapEff:	0000000000000000" && { [ -z "$user" ] || grep -qx 65534 "$tmp/out"; }
}
check "the program stays who it is, without capabilities; its resolver is ours" me

lone() { ends 0 -- sh -c 'cat /proc/net/dev' && [ "$(grep -c : "$tmp/out")" -eq 2 ]; }
check "it sees its own device and loopback, nothing else" lone

published()
{
    back=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    # shellcheck disable=SC2086
    (cd / && exec $user timeout 30 "$tmp/oriel" run --mode=ns --tun "$tun" -p "127.0.0.1:$back:80" -- \
        "$python" -m http.server -d "$tmp" 80) > "$tmp/server" 2>&1 &
    server=$!
    got=1
    for try in 1 2 3 4 5 6 7 8 9; do
        curl -s -o "$tmp/got" --max-time 10 "http://127.0.0.1:$back/file" && cmp "$tmp/got" "$tmp/file" && got=0 && break
        sleep "0.$try"
    done
    kill "$server"
    wait "$server"
    [ $? -eq 143 ] || { echo "the server did not end by the signal"; got=1; }
    [ $got = 0 ] || cat "$tmp/server"
    return $got
}
check "a published port leads to a server in there, on a small port; a signal ends it" published

check "the exit status is the program's" ends 3 -- sh -c 'exit 3'
check "or its signal's" ends 143 -- sh -c 'kill $$'
check "a program that is not there: 127" ends 127 -- /nowhere/program
no_tun() { ends 126 --tun /nowhere/tun -- true && says "$tmp/err" "--mode=notify needs no device"; }
check "no device file: 126, and what to do" no_tun
other() { ends 126 --tun /dev/null -- true && says "$tmp/err" "/dev/null makes no TAP devices"; }
check "a file that is something else" other
tap_end

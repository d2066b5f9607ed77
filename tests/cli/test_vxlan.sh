#!/bin/sh
# vxlan: beside Linux's own device, between two network namespaces.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
a=oriel-vxa-$$ b=oriel-vxb-$$
pids=
tidy_up()
{
    for p in $pids; do kill "$p" 2>/dev/null; done
    ip netns del "$a" 2>/dev/null
    ip netns del "$b" 2>/dev/null
    rm -rf "$tmp"
}
trap tidy_up EXIT

# Across a veth the kernel hands frames in tunnels over uncut and with unfinished sums, which no cable could.
finish_sums='
import ctypes, fcntl, socket, struct
for command in (0x17, 0x24):            # ETHTOOL_STXCSUM, ETHTOOL_SGSO: off
    value = ctypes.create_string_buffer(struct.pack("II", command, 0))
    request = struct.pack("16sP16x", b"v0", ctypes.addressof(value))
    fcntl.ioctl(socket.socket(), 0x8946, request)'

build()
{
    ip netns add "$a" && ip netns add "$b" &&
        ip -n "$a" link add v0 type veth peer name v0 netns "$b" &&
        ip -n "$a" addr add 198.51.100.1/24 dev v0 && ip -n "$b" addr add 198.51.100.2/24 dev v0 &&
        ip -n "$a" link set v0 up && ip -n "$b" link set v0 up && ip -n "$b" link set lo up &&
        ip -n "$b" link add vx0 type vxlan id 42 remote 198.51.100.1 dstport 4789 dev v0 &&
        ip -n "$b" addr add 10.42.0.2/24 dev vx0 && ip -n "$b" link set vx0 up gso_max_segs 1 &&
        ip netns exec "$b" python3 -c "$finish_sums"
}
link=vxlan:peer=198.51.100.2,vni=42,addr=10.42.0.1/24
here() { status=0; ip netns exec "$a" timeout 20 "$ORIEL" "$@" > "$tmp/out" 2> "$tmp/err" || status=$?; }
answered() { here ping --link "$link" -c 2 -i 50ms 10.42.0.2 && says "$tmp/out" "2 received"; }
other_network()
{
    here ping --link "vxlan:peer=198.51.100.2,vni=43,addr=10.42.0.1/24" -c 1 -W 200ms 10.42.0.2
    [ "$status" -eq 1 ]
}
serve()
{
    ip netns exec "$b" python3 -c '
import socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("10.42.0.2", 7))
s.listen()
print("ready", flush=True)
c, _ = s.accept()
data = b""
while piece := c.recv(65536):
    data += piece
c.sendall(data[::-1])
c.close()' > "$tmp/server" &
    pids="$pids $!"
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        [ -s "$tmp/server" ] && return
        sleep 0.1
    done
}
transfer()
{
    head -c 3000000 /dev/urandom > "$tmp/file"
    serve
    status=0
    ip netns exec "$a" timeout 30 "$ORIEL" nc -N --link "$link" 10.42.0.2 7 < "$tmp/file" > "$tmp/back" \
        2> "$tmp/err" || status=$?
    [ "$status" -eq 0 ] && python3 -c '
import sys
assert open(sys.argv[1], "rb").read() == open(sys.argv[2], "rb").read()[::-1]' "$tmp/file" "$tmp/back"
}

if [ "$(id -u)" -eq 0 ] && have ip && build > "$tmp/log" 2>&1; then
    check "ping across the tunnel" answered
    check "a transfer both ways, byte for byte" transfer
    check "another network's number is not heard" other_network
else
    skip "beside Linux's vxlan device" "not root, or no such device: $(head -1 "$tmp/log" 2>/dev/null)"
fi
tap_end

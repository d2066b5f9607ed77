#!/bin/sh
# --link user: the system's own sockets behind a gateway, without any privilege.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
# shellcheck source=tests/cli/link.inc
. "$(dirname "$0")/link.inc"

# An echo service and a page of 500,000 bytes on loopback, both families; "PORT ECHO" in $tmp/ports.
head -c 500000 /dev/urandom > "$tmp/page"
cat > "$tmp/serve.py" <<'END'
import asyncio, os, socket, sys
page = open(sys.argv[1], "rb").read()
async def web(r, w):
    try:
        await r.readuntil(b"\r\n\r\n")
        w.write(b"HTTP/1.0 200 OK\r\n\r\n" + page)
        await w.drain()
    finally:
        w.close()
async def echo(r, w):
    while data := await r.read(65536):
        w.write(data)
        await w.drain()
    w.close()
class Udp(asyncio.DatagramProtocol):
    def connection_made(self, t): self.t = t
    def datagram_received(self, data, addr): self.t.sendto(data.upper(), addr)
async def main():
    a = await asyncio.start_server(web, "127.0.0.1", 0)
    port = a.sockets[0].getsockname()[1]
    b = await asyncio.start_server(echo, "127.0.0.1", 0)
    t, _ = await asyncio.get_running_loop().create_datagram_endpoint(Udp, ("127.0.0.1", 0))
    try:
        await asyncio.start_server(web, "::1", port)
    except OSError:
        pass
    with open(sys.argv[2] + ".new", "w") as f:
        print(port, b.sockets[0].getsockname()[1], t.get_extra_info("sockname")[1], file=f)
    os.rename(sys.argv[2] + ".new", sys.argv[2])
    await asyncio.sleep(120)
asyncio.run(main())
END
python3 "$tmp/serve.py" "$tmp/page" "$tmp/ports" &
pids="$pids $!"
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -s "$tmp/ports" ] && break
    sleep 0.2
done
read -r web echo udp < "$tmp/ports"

# get STATUS ARGUMENT...: the page, through nc
get()
{
    wanted=$1
    shift
    status=0
    printf 'GET / HTTP/1.0\r\n\r\n' | timeout 20 "$ORIEL" nc "$@" "$web" > "$tmp/out" 2> "$tmp/err" || status=$?
    [ "$status" -eq "$wanted" ] || { echo "exit status $status"; cat "$tmp/err"; return 1; }
}
is_page() { tail -c 500000 "$tmp/out" | cmp - "$tmp/page"; }
four() { get 0 10.0.2.2 && is_page && [ ! -s "$tmp/err" ]; }
named() { get 0 --link user 127.0.0.1 && is_page; }
six() { get 0 fd00::2 && is_page; }
lossy()
{
    get 0 --impair "loss 2%, delay 2ms" --write "$tmp/u.pcapng" 127.0.0.1 && is_page &&
        grep -q 'sent again' "$tmp/err" && says "$tmp/err" "host > gateway:" &&
        exits 0 dump -q -r "$tmp/u.pcapng" 'tcp.flags.syn == 1'
}
echoed()
{
    status=0
    timeout 20 "$ORIEL" nc -N 127.0.0.1 "$echo" < "$tmp/page" > "$tmp/out" 2> "$tmp/err" || status=$?
    [ "$status" -eq 0 ] && cmp "$tmp/page" "$tmp/out"
}
datagrams()
{
    (echo ping; sleep 0.4) | timeout 5 "$ORIEL" nc -u -q 50ms 127.0.0.1 "$udp" > "$tmp/out" 2> "$tmp/err"
    says "$tmp/out" PING
}
refused() { exits 5 nc 127.0.0.1 1 && says "$tmp/err" "Connection refused"; }
unprivileged()
{
    chmod 755 "$tmp"
    [ "$(printf 'GET / HTTP/1.0\r\n\r\n' | setpriv --reuid 65534 --regid 65534 --clear-groups \
        timeout 20 "$ORIEL" nc 127.0.0.1 "$web" 2> "$tmp/err" | wc -c)" -gt 500000 ]
}
nodes()
{
    (sleep 1) | timeout 10 "$ORIEL" nc 127.0.0.1 "$echo" > /dev/null 2>&1 &
    sleep 0.5
    exits 0 ss -tn && says "$tmp/out" "10.0.2.15:" && says "$tmp/out" "/gateway"
}
answered() { exits 0 ping -c 1 10.0.2.2 && says "$tmp/out" "1 received"; }
tables() { exits 0 route && says "$tmp/out" "10.0.2.2" && exits 0 addr --link user && says "$tmp/out" "10.0.2.15/24"; }

run_asked()
{
    exits 0 ss -ta && says "$tmp/out" "ESTAB" && says "$tmp/out" "run/$started/app" &&
        exits 0 stat --pid "$started" && says "$tmp/out" "(SYN)"
}
check "the system's loopback is at 10.0.2.2" four
check "and at 127.0.0.1 when a verb names it" named
if python3 -c 'import socket; socket.socket(socket.AF_INET6).bind(("::1", 0))' 2> /dev/null; then
    check "over IPv6 at fd00::2" six
else
    skip "over IPv6 at fd00::2" "no IPv6 on loopback"
fi
check "over a bad wire, the page is whole and the capture readable" lossy
check "half-close is carried through: all comes back" echoed
check "datagrams" datagrams
check "refused is refused: status 5" refused
check "ss shows both ends of the wire" nodes
check "ping the gateway" answered
check "route and addr" tables
if [ "$(id -u)" -eq 0 ] && have setpriv && setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$ORIEL"; then
    check "without any privilege" unprivileged
else
    skip "without any privilege" "not root, or the program is out of nobody's reach"
fi
start program run -q -- python3 -c '
import socket, time
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen()
c = socket.create_connection(s.getsockname())
time.sleep(20)'
sleep 1
if kill -0 "$started" 2> /dev/null; then
    check "ss and stat of a program under oriel run" run_asked
    stop "$started"
else
    skip "ss and stat of a program under oriel run" "it cannot be run here: $(cat "$tmp/program.err")"
fi
tap_end

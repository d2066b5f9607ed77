#!/bin/sh
# oriel run: exit statuses, the table of socket semantics beside the kernel's own, programs of every kind,
# both directions, and that nothing gets past it. Everything runs as an ordinary user.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
build=$(dirname "$ORIEL")
chmod 755 "$tmp"
user=
if [ "$(id -u)" = 0 ]; then
    user="setpriv --reuid nobody --regid nogroup --clear-groups"
    chown nobody "$tmp"
fi
cp "$ORIEL" "$build/run/semantics" "$build/run/raw" "$tmp/"
python=$(PATH=/usr/bin:/bin command -v python3 || command -v python3)
servers=
trap 'kill $servers 2> /dev/null; rm -rf "$tmp"' EXIT

# under ARGUMENT...: `oriel run`, as the ordinary user; output and status as oriel() has them
under()
{
    status=0
    # shellcheck disable=SC2086    # $user is several words
    $user timeout 60 "$tmp/oriel" run "$@" > "$tmp/out" 2> "$tmp/err" < /dev/null || status=$?
}

# ends STATUS ARGUMENT...
ends()
{
    wanted=$1
    shift
    under "$@"
    [ "$status" -eq "$wanted" ] && return
    echo "exit status $status, expected $wanted"
    cat "$tmp/out" "$tmp/err"
    return 1
}

gives()     # gives TEXT ARGUMENT...: ends well, and says so
{
    text=$1
    shift
    ends 0 "$@" && says "$tmp/out" "$text"
}

free_port()
{
    "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

wait_for()  # wait_for ADDRESS PORT: something listens there
{
    "$python" - "$1" "$2" << 'END'
import socket, sys, time
for _ in range(200):
    try:
        s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 1)
        s.settimeout(0.2)
        s.recv(1)               # a published port is open before anybody listens behind it
    except socket.timeout:
        sys.exit(0)
    except OSError:
        pass
    time.sleep(0.05)
sys.exit(1)
END
}

# ---- starting and ending ----

check "the program's status is ours" ends 7 -- sh -c 'exit 7'
check "a signal's number is added to 128" ends 137 -- sh -c 'kill -9 $$'
check "a program that is not there" ends 127 -- /nowhere/at/all
check "what cannot be executed" ends 126 -- /etc/passwd
check "one within another is refused" ends 126 -- "$tmp/oriel" run -- true
check "and says why" says "$tmp/err" "start it outside of that"
check "options after the program are its own" gives "-w x" -- echo -w x
under -- sh -c 'kill -TERM "$(sed -n "s/PPid:[[:space:]]*//p" /proc/$PPID/status)"; sleep 5'
check "a signal for Oriel is the program's" [ "$status" -eq 143 ]
check "a port that makes no sense" ends 2 --publish 8080:x -- true
check "what a program leaves behind is waited for" gives late -- sh -c '(sleep 0.2; echo late) & exit 0'


mkdir -m 0 "$tmp/closed"
closed_path()
{
    PATH=$tmp/closed:$PATH ends 127 -- no-such-program-at-all
}
check "a folder of PATH that may not be searched hides no program that is nowhere" closed_path
left_behind()       # what it left behind is in a session of its own, where no signal of the terminal comes
{
    # shellcheck disable=SC2086
    $user "$tmp/oriel" run -q -- sh -c 'setsid sleep 61 & exit 3' &
    ours=$!
    sleep 0.5
    kill -TERM $ours
    wait $ours
    [ $? -eq 3 ] || return 1
    ! pgrep -f -x 'sleep 61'
}
check "once the program has ended a signal ends what it left behind" left_behind
ignores_pipe()
{
    (trap '' PIPE; ends 0 -- grep SigIgn /proc/self/status) && grep -q '1...$' "$tmp/out"
}
check "a signal that was ignored is ignored by the program" ignores_pipe
check "and one that was not is not" sh -c "! env --default-signal=PIPE $user $tmp/oriel run -- grep SigIgn /proc/self/status | grep -q '1...$'"
fewer_files()
{
    (ulimit -Sn 500 && gives 500 -- sh -c 'ulimit -Sn')
}
check "the program's limit of descriptors is the one that we were given" fewer_files

# ---- semantics ----

semantics()
{
    # shellcheck disable=SC2086
    $user "$tmp/semantics" > "$tmp/native"
    ends 0 -q -- "$tmp/semantics" || return 1
    "$python" "$here/../run/compare.py" "$tmp/native" "$tmp/out" "$here/../run/differences.txt"
}
check "sockets behave as the kernel's, but for what is stated" semantics

# ---- programs of every kind, to a server on the host's loopback ----

mkdir "$tmp/www"
"$python" -c 'import os; os.write(1, b"served by the host\n" * 100000)' > "$tmp/www/large"
echo "served by the host" > "$tmp/www/index.html"
port=$(free_port)
(cd "$tmp/www" && exec "$python" -m http.server --bind 127.0.0.1 "$port") > /dev/null 2>&1 &
servers="$servers $!"
(cd "$tmp/www" && exec "$python" -m http.server --bind ::1 "$port") > /dev/null 2>&1 &
servers="$servers $!"
wait_for 127.0.0.1 "$port"
wait_for ::1 "$port"
url=http://127.0.0.1:$port

fetches()   # fetches URL: curl under Oriel gets what the file has
{
    ends 0 -- curl -s "$1" && cmp "$tmp/out" "$tmp/www/large"
}
if have curl; then
    check "curl" fetches "$url/large"
    check "curl over IPv6" fetches "http://[::1]:$port/large"
    check "curl by the gateway's address" fetches "http://10.0.2.2:$port/large"
    check "a refusal is the host's" ends 7 -- curl -s "http://127.0.0.1:$(free_port)/"
else
    skip "curl" "it is not installed"
fi
check "a static program by bare system calls" gives "served by the host" -- "$tmp/raw" "$port"
check "the same with no environment" gives "served by the host" -- env -i "$tmp/raw" "$port"
check "the same behind several execs" gives "served by the host" -- \
    sh -c "exec env -i sh -c 'exec $tmp/raw $port'"
check "io_uring is not there" ends 0 -- "$tmp/raw" uring
if have busybox && ! ldd "$(command -v busybox)" > /dev/null 2>&1; then
    check "static busybox" gives "served by the host" -- busybox wget -q -O - "$url/"
else
    skip "static busybox" "it is not installed, or not static"
fi

# Nothing gets past: the host's loopback is closed, so whoever reaches the server used the kernel.
check "nothing gets past" ends 111 --no-host-loopback -- "$tmp/raw" "$port"
check "nor with no environment" ends 111 --no-host-loopback -- env -i "$tmp/raw" "$port"
check "nor behind several execs" ends 111 --no-host-loopback -- \
    sh -c "exec env -i sh -c 'exec $tmp/raw $port'"
if [ -n "$user" ]; then
    cp "$tmp/raw" "$tmp/setuid"
    chown root "$tmp/setuid"
    chmod 4755 "$tmp/setuid"
    check "a set-uid program runs without its privilege" gives "served by the host" -- "$tmp/setuid" "$port"
    check "nor does a set-uid program" ends 111 --no-host-loopback -- "$tmp/setuid" "$port"
    chmod 4711 "$tmp/setuid"
    check "a program that may not be looked into is refused" ends 13 -- "$tmp/setuid" "$port"
    check "aloud" says "$tmp/err" "lets nobody look into"
else
    skip "set-uid programs" "only root can make one"
fi

# ---- servers ----

outside=$(free_port)
# shellcheck disable=SC2086
(cd "$tmp/www" && exec $user "$tmp/oriel" run --publish "127.0.0.1:$outside:8000" -- \
    "$python" -m http.server --bind 127.0.0.1 8000) > "$tmp/server.out" 2>&1 &
server=$!
servers="$servers $server"
published()
{
    wait_for 127.0.0.1 "$outside" || { cat "$tmp/server.out"; return 1; }
    "$python" -c "
import sys, urllib.request
sys.stdout.buffer.write(urllib.request.urlopen('http://127.0.0.1:$outside/large').read())" > "$tmp/got"
    cmp "$tmp/got" "$tmp/www/large"
}
check "a published server is reached from the host" published
kill -TERM $server
wait $server
check "it ends by the signal" [ $? -eq 143 ]
check "what is not published is said once" sh -c "timeout 60 $user $tmp/oriel run -- $python -c '
import socket
a = socket.socket(); a.bind((\"\", 4000)); a.listen()
b = socket.socket(); b.bind((\"\", 4001)); b.listen()' 2>&1 | grep -c 'publish 400' | grep -qx 1"

# ---- pings ----

check "ping sockets hear the answers to their own requests only, and send nothing else" ends 0 -- "$python" -c "
import socket
ours = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) for _ in range(2)]
to = ('127.0.0.1', 0)
for i, s in enumerate(ours):
    assert s.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL) == socket.IPPROTO_ICMP
    s.settimeout(5)
    s.sendto(b'\\x08\\0\\0\\0\\xff\\xff\\0' + bytes([i]) + b'data', to)
for i, s in enumerate(ours):
    got, who = s.recvfrom(100)
    assert who == to and got[0] == 0 and got[7:] == bytes([i]) + b'data', (got, who)
    assert got[4:6] == s.getsockname()[1].to_bytes(2, 'big'), got
    s.setblocking(False)
    try:
        assert not s.recv(100)
    except BlockingIOError:
        pass
for wrong in b'\\x03' + bytes(7), b'\\x08\\1' + bytes(6), b'\\x08':
    try:
        assert not s.sendto(wrong, to)
    except OSError as e:
        assert e.errno == 22, e
s.connect(to)
s.send(b'\\x08' + bytes(7))
s.setblocking(True)
assert len(s.recv(100)) == 8
"

# ---- seeing ----

under --impair 'loss 2%, delay 5ms' --seed 3 -w "$tmp/run.pcapng" --vantage both -- "$python" -c "
import urllib.request
print(len(urllib.request.urlopen('$url/large').read()))"
check "through loss and delay" [ "$status" -eq 0 ]
check "everything arrives" says "$tmp/out" 1900000
check "the summary counts connections" says "$tmp/err" "1 connection"
# Every line of what was sent again has a draw, and a capture has that draw at a frame that was lost.
named()
{
    sed -n 's/.* by draw //p' "$tmp/err" | sort -u > "$tmp/named"
    for end in app gateway; do
        tshark -r "$tmp/run.$end.pcapng" -T fields -e frame.comment 2> /dev/null
    done | sed -n 's/.*fate=lost.* draw=\([0-9]*\).*/\1/p' |
        sort -u > "$tmp/drawn"
    again=$(sed -n 's/ segments\{0,1\} sent again:.*//p' "$tmp/err" | awk '{ n += $1 } END { print n + 0 }')
    others=$(sed -n 's/ of them were lost elsewhere.*//p' "$tmp/err" | awk '{ print $1 + 0 }')
    [ -s "$tmp/named" ] && [ "$(grep -c ' by draw ' "$tmp/err")" -eq $((again - ${others:-0})) ] &&
        [ -z "$(comm -23 "$tmp/named" "$tmp/drawn")" ] && return
    cat "$tmp/err" "$tmp/drawn"
    return 1
}
check "the summary names what was sent again, and the draws that lost it" named
check "the capture has the connection" sh -c "tshark -r $tmp/run.app.pcapng -Y 'tcp.flags.syn == 1' 2> /dev/null | grep -c . | grep -qx 2"

tap_end

#!/bin/sh
# Killing: `oriel run`, its guard or the program, at random moments while connections are busy. Nothing is left.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
rounds=${ROUNDS:-12}
chmod 755 "$tmp"
user=
if [ "$(id -u)" = 0 ]; then
    user="setpriv --reuid nobody --regid nogroup --clear-groups"
fi
cp "$ORIEL" "$tmp/oriel"
python=$(PATH=/usr/bin:/bin command -v python3 || command -v python3)

# A server, two children that talk to it, and one that has left its parent.
cat > "$tmp/busy.py" << 'END'
import os, socket, time
l = socket.socket()
l.bind(("127.0.0.1", 0))
l.listen()
for i in range(2):
    if os.fork() == 0:
        l2, s = l.getsockname(), socket.socket()
        s.connect(l2)
        while True:
            s.sendall(b"x" * 10000)
if os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
        time.sleep(60)
    os._exit(0)
a, b = l.accept()[0], l.accept()[0]
print("busy", flush=True)
while True:
    a.recv(65536)
    b.recv(65536)
END

gone()      # gone: within five seconds nobody is left that has our folder on its command line
{
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
        pgrep -f "$tmp/(oriel|busy)" > "$tmp/left" || return 0
        sleep 0.2
    done
    ps -o pid,ppid,stat,args -p "$(tr '\n' ',' < "$tmp/left" | sed 's/,$//')"
    # shellcheck disable=SC2046
    kill -KILL $(cat "$tmp/left")
    return 1
}

child_of()
{
    cat "/proc/$1/task/$1/children"
}

# killed WHOM SECONDS: start, wait until it is busy and then SECONDS more, kill, look
killed()
{
    : > "$tmp/said"
    # shellcheck disable=SC2086
    $user "$tmp/oriel" run -q -- "$python" "$tmp/busy.py" > "$tmp/said" 2>&1 &
    us=$!
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
        grep -q busy "$tmp/said" && break
        sleep 0.1
    done
    guard=$(child_of $us | tr -d ' ')
    program=$(child_of "$guard" | cut -d' ' -f1)
    sleep "$2"
    case $1 in
    oriel) kill -KILL $us ;;
    guard) kill -KILL "$guard" ;;
    program) kill -KILL "$program" ;;
    esac
    # Once the program alone has gone, those that it left go on, as they would without us.
    [ "$1" != program ] || { sleep 0.1; kill -TERM $us 2> /dev/null; kill -KILL $us 2> /dev/null; }
    wait $us 2> /dev/null
    gone
}

i=0
while [ $i -lt "$rounds" ]; do
    when=$(awk -v s="$i$$" 'BEGIN { srand(s); printf "%.3f", rand() / 4 }')
    case $((i % 3)) in
    0) whom=oriel ;;
    1) whom=guard ;;
    2) whom=program ;;
    esac
    check "$whom killed after $when s: nobody is left" killed $whom "$when"
    i=$((i + 1))
done
tap_end

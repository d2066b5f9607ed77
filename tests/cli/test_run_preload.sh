#!/bin/sh
# oriel run --mode=preload: exit statuses, the table of socket semantics, what starts past the shim and is
# refused aloud; and what `oriel doctor` says beforehand. Everything runs as an ordinary user.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
build=$(dirname "$ORIEL")
chmod 755 "$tmp"
user=
if [ "$(id -u)" = 0 ]; then
    user="setpriv --reuid nobody --regid nogroup --clear-groups"
    chown nobody "$tmp"
fi
shim=liboriel-preload.so
cp "$ORIEL" "$build/$shim" "$build/run/semantics" "$build/run/raw" "$tmp/"
python=$(PATH=/usr/bin:/bin command -v python3 || command -v python3)
servers=
trap 'kill $servers 2> /dev/null; rm -rf "$tmp"' EXIT

as_user()   # as_user COMMAND...: output and status as oriel() has them
{
    status=0
    # shellcheck disable=SC2086    # $user is several words
    $user timeout 60 "$@" > "$tmp/out" 2> "$tmp/err" < /dev/null || status=$?
}

ended()     # ended STATUS
{
    [ "$status" -eq "$1" ] && return
    echo "exit status $status, expected $1"
    cat "$tmp/out" "$tmp/err"
    return 1
}

ends()      # ends STATUS ARGUMENT...
{
    wanted=$1
    shift
    as_user "$tmp/oriel" run --mode=preload "$@"
    ended "$wanted"
}

gives()     # gives TEXT ARGUMENT...: ends well, and says so
{
    text=$1
    shift
    ends 0 "$@" && says "$tmp/out" "$text"
}

refuses()   # refuses TEXT ARGUMENT...: 126, and a sentence
{
    text=$1
    shift
    ends 126 "$@" && says "$tmp/err" "$text"
}

# ---- starting and ending ----

check "the program's status is ours" ends 7 -- sh -c 'exit 7'
check "a signal's number is added to 128" ends 137 -- sh -c 'kill -9 $$'
check "a program that is not there" ends 127 -- /nowhere/at/all
check "what cannot be executed" ends 126 -- /etc/passwd
check "one within another is refused" refuses "start it outside of that" -- "$tmp/oriel" run -- true

# ---- semantics ----

# shellcheck disable=SC2086
$user "$tmp/semantics" > "$tmp/native"
compared()  # compared FILE...: what differs is stated, there or in those files
{
    ended 0 &&
        "$python" "$here/../run/compare.py" "$tmp/native" "$tmp/out" "$here/../run/differences.txt" "$@"
}
semantics() { ends 0 -q -- "$tmp/semantics" && compared; }
check "sockets behave as the kernel's, but for what is stated" semantics

# ---- where the kernel lacks what the other modes need ----

cp "$data/old_kernel.py" "$tmp/"
on_old() { as_user "$python" "$tmp/old_kernel.py" "$tmp/oriel" "$@"; }
old_doctor()
{
    on_old doctor curl
    ended 1 && grep -q 'notify *no: .*no seccomp user notification' "$tmp/out" &&
        grep -q 'preload *works' "$tmp/out"
}
old_notify()
{
    on_old run -- true
    ended 126 && says "$tmp/err" "--mode=preload needs none"
}
# It waits for what does not come there: meanwhile the others are tried.
# shellcheck disable=SC2086
$user timeout 60 "$python" "$tmp/old_kernel.py" "$tmp/oriel" run -q --mode=preload -- "$tmp/semantics" \
    > "$tmp/old" 2>&1 &
old=$!
servers="$servers $old"
check "doctor says what works there" old_doctor
check "the default mode names the one that does" old_notify

# ---- programs, to a server on the host's loopback ----

mkdir "$tmp/www"
echo "served by the host" > "$tmp/www/index.html"
cat > "$tmp/serve.py" << 'END'
import http.server, sys
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_): pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
print(s.server_address[1], flush=True)
s.serve_forever()
END
(cd "$tmp/www" && exec "$python" "$tmp/serve.py") > "$tmp/port" 2> /dev/null &
servers="$servers $!"
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -s "$tmp/port" ] && break
    sleep 0.2
done
port=$(cat "$tmp/port")
url=http://127.0.0.1:$port/
served="served by the host"

# A client in Python, after what $1 does first; it prints what it fetched.
client()
{
    printf '%s\n' "import ctypes, os, signal, socket, subprocess, sys, threading" \
        "to = ('127.0.0.1', $port)" \
        "def fetch(s):" \
        "    s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')" \
        "    print(s.makefile().read())" "$1"
}
py() { gives "$served" -- "$python" -c "$(client "$1")"; }

check "curl" gives "$served" -- curl -s "$url"
check "a name that libc looks up by itself" gives "$served" -- curl -s "http://localhost:$port/"
check "curl with no environment" gives "$served" -- env -i /usr/bin/curl -s "$url"
check "the same behind several execs" gives "$served" -- \
    sh -c "exec env -i sh -c 'exec /usr/bin/curl -s $url'"
check "a child with no environment" py "
print(subprocess.run(['/usr/bin/curl', '-s', '$url'], env={}, stdout=subprocess.PIPE).stdout.decode())"
check "a child of posix_spawn with no environment" py "
os.waitpid(os.posix_spawn('/usr/bin/curl', ['curl', '-s', '$url'], {}), 0)"
check "a child of system() after the environment was cleared" py "
ctypes.CDLL(None).clearenv()
ctypes.CDLL(None).system(b'/usr/bin/curl -s $url')"
check "a bare system call" py "
number = {'x86_64': 41, 'aarch64': 198}[os.uname().machine]
s = socket.socket(fileno=ctypes.CDLL(None).syscall(number, socket.AF_INET, socket.SOCK_STREAM, 0))
s.connect(to)
fetch(s)"
check "all signals blocked, and SIGSYS as it was at first" py "
libc = ctypes.CDLL(None)
libc.signal(signal.SIGSYS, 0)
libc.sigfillset(every := ctypes.create_string_buffer(128))
libc.pthread_sigmask(signal.SIG_BLOCK, every, None)
fetch(socket.create_connection(to))"
check "threads" py "
def one():
    fetch(socket.create_connection(to))
t = [threading.Thread(target=one) for _ in range(20)]
[x.start() for x in t]
[x.join() for x in t]"
check "a descriptor that was passed on" py "
a, b = socket.socketpair()
if os.fork() == 0:
    s = socket.socket(fileno=socket.recv_fds(b, 1, 1)[1][0])
    assert s.getpeername() == to
    fetch(s)
    sys.stdout.flush()
    os._exit(0)
s = socket.create_connection(to)
socket.send_fds(a, [b'x'], [s.fileno()])
assert os.wait()[1] == 0"
check "new descriptors have the lowest number" py "
os.close(0)
assert socket.socket().detach() == 0
fetch(socket.create_connection(to))"
check "a signal ends a call that waits" gives interrupted -- "$python" -c "
import signal, socket
def stop(*_): raise InterruptedError
signal.signal(signal.SIGALRM, stop)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('127.0.0.1', 0))
signal.setitimer(signal.ITIMER_REAL, 0.2)
try: s.recvfrom(10)
except InterruptedError: print('interrupted')
s.sendto(b'x', s.getsockname())
assert s.recvfrom(10) == (b'x', s.getsockname())"
# Each thread's call is parked, with two descriptors of Oriel's: some are told that there are no more.
cat > "$tmp/many.py" << 'END'
import errno, socket, threading
told = threading.Semaphore(0)
def one():
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", 0))
            s.recvfrom(10)
    except OSError as e:
        if e.errno in (errno.ENFILE, errno.EMFILE):
            told.release()
for _ in range(25):
    threading.Thread(target=one, daemon=True).start()
told.acquire()
told.acquire()
print("told")
END
few()
{
    as_user sh -c "ulimit -n 64; exec '$tmp/oriel' run --mode=preload -- '$python' '$tmp/many.py'"
    ended 0 && says "$tmp/out" told
}
check "where Oriel has no descriptor left, a call says so" few
check "io_uring is not there" gives "-1 38" -- "$python" -c "
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall(425, 1, None), ctypes.get_errno())"

# What only a broken shim could ask: closed or refused, and whoever asks well is served after it.
cat > "$tmp/broken.py" << 'END'
import array, os, random, socket, struct, sys
name, magic, r = "\0oriel-preload-" + os.environ["ORIEL_PRELOAD"], 0x6f72696c, random.Random(int(sys.argv[1]))
out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
def ask(data, *fds):
    line, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    line.settimeout(10)
    with line:
        with far:
            rights = array.array("i", [far.fileno(), *fds])
            out.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)], 0, name)
        return line.recv(1 << 17)
def head(nr, args, pieces, n=None):
    flat = [x for p in (pieces + [(0, 0)] * 6)[:6] for x in p]
    return struct.pack("<Ii6QQ12Q", magic, nr, *args, len(pieces) if n is None else n, *flat)
def number():
    return r.choice([0, 1, 2, 6, 16, r.getrandbits(8), r.getrandbits(32), r.getrandbits(64), (1 << 64) - 1])
out.sendto(head(42, [0] * 6, []), name)         # no line
assert ask(head(42, [0] * 6, []), 1, 1, 1) != b""
assert ask(b"x" * 100000) == b""
assert ask(head(42, [0] * 6, [])) != b""        # no descriptor
assert ask(head(42, [0] * 6, [], 7)) == b""
assert ask(head(42, [0] * 6, [(0, (1 << 64) - 1), (0, 1)])) == b""
assert ask(head(9999, [0] * 6, []), 1) != b""
assert ask(head(-1, [0] * 6, [(0, 3)]) + b"abc", 1) != b""
for i in range(300):
    assert ask(bytes(r.getrandbits(8) for _ in range(r.randrange(1, 400)))) == b""
for i in range(2000):
    s = socket.socket(r.choice([socket.AF_INET, socket.AF_INET6]),
                      r.choice([socket.SOCK_STREAM, socket.SOCK_DGRAM]))
    s.setblocking(False)
    data = bytes(r.choice([0, 2, 10, r.getrandbits(8)]) for _ in range(r.randrange(0, 80)))
    at = r.choice([0, 4096])
    pieces = [(at, len(data))] if data else []
    args = [s.fileno()] + [r.choice([at, number()]) for _ in range(5)]
    ask(head(r.choice([41, 42, 45, 46, 47, 49, 51, 52, 54, 55, 299, 307]), args, pieces) + data, s.fileno())
    s.close()
import urllib.request
print(urllib.request.urlopen(sys.argv[2]).read().decode())
END
check "what makes no sense does no harm" gives "$served" -- "$python" "$tmp/broken.py" 1 "$url"
if [ -n "$user" ]; then
    cp "$(command -v curl)" "$tmp/setuid"
    chmod 4755 "$tmp/setuid"
    check "a set-uid program runs without its privilege" gives "$served" -- "$tmp/setuid" -s "$url"
    chmod 4711 "$tmp/setuid"
    check "one that may not be read is served as well" gives "$served" -- "$tmp/setuid" -s "$url"
else
    skip "set-uid programs" "only root can make one"
fi
check "as root, one that has become somebody else" sh -c "[ -z '$user' ] || timeout 60 '$tmp/oriel' run \
    --mode=preload -- $user curl -s '$url' | grep -qx '$served'"

# ---- what the shim does not get into ----

check "a static program" refuses "is static" -- "$tmp/raw" "$port"
check "with no environment" refuses "is static" -- env -i "$tmp/raw" "$port"
check "behind several execs" refuses "is static" -- sh -c "exec env -i sh -c 'exec $tmp/raw $port'"
check "as a child: its parent sees the signal" gives 159 -- sh -c "$tmp/raw $port; echo \$?"
check "and it is said" says "$tmp/err" "is static"
check "where no exec of libc's was used" refuses "(SIGSYS)" -- "$python" -c "
import ctypes, os
number = {'x86_64': 59, 'aarch64': 221}[os.uname().machine]
argv = (ctypes.c_char_p * 4)(b'curl', b'-s', b'$url', None)
ctypes.CDLL(None).syscall(number, b'/usr/bin/curl', argv, (ctypes.c_char_p * 1)(None))"
cat > "$tmp/go.c" << 'END'
__asm__(".pushsection .note.go.buildid,\"a\",%note\n"
        ".long 4,4,4\n.ascii \"Go\\0\\0\"\n.long 0\n.popsection");
int main(void) { return 0; }
END
gcc -o "$tmp/go" "$tmp/go.c"
check "a Go program" refuses "is a Go program" -- "$tmp/go"
printf '#!%s %s\n' "$tmp/raw" "$port" > "$tmp/script"
chmod 755 "$tmp/script"
check "a script of a static program" refuses "$tmp/raw is static" -- "$tmp/script"
check "nothing gets past" ends 7 --no-host-loopback -- curl -s "$url"

# ---- servers ----

outside=$("$python" -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
# shellcheck disable=SC2086
(cd "$tmp/www" && exec $user "$tmp/oriel" run --mode=preload --publish "127.0.0.1:$outside:8000" -- \
    "$python" -m http.server --bind 127.0.0.1 8000) > "$tmp/server.out" 2>&1 &
server=$!
servers="$servers $server"
published()
{
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        curl -s --max-time 5 "http://127.0.0.1:$outside/" > "$tmp/got" && break
        sleep 0.3
    done
    cmp "$tmp/got" "$tmp/www/index.html" && return
    cat "$tmp/server.out"
    return 1
}
check "a published server is reached from the host" published
kill -TERM $server
wait $server
check "it ends by the signal" [ $? -eq 143 ]

# ---- where the shim is ----

mkdir -p "$tmp/inst/bin" "$tmp/inst/lib" "$tmp/alone" "$tmp/other" "$tmp/a b"
cp "$ORIEL" "$tmp/inst/bin/"
cp "$build/$shim" "$tmp/inst/lib/"
cp "$ORIEL" "$tmp/alone/"
cp "$ORIEL" "$build/$shim" "$tmp/a b/"
installed()
{
    as_user "$tmp/inst/bin/oriel" run --mode=preload -- curl -s "$url"
    ended 0 && says "$tmp/out" "$served"
}
check "it is found as it is installed" installed
missing()
{
    as_user "$tmp/$1/oriel" run --mode=preload -- true
    ended 125 && says "$tmp/err" "$2"
}
check "it is missing: 125" missing alone "neither beside this program nor in ../lib"
cp "$ORIEL" "$tmp/other/"
sed 's/oriel-preload-wire-/oriel-preload-wire+/' "$build/$shim" > "$tmp/other/$shim"
check "it is of another build: 125" missing other "$shim is of another build than this program"
foreseen()
{
    as_user "$tmp/other/oriel" doctor true
    says "$tmp/out" "preload  no: $shim is of another build" && says "$tmp/out" "the shim of this program     no: "
}
check "doctor says so beforehand" foreseen
check "a folder that LD_PRELOAD cannot name" missing "a b" "has a blank or a colon"

old_semantics()
{
    wait $old
    status=$?
    cp "$tmp/old" "$tmp/out"
    compared "$here/../run/differences_old.txt"
}
check "on an old kernel sockets behave so too, but for resets" old_semantics

# ---- doctor ----

doctor()    # doctor STATUS ARGUMENT...
{
    wanted=$1
    shift
    as_user "$tmp/oriel" doctor "$@"
    ended "$wanted"
}
dynamic() { doctor 0 curl && grep -q 'notify *works' "$tmp/out" && grep -q 'preload *works' "$tmp/out"; }
static() { doctor 0 "$tmp/raw" && grep -q 'notify *works' "$tmp/out" && says "$tmp/out" "raw is static"; }
uring()
{
    cp "$(command -v curl)" "$tmp/uring" && echo liburing.so.2 >> "$tmp/uring"
    doctor 0 "$tmp/uring" && grep -q 'notify *works; io_uring is answered ENOSYS' "$tmp/out"
}
set_id()
{
    cp "$(command -v curl)" "$tmp/privileged" && chmod 4755 "$tmp/privileged"
    doctor 0 "$tmp/privileged" && grep -q 'preload *works; it runs without the privilege' "$tmp/out"
}
no_tun()
{
    doctor 0 --tun /nowhere/tun "$tmp/raw" && grep -q 'ns *no: /nowhere/tun: No such file' "$tmp/out" &&
        grep -q 'TAP device *no: /nowhere' "$tmp/out" && grep -q 'filters of seccomp *yes' "$tmp/out"
}
json() { doctor 0 --json "$tmp/script" && "$python" -c "
import json
d = json.load(open('$tmp/out'))
assert d['loads'] == '$tmp/raw' and d['kind'] == 'static'
m = {x['mode']: x for x in d['modes']}
assert m['notify']['works'] and not m['preload']['works'] and 'is static' in m['preload']['why_not']"; }
within() # within STATUS ARGUMENT...: where another listener is there already, notify does not work
{
    wanted=$1
    shift
    as_user "$tmp/oriel" run -q -- "$tmp/oriel" doctor "$@"
    ended "$wanted" && says "$tmp/out" "start it outside of that"
}
check "doctor: a dynamic program" dynamic
check "doctor: a static one" static
check "doctor: a program that would use io_uring" uring
check "doctor: a set-uid program" set_id
check "doctor: no device file" no_tun
check "doctor: as JSON" json
check "doctor: there is no such program" doctor 127 /nowhere/at/all
check "doctor: 1 when only another mode works" within 1 curl
check "doctor: 126 when none does" within 126 --tun /nowhere/tun "$tmp/raw"

tap_end

#!/bin/sh
# Real programs under `oriel run` in each mode, as an ordinary user: as clients of the host, as servers for it, or
# both ends inside. A cell of the table is a transfer that is compared, the program's own success, or why it is refused.
# The table is that of docs/run.md. A mode is a word in `modes`; a program is a row below and a function a role.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
modes="notify preload ns"
lanes=4                     # cells that are tried side by side

# program, role, what must be there, what is checked
table()
{
    sed 's/^ *//' << 'END'
    curl        client  curl             3 MB over HTTP
    wget        client  wget             3 MB over HTTP
    busybox     client  busybox          static; 3 MB over HTTP
    busybox     server  busybox          static; the same from its httpd
    go          client  go               static, without libc; 3 MB over TCP
    go          server  go               the same, three times
    python      client  -                urllib, 3 MB over HTTP
    python      server  -                http.server, 3 MB
    asyncio     client  -                50 requests at once
    asyncio     server  -                3 MB over TCP
    asyncio     both    -                300 connections at once
    node        client  node             3 MB over HTTP
    node        server  node             3 MB over HTTP
    node        both    node             3 MB over HTTP
    nginx       client  nginx            a proxy for the host's server, 3 MB
    nginx       server  nginx            two workers, 3 MB; wrk with 256 connections, no error
    wrk         client  wrk              32 connections to the host's server, no error
    redis       client  redis-benchmark  GET and SET, plain and 16 in a pipeline
    redis       server  redis-benchmark  the same
    postgresql  client  pgbench          4 clients, 200 transactions
    postgresql  server  pgbench          tables filled, then the same
    postgresql  both    pgbench          8 clients, 800 transactions
    iperf3      client  iperf3           TCP both ways, and UDP
    iperf3      server  iperf3           TCP both ways
    socat       client  socat            3 MB over TCP
    socat       server  socat            3 MB over TCP
    openssh     client  sshd             sftp, 3 MB there and back
    openssh     server  sshd             the same
    dig         client  dig              a name over UDP
    dnsmasq     client  dnsmasq          a forwarder for the host's name server
    dnsmasq     server  dnsmasq          a name over UDP and TCP
    ping        client  ping             3 echo requests of each family
END
}

# ---- the ordinary user, and what all cells share ----

chmod 755 "$tmp"
user='' tun=/dev/net/tun
if [ "$(id -u)" = 0 ]; then     # "nobody" may not log in, and ssh looks at that
    user="setpriv --reuid www-data --regid www-data --clear-groups"
    tun=$tmp/tun
    mknod "$tun" c 10 200 2> /dev/null && chmod 666 "$tun"
fi
PATH=$PATH:/usr/sbin:/sbin
pg=$(find /usr/lib/postgresql -name pgbench -path '*/bin/*' 2> /dev/null | head -n 1)
PATH=${pg%/pgbench}:$PATH   # before the wrappers of Debian, which want a cluster of the system
python=$(PATH=/usr/bin:/bin command -v python3 || command -v python3)
cp "$ORIEL" "$(dirname "$ORIEL")/liboriel-preload.so" "$tmp/"
cp "$here/../run/peers.py" "$here/../run/peers.js" "$here/../run/names.py" "$tmp/"
mkdir "$tmp/www" "$tmp/cells"
mkdir -m 777 "$tmp/var"
"$python" -c 'import os; os.write(1, bytes(i * i % 251 for i in range(3000000)))' > "$tmp/www/large"
echo small > "$tmp/www/small"
large=$tmp/www/large
servers=
trap 'kill $servers 2> /dev/null; wait; rm -rf "$tmp"' EXIT

as_user()   # as_user COMMAND...: instead of this shell
{
    # shellcheck disable=SC2086    # $user is several words
    HOME=$tmp/var TMPDIR=$tmp/var exec $user timeout 300 "$@" < /dev/null
}

# ports N: numbers that are free now
ports()
{
    "$python" -c "
import socket
all = [socket.socket() for _ in range($1)]
for s in all:
    s.bind(('127.0.0.1', 0))
    print(s.getsockname()[1])"
}

# wait_for PORT: somebody listens there, who says something first or waits for us to do so
wait_for()
{
    "$python" - "$1" << 'END'
import socket, sys, time
for _ in range(200):
    try:
        with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1) as s:
            s.settimeout(0.2)
            if s.recv(1):       # a published port is open before anybody listens behind it
                sys.exit(0)
    except socket.timeout:
        sys.exit(0)
    except OSError:
        pass
    time.sleep(0.05)
sys.exit("nobody answers")
END
}

# What a cell's functions say: `run ARG...` for a program of ours, `inside PORT COMMAND...` for a server of ours, which
# the host reaches at $port; $work is a directory of the cell's own.
ours()      # ours ARG...: instead of this shell
{
    tun_flag=
    [ "$mode" != ns ] || tun_flag="--tun $tun"
    # shellcheck disable=SC2086
    cd "$work" && as_user "$tmp/oriel" run -q --mode="$mode" $tun_flag "$@"
}

run() { (ours "$@"); }

inside()
{
    inner=$1
    shift
    ours -p "127.0.0.1:$port:$inner" -p "127.0.0.1:$port:$inner/udp" -- "$@" > "$work/served" 2>&1 &
    server=$!
    wait_for "$port"
}

is_large()  # is_large COMMAND...: prints the large file
{
    "$@" > "$work/got" && cmp "$work/got" "$large"
}

# ---- servers of the host, for all cells ----

host=10.0.2.2               # where they are found in every mode
ports 7 > "$tmp/ports"
{ read -r web; read -r names; read -r redis; read -r pgport; read -r iperf; read -r plain; read -r ssh; } < "$tmp/ports"
url=http://$host:$web

serve()     # serve COMMAND...: in the background, until the end
{
    (cd "$tmp/www" && as_user "$@") > "$tmp/served" 2>&1 &
    servers="$servers $!"
}

nginx_conf()    # nginx_conf DIRECTORY PORT
{
    cat > "$1/nginx.conf" << END
daemon off; error_log stderr; pid $1/pid; worker_processes 2;
events { worker_connections 1024; }
http { access_log off; sendfile on; client_body_temp_path $1/a; proxy_temp_path $1/b;
fastcgi_temp_path $1/c; uwsgi_temp_path $1/d; scgi_temp_path $1/e;
server { listen $2; root $tmp/www; location /far/ { proxy_pass $url/; } } }
END
}

sshd_conf()     # sshd_conf DIRECTORY PORT
{
    cat > "$1/sshd" << END
Port $2
HostKey $tmp/var/host
AuthorizedKeysFile $tmp/var/me.pub
UsePAM no
StrictModes no
PidFile none
Subsystem sftp internal-sftp
END
}

keys()
{
    for key in host me; do
        (as_user ssh-keygen -q -t ed25519 -N '' -f "$tmp/var/$key") || return 1
    done
    sshd_conf "$tmp/var" "$ssh"
}

# A database that every server begins with, and the host's.
database()
{
    (as_user initdb -D "$tmp/var/fresh" -A trust -U me -N) > "$tmp/var/initdb" 2>&1 || return 1
    echo "host all all all trust" >> "$tmp/var/fresh/pg_hba.conf"
    (as_user cp -r "$tmp/var/fresh" "$tmp/var/db") || return 1
    serve postgres -D "$tmp/var/db" -F -h 127.0.0.1 -p "$pgport" -k ""
    wait_for "$pgport" && (as_user pgbench -h 127.0.0.1 -p "$pgport" -U me -i -q postgres) > /dev/null 2>&1
}

nginx_conf "$tmp/var" "127.0.0.1:$web"
if have nginx; then
    serve nginx -c "$tmp/var/nginx.conf"
else
    serve "$python" -m http.server --bind 127.0.0.1 "$web"
fi
serve "$python" "$tmp/names.py" "$names"
have redis-server && serve redis-server --port "$redis" --bind 127.0.0.1 --save "" --dir "$tmp/var"
have iperf3 && serve iperf3 -s -B 127.0.0.1 -p "$iperf"
have socat && serve socat -U "TCP-LISTEN:$plain,bind=127.0.0.1,fork,reuseaddr" "OPEN:$large"
have sshd && keys && serve "$(command -v sshd)" -D -e -f "$tmp/var/sshd" -o ListenAddress=127.0.0.1
have pgbench && database
have go && GOCACHE=$tmp/go GO111MODULE=off CGO_ENABLED=0 go build -o "$tmp/peer" "$here/../run/peer.go"
wait_for "$web"

# ---- programs ----

client_curl() { is_large run -- curl -s "$url/large"; }
client_wget() { is_large run -- wget -q -O - "$url/large"; }

client_busybox() { is_large run -- busybox wget -q -O - "$url/large"; }
server_busybox()
{
    inside 8000 busybox httpd -f -p 8000 -h "$tmp/www" && is_large curl -s "http://127.0.0.1:$port/large"
}

client_go() { is_large run -- "$tmp/peer" get "$host:$plain"; }
server_go()
{
    inside 8000 "$tmp/peer" serve :8000 "$large" || return 1
    for _ in 1 2 3; do
        is_large "$tmp/peer" get "127.0.0.1:$port" || return 1
    done
}

urllib="import sys, urllib.request
sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1]).read())"
client_python() { is_large run -- "$python" -c "$urllib" "$url/large"; }
server_python()
{
    inside 8000 "$python" -m http.server -d "$tmp/www" 8000 &&
        is_large "$python" -c "$urllib" "http://127.0.0.1:$port/large"
}

client_asyncio() { run -- "$python" "$tmp/peers.py" get "$host" "$web" /small | cmp - "$tmp/www/small"; }
server_asyncio()
{
    inside 8000 "$python" "$tmp/peers.py" serve 8000 "$large" && is_large "$python" -c "import socket, sys
s = socket.create_connection(('127.0.0.1', $port))
while data := s.recv(65536):
    sys.stdout.buffer.write(data)"
}
both_asyncio() { run -- "$python" "$tmp/peers.py" both; }

client_node() { is_large run -- node "$tmp/peers.js" get "$url/large"; }
server_node() { inside 8000 node "$tmp/peers.js" serve 8000 "$large" && is_large curl -s "http://127.0.0.1:$port/"; }
both_node() { is_large run -- node "$tmp/peers.js" both "$large"; }

no_errors()     # no_errors COMMAND...: wrk, and all its requests were answered
{
    "$@" > "$work/got" && cat "$work/got" && grep -q 'requests in' "$work/got" &&
        ! grep -Eq 'Socket errors|Non-2xx' "$work/got"
}
nginx_inside() { nginx_conf "$work" 80 && inside 80 nginx -c "$work/nginx.conf"; }
client_nginx() { nginx_inside && is_large curl -s "http://127.0.0.1:$port/far/large"; }
server_nginx()
{
    nginx_inside && is_large curl -s "http://127.0.0.1:$port/large" || return 1
    ! have wrk || no_errors wrk -t1 -c256 -d1 "http://127.0.0.1:$port/small"
}
client_wrk() { no_errors run -- wrk -t1 -c32 -d1 "$url/small"; }

benchmarks()    # benchmarks ADDRESS PORT PREFIX...: no error, and every figure
{
    to="-h $1 -p $2 -q -t get,set"
    shift 2
    # shellcheck disable=SC2086
    { "$@" redis-benchmark $to -n 4000 && "$@" redis-benchmark $to -P 16 -n 20000; } > "$work/got" 2>&1
    cat "$work/got"
    [ "$(tr '\r' '\n' < "$work/got" | grep -c 'requests per second')" = 4 ] && ! grep -qi error "$work/got"
}
client_redis() { benchmarks "$host" "$redis" run --; }
server_redis()
{
    inside 6379 redis-server --port 6379 --protected-mode no --save "" --dir "$work" &&
        benchmarks 127.0.0.1 "$port"
}

transactions()  # transactions N COMMAND...
{
    wanted="processed: $1/$1"
    shift
    "$@" > "$work/got" 2>&1
    cat "$work/got"
    grep -q "$wanted" "$work/got"
}
bench_pg="pgbench -n -U me -c 4 -t 50 -S"
# shellcheck disable=SC2086
client_postgresql() { transactions 200 run -- $bench_pg -h "$host" -p "$pgport" postgres; }
# shellcheck disable=SC2086
server_postgresql()
{
    (as_user cp -r "$tmp/var/fresh" "$work/db")
    inside 5432 postgres -D "$work/db" -F -h 0.0.0.0 -p 5432 -k "" &&
        pgbench -h 127.0.0.1 -p "$port" -U me -i -q postgres &&
        transactions 200 $bench_pg -h 127.0.0.1 -p "$port" postgres
}
both_postgresql()
{
    cat > "$work/both.sh" << END
set -e
cp -r "$tmp/var/fresh" "$work/db"
postgres -D "$work/db" -F -p 5432 -k "" &
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    pg_isready -q -h 127.0.0.1 -p 5432 && break
    sleep 0.2
done
pgbench -h 127.0.0.1 -U me -i -q postgres
pgbench -h 127.0.0.1 -U me -c 8 -t 100 -S postgres
kill \$!
wait \$!
END
    transactions 800 run -- sh "$work/both.sh"
}

# Its server does one test at a time, and may be busy with the last one still, or with that of another cell; who
# only looked whether it is there counts as one, after which it begins to listen anew and resets who came meanwhile.
iperf()         # iperf COMMAND...
{
    until "$@" > "$work/got" 2>&1; do
        grep -q 'busy\|\(control message\|cookie to server\): Connection reset' "$work/got" ||
            { cat "$work/got"; return 1; }
        sleep 0.2
    done
}
client_iperf3()
{
    for test in "-n 20M" "-n 20M -R" "-u -b 20M -n 500K"; do
        # shellcheck disable=SC2086
        iperf run -- iperf3 -c "$host" -p "$iperf" $test || return 1
    done
}
server_iperf3()
{
    inside 5201 iperf3 -s && iperf iperf3 -c 127.0.0.1 -p "$port" -n 20M &&
        iperf iperf3 -c 127.0.0.1 -p "$port" -R -n 20M
}

client_socat() { is_large run -- socat -u "TCP:$host:$plain" -; }
server_socat()
{
    inside 8000 socat -U TCP-LISTEN:8000,fork,reuseaddr "OPEN:$large" &&
        is_large socat -u "TCP:127.0.0.1:$port" -
}

there_and_back()    # there_and_back HOST PORT PREFIX...
{
    to=$1 at=$2
    shift 2
    printf 'put %s %s\nget %s %s\n' "$large" "$work/there" "$work/there" "$work/back" > "$work/batch"
    # shellcheck disable=SC2086
    "$@" sftp -q -F none -b "$work/batch" -P "$at" -i "$tmp/var/me" -o UserKnownHostsFile=/dev/null \
        -o StrictHostKeyChecking=no "$($user id -un)@$to" && cmp "$work/back" "$large"
}
client_openssh() { there_and_back "$host" "$ssh" run --; }
server_openssh()
{
    sshd_conf "$work" 2222
    inside 2222 "$(command -v sshd)" -D -e -f "$work/sshd" && (there_and_back 127.0.0.1 "$port" $user)
}

is_named()      # is_named COMMAND...: it finds the address
{
    "$@" > "$work/got"
    cat "$work/got"
    grep -qx 192.0.2.7 "$work/got"
}
ask="dig +time=5 +tries=1 +short example.org"
# shellcheck disable=SC2086
client_dig() { is_named run -- $ask "@$host" -p "$names"; }
# It looks for the address of a connection among the host's interfaces, unless it is told on which to listen.
names_inside() { inside 53 dnsmasq -k -C /dev/null -x "" -z -a 10.0.2.15 -p 53 --no-resolv --no-hosts "$@"; }
# shellcheck disable=SC2086
client_dnsmasq() { names_inside -S "$host#$names" && is_named $ask @127.0.0.1 -p "$port"; }
# shellcheck disable=SC2086
server_dnsmasq()
{
    names_inside -A /example.org/192.0.2.7 && is_named $ask @127.0.0.1 -p "$port" &&
        is_named $ask +tcp @127.0.0.1 -p "$port"
}

client_ping()
{
    cp "$(command -v ping)" "$work/ping"        # without what the file may do more than others
    run -- "$work/ping" -n -i 0.1 -c 3 "$host" && run -- "$work/ping" -n -i 0.1 -c 3 fd00::2
}

# ---- the cells ----

# refusal MODE PROGRAM: what a mode that cannot serve the program says when it ends with 126; nothing: it can
refusal()
{
    case $1:$2 in
    preload:busybox) echo "is static" ;;
    preload:go) echo "is a Go program" ;;
    esac
}

succeeds()      # succeeds MODE ROLE PROGRAM
{
    words=$(refusal "$1" "$3")
    if [ -z "$words" ]; then
        "$2_$3"
        return
    fi
    "client_$3" > "$work/said" 2>&1
    [ $? -eq 126 ] && grep "$words" "$work/said"
}

try()       # try MODE ROLE PROGRAM PORT
{
    mode=$1 port=$4 server=
    cell=$tmp/cells/$1.$2.$3
    work=$tmp/var/$1.$2.$3
    mkdir -m 777 "$work"
    if succeeds "$1" "$2" "$3" > "$cell.log" 2>&1; then
        no=$(refusal "$1" "$3")
        echo "${no:+refused: it }${no:-works}" > "$cell"
    elif [ -n "$server" ]; then
        cat "$work/served" >> "$cell.log"
    fi
    [ -z "$server" ] || { kill "$server" && wait "$server"; } 2> /dev/null
}

lane()      # lane K: one in so many cells
{
    i=0
    while read -r m role program port; do
        i=$((i + 1))
        [ $((i % lanes)) -ne "$1" ] || try "$m" "$role" "$program" "$port" < /dev/null
    done < "$tmp/todo"
}

why_not()   # why_not MODE NEEDS: nothing, or why a cell is not tried
{
    if [ "$2" != - ] && ! have "$2"; then
        echo "$2 is not installed"
    elif [ -s "$tmp/cells/$1.no" ]; then
        cat "$tmp/cells/$1.no"
    fi
}

# What cannot be had here is no failure of ours: namespaces in a container, the kernel's tun module.
for mode in $modes; do
    work=$tmp/var status=0
    run -- true > "$tmp/said" 2>&1 || status=$?
    [ $status -ne 126 ] || head -n 1 "$tmp/said" > "$tmp/cells/$mode.no"
done
table > "$tmp/rows"
for mode in $modes; do
    while read -r program role needs _; do
        [ -n "$(why_not "$mode" "$needs")" ] || echo "$mode $role $program"
    done < "$tmp/rows"
done > "$tmp/cells/all"
ports "$(wc -l < "$tmp/cells/all")" | paste -d ' ' "$tmp/cells/all" - > "$tmp/todo"
k=0 pids=''
while [ $k -lt $lanes ]; do
    lane $k &
    pids="$pids $!"
    k=$((k + 1))
done
# shellcheck disable=SC2086
wait $pids

# curl from the host's web server over a bad wire: every line of what was sent again has the draw that lost it.
lossy()
{
    head -c 400000 "$large" > "$tmp/www/part"
    (as_user "$tmp/oriel" run --seed 5 --impair "loss 2%, delay 40ms" -- curl -s "$url/part") > "$tmp/got" 2> "$tmp/err"
    again=$(sed -n 's/ segments\{0,1\} sent again:.*//p' "$tmp/err" | awk '{ n += $1 } END { print n + 0 }')
    others=$(sed -n 's/ of them were lost elsewhere.*//p' "$tmp/err" | awk '{ print $1 + 0 }')
    cat "$tmp/err"
    cmp "$tmp/got" "$tmp/www/part" && [ "$again" -gt "${others:-0}" ] &&
        [ "$(grep -c ' by draw ' "$tmp/err")" -eq $((again - ${others:-0})) ]
}
if have curl && [ ! -s "$tmp/cells/notify.no" ]; then
    check "curl over a wire that loses: what was sent again names its draw" lossy
fi

judge()     # judge CELL
{
    [ -s "$1" ] && return
    cat "$1.log"
    return 1
}
for mode in $modes; do
    while read -r program role needs what; do
        no=$(why_not "$mode" "$needs")
        if [ -n "$no" ]; then
            skip "$mode: $program, $role: $what" "$no"
            echo "not here" > "$tmp/cells/$mode.$role.$program"
        else
            check "$mode: $program, $role: $what" judge "$tmp/cells/$mode.$role.$program"
        fi
    done < "$tmp/rows"
done

{
    echo "| Program | Role | Checked | $(echo "$modes" | sed 's/ / | /g') |"
    echo "|---|---|---|$(echo "$modes" | sed 's/[a-z]* */---|/g')"
    while read -r program role _ what; do
        cells=
        for mode in $modes; do
            cells="$cells | $(cat "$tmp/cells/$mode.$role.$program" 2> /dev/null || echo fails)"
        done
        echo "| $program | $role | $what$cells |"
    done < "$tmp/rows"
} > "$tmp/table"
sed 's/^/# /' "$tmp/table"
if grep -q 'not here' "$tmp/table"; then
    skip "docs/run.md has this table" "not everything is here"
else
    sed -n '/^| Program | Role/,/^$/p' "$here/../../docs/run.md" | sed '/^$/d' > "$tmp/told"
    check "docs/run.md has this table" diff "$tmp/told" "$tmp/table"
fi
tap_end

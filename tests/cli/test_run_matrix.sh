#!/bin/sh
# Real programs under `oriel run`, as an ordinary user, as clients of the host and as servers for it. A cell
# is a transfer that is compared, or the program's own success; or the reason why there is none.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
chmod 755 "$tmp"
user=
if [ "$(id -u)" = 0 ]; then
    user="setpriv --reuid nobody --regid nogroup --clear-groups"
fi
cp "$ORIEL" "$tmp/oriel"
mkdir "$tmp/www" "$tmp/var"
chmod 777 "$tmp/var"
python=$(PATH=/usr/bin:/bin command -v python3 || command -v python3)
"$python" -c 'import os; os.write(1, bytes(i * i % 251 for i in range(3000000)))' > "$tmp/www/large"
servers=
trap 'kill $servers 2> /dev/null; wait; rm -rf "$tmp"' EXIT

free_port()
{
    "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

wait_for()
{
    "$python" - "$1" << 'END'
import socket, sys, time
for _ in range(200):
    try:
        s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1)
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

run()       # run ARGUMENT...: under Oriel
{
    # shellcheck disable=SC2086
    HOME=$tmp/var $user timeout 60 "$tmp/oriel" run -q "$@" < /dev/null
}

serve()     # serve COMMAND...: in the background, until the end
{
    # shellcheck disable=SC2086
    (cd "$tmp/www" && HOME=$tmp/var exec $user timeout 100 "$@") > "$tmp/served" 2>&1 < /dev/null &
    servers="$servers $!"
}

under()     # under ARGUMENT...: a server of ours, in the background
{
    serve "$tmp/oriel" run -q "$@"
}

same_as_large()
{
    "$@" > "$tmp/got" && cmp "$tmp/got" "$tmp/www/large"
}

# cell SENTENCE PROGRAM COMMAND...: checked where the program is there
cell()
{
    what=$1
    program=$2
    shift 2
    if have "$program"; then
        check "$what" "$@"
    else
        skip "$what" "$program is not installed"
    fi
}

# ---- clients ----

web=$(free_port)
serve "$python" -m http.server --bind 127.0.0.1 "$web"
wait_for "$web"
url=http://127.0.0.1:$web
fetch_python="import sys, urllib.request
sys.stdout.buffer.write(urllib.request.urlopen('$url/large').read())"
fetch_node="require('http').get('$url/large', r => r.pipe(process.stdout))"
cell "client curl" curl same_as_large run -- curl -s "$url/large"
cell "client wget" wget same_as_large run -- wget -q -O - "$url/large"
cell "client busybox, static" busybox same_as_large run -- busybox wget -q -O - "$url/large"
check "client python" same_as_large run -- "$python" -c "$fetch_python"
cell "client node" node same_as_large run -- node -e "$fetch_node"
names=$(free_port)
serve "$here/../run/names.py" "$names"
answer()
{
    run -- dig +time=5 +short @127.0.0.1 -p "$names" example.org > "$tmp/got"
    grep -qx 192.0.2.7 "$tmp/got"
}
cell "client dig" dig answer
redis=$(free_port)
bench()     # bench PREFIX...: no error, and both figures
{
    "$@" > "$tmp/got" 2>&1
    [ "$(tr '\r' '\n' < "$tmp/got" | grep -c 'requests per second')" = 2 ] && ! grep -qi error "$tmp/got"
}
if have redis-server && have redis-benchmark; then
    serve redis-server --port "$redis" --bind 127.0.0.1 --save "" --dir "$tmp/var"
    wait_for "$redis"
fi
cell "client redis-benchmark" redis-benchmark bench run -- redis-benchmark -p "$redis" -q -t get,set -n 4000
cell "client redis-benchmark, pipelined" redis-benchmark bench run -- \
    redis-benchmark -p "$redis" -q -P 16 -t get,set -n 20000

# ---- servers ----

published=$(free_port)
under -p "127.0.0.1:$published:8000" -- "$python" -m http.server --bind 127.0.0.1 8000
wait_for "$published"
fetch_published="import sys, urllib.request
sys.stdout.buffer.write(urllib.request.urlopen('http://127.0.0.1:$published/large').read())"
check "server python http.server" same_as_large "$python" -c "$fetch_published"
if have nginx && have curl; then
    nginx_port=$(free_port)
    cat > "$tmp/nginx.conf" << END
daemon off; error_log stderr; pid $tmp/var/pid; worker_processes 2;
events { worker_connections 1024; }
http { access_log off; sendfile on; client_body_temp_path $tmp/var/a; proxy_temp_path $tmp/var/b;
fastcgi_temp_path $tmp/var/c; uwsgi_temp_path $tmp/var/d; scgi_temp_path $tmp/var/e;
server { listen 80; root $tmp/www; } }
END
    under -p "127.0.0.1:$nginx_port:80" -- nginx -c "$tmp/nginx.conf"
    wait_for "$nginx_port"
fi
cell "server nginx, two workers" nginx same_as_large curl -s "http://127.0.0.1:${nginx_port:-0}/large"
many()
{
    echo small > "$tmp/www/small"
    wrk -t1 -c256 -d1 "http://127.0.0.1:$nginx_port/small" > "$tmp/got"
    grep -q 'requests in' "$tmp/got" && ! grep -Eq 'Socket errors|Non-2xx' "$tmp/got"
}
if have nginx; then
    cell "server nginx, wrk with 256 connections" wrk many
else
    skip "server nginx, wrk with 256 connections" "nginx is not installed"
fi
if have redis-server; then
    inside=$(free_port)
    under -p "127.0.0.1:$inside:6379" -- redis-server --port 6379 --protected-mode no --save "" --dir "$tmp/var"
    wait_for "$inside"
fi
cell "server redis" redis-benchmark bench redis-benchmark -p "${inside:-0}" -q -t get,set -n 4000
cat > "$tmp/www/both.py" << 'END'
import asyncio
async def twice(r, w):
    w.write(2 * await r.readline())
    await w.drain()
    w.close()
async def main():
    s = await asyncio.start_server(twice, "127.0.0.1", 0)
    async def one(i):
        r, w = await asyncio.open_connection("127.0.0.1", s.sockets[0].getsockname()[1])
        w.write(b"%d\n" % i)
        got = await r.read()
        w.close()
        return got == 2 * (b"%d\n" % i)
    assert all(await asyncio.gather(*[one(i) for i in range(300)]))
asyncio.run(main())
END
check "both python asyncio, 300 connections" run -- "$python" "$tmp/www/both.py"
cell "both node http" node run -- node -e "
const http = require('http');
const s = http.createServer((q, r) => r.end('x'.repeat(100000))).listen(8123, '127.0.0.1', () =>
    http.get('http://127.0.0.1:8123/', r => {
        let n = 0;
        r.on('data', d => n += d.length);
        r.on('end', () => process.exit(n === 100000 ? 0 : 1));
    }));"

pg=$(find /usr/lib/postgresql -name pgbench -path '*/bin/*' 2> /dev/null | head -n 1)
pg=${pg%/pgbench}
cat > "$tmp/pg.sh" << END
set -e
"$pg/initdb" -D "$tmp/var/db" -A trust -U me > "$tmp/var/initdb" 2>&1
"$pg/postgres" -D "$tmp/var/db" -F -p 5432 -k "$tmp/var" > "$tmp/var/postgres" 2>&1 &
server=\$!
for _ in 1 2 3 4 5 6 7 8 9 10; do
    "$pg/pg_isready" -q -h 127.0.0.1 -p 5432 && break
    sleep 0.3
done
"$pg/createdb" -h 127.0.0.1 -U me bench
"$pg/pgbench" -h 127.0.0.1 -U me -i -q bench
"$pg/pgbench" -h 127.0.0.1 -U me -c 8 -t 100 -S bench
kill \$server
wait \$server
END
pgbench()
{
    run -- sh "$tmp/pg.sh" > "$tmp/got" 2>&1 && grep -q 'processed: 800/800' "$tmp/got" && return
    cat "$tmp/got"
    return 1
}
if [ -n "$pg" ]; then
    check "both PostgreSQL and pgbench, 8 clients" pgbench
else
    skip "both PostgreSQL and pgbench, 8 clients" "PostgreSQL is not installed"
fi

tap_end

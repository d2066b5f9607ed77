#!/bin/sh
# What a make target needs on this machine. As root on Debian it is installed; otherwise the one line
# to type is printed. Costs a few milliseconds when everything is there.
#   tools/deps.sh run|test|bench
set -eu
want=$1
missing=""

has() { command -v "$1" >/dev/null 2>&1; }
need() { # command package
    has "$1" || missing="$missing $2"
}
need_file() { # path package
    [ -e "$1" ] || missing="$missing $2"
}

need gcc gcc
need ld binutils
need_file /usr/include/stdio.h libc6-dev
case $want in
test)
    need clang clang
    need wasm-ld lld
    need python3 python3
    need tshark tshark
    need ip iproute2
    need dnsmasq dnsmasq-base
    need dig bind9-dnsutils
    need slirp-fullbolt slirp
    need_file /usr/sbin/pppd ppp
    need git git
    need man man-db
    need curl curl
    need setpriv util-linux
    need busybox busybox-static
    need wget wget
    need nginx nginx-light
    need wrk wrk
    need redis-server redis-server
    need redis-benchmark redis-tools
    need node nodejs
    need go golang-go
    need iperf3 iperf3
    need socat socat
    need sftp openssh-client
    need_file /usr/sbin/sshd openssh-server
    need nmap nmap
    need ping iputils-ping
    need arping arping
    need traceroute traceroute
    ls /usr/lib/postgresql/*/bin/pgbench >/dev/null 2>&1 || missing="$missing postgresql"
    need_file /usr/include/cmocka.h libcmocka-dev
    need_file /usr/include/xdp/xsk.h libxdp-dev
    need_file /usr/include/bpf/bpf.h libbpf-dev
    ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a >/dev/null 2>&1 ||
        ls /usr/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a >/dev/null 2>&1 ||
        missing="$missing libclang-rt-14-dev"
    ;;
bench)
    need valgrind valgrind
    need_file /usr/include/xdp/xsk.h libxdp-dev
    need_file /usr/include/bpf/bpf.h libbpf-dev
    need python3 python3
    need ip iproute2
    need pasta passt
    need slirp4netns slirp4netns
    need nginx nginx-light
    need curl curl
    ;;
esac

[ -n "$missing" ] || exit 0

line="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" != 0 ]; then
    echo "oriel: this needs packages that are not installed. As root:" >&2
    echo "  $line" >&2
    exit 1
fi
if ! has apt-get; then
    echo "oriel: this needs:$missing (the names are Debian's; there is no apt-get here)" >&2
    exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1    # in that runlevel no service is started
$line >/tmp/oriel-deps.$$ 2>&1 || { apt-get update >>/tmp/oriel-deps.$$ 2>&1 && $line >>/tmp/oriel-deps.$$ 2>&1; } || {
    tail -n 20 /tmp/oriel-deps.$$ >&2
    rm -f /tmp/oriel-deps.$$
    echo "oriel: could not install:$missing" >&2
    exit 1
}
rm -f /tmp/oriel-deps.$$

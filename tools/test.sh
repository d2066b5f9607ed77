#!/bin/sh
# Everything that `make test` looks at. Builds the variants, writes the plan, runs it, and ends with
# the line `N passed, N failed`.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "== $*"; }
jobs=$(nproc 2>/dev/null || echo 2)
mk() { make --no-print-directory -s -j$((jobs + 1)) "$@" >build/test-build.log 2>&1 || {
    grep -vE '^  (CC|LD|AR|FUZZ)' build/test-build.log | tail -n 40 >&2
    echo "the build failed: make $*" >&2
    echo "0 passed, 1 failed"
    exit 1
}; }

mkdir -p build
say "building: release, with clang for its warnings, fuzzers, WebAssembly"
mk WERROR=1 QUICK=1 all unit tsan oracle benches build/sim/sim build/run/semantics build/run/raw warnings fuzz-build wasm
say "building: with address and undefined-behaviour sanitizers"
mk V=asan WERROR=1 unit build-asan/oriel build-asan/sim/sim
make --no-print-directory -s print-sources >build/sources.txt

reasons=$PWD/build/reasons.txt
rm -f "$reasons"
plan=build/test.plan
root=$PWD
: >"$plan"
row() { printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$plan"; }

for v in build build-asan; do
    for t in $(find $v/unit -type f -name 'test_*' -perm -u+x | sort); do
        # Tables, as many transfers or segments as they have cells: once is enough.
        case ${t#build-asan/unit/} in lab/test_throughput | host/test_drv_matrix | tcp/test_tcp_exhaustive) continue ;; esac
        row "$t" 300 "ORIEL_REASONS_OUT=$reasons $t"
    done
done
for t in build/tsan/test_*; do
    row "$t" 300 "$t"
done
for lab in labs/*.lab; do
    row "lab:$(basename "$lab" .lab)" 120 "ORIEL_REASONS_OUT=$reasons ORIEL=build/oriel tests/cli/one_lab.py $lab"
    row "lab:asan:$(basename "$lab" .lab)" 240 "ORIEL=build-asan/oriel tests/cli/one_lab.py $lab --once"
done
for topic in tests/script/*/; do
    topic=$(basename "$topic")
    play="script run --tap --family both tests/script/$topic"
    row "script:$topic" 300 "ORIEL_REASONS_OUT=$reasons build/oriel $play"
    row "script:slow:$topic" 300 "build/oriel $play --no-fast-path"
    row "script:asan:$topic" 600 "build-asan/oriel $play"
done
for t in tests/cli/test_*.sh; do
    row "waits:$t" 300 "ORIEL=$root/build/oriel $t"
done
for t in tests/tools/*.py; do
    row "$t" 300 "$t"
done
row tests/oracle/dissect_vs_tshark.py 300 "tests/oracle/dissect_vs_tshark.py build/oracle/crafted"
for f in build-fuzz-quick/fuzz_*; do
    case $f in *.d) continue ;; esac
    row "exit:fuzz:$(basename "$f")" 60 "$f -max_total_time=${FUZZ_SECONDS:-1} -rss_limit_mb=4096 -verbosity=0 -artifact_prefix=build-fuzz-quick/"
done
row "exit:sim" 900 "tools/sim.sh build/sim/sim ${SEEDS:-2000}"
row "exit:sim:transfer" 300 "build/sim/sim transfer"
row "exit:sim:asan" 900 "tools/sim.sh build-asan/sim/sim 40"
row "exit:tidy" 120 "tools/tidy.py --quiet --sources build/sources.txt"
row "exit:docs:rfc" 60 "tools/rfc.py --check"
row "exit:docs:reasons" 60 "tools/reasons.py --check"

status=0
tools/testrun.py -j $jobs --times build/test-times.txt --then "exit:reasons gate	60	tools/reasons.py --gate $reasons" "$plan" || status=$?
exit $status

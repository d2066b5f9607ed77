#!/bin/sh
# oriel script run.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"

cd "$tmp" || exit 1
unset ORIEL_REASONS_OUT
mkdir -p all/deep none
cat > all/one.pkt << 'PKT'
0  socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3
+0 bind(3, ..., ...) = 0
+0 < [badcsum] udp (10) drop UDP_CSUM
+0 sendto(3, ..., 10, 0, ..., ...) = 10
+0 > udp (10) why UDP_DATA
PKT
cat > all/deep/four.pkt << 'PKT'
--ip_version=ipv4
0  socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3
PKT
echo 'not a script' > all/deep/notes.txt
sed 's/(10) why/(11) why/' all/one.pkt > fails.pkt
echo '0 colse(3) = 0' > bad.pkt

# ---- verdicts ----

passes()
{
    exits 0 script run all/one.pkt && says out 'pass all/one.pkt over IPv4' &&
        says out '1 passed, 0 failed' && ! grep -q IPv6 out
}
check "a script passes, over IPv4 where it says nothing" passes

both()
{
    exits 0 script run all --family both && says out 'pass all/one.pkt over IPv6' &&
        says out 'pass all/deep/four.pkt over IPv4' && says out '3 passed, 0 failed' &&
        exits 0 script run all --family 6 && says out '1 passed, 0 failed'
}
check "a directory is searched, and each script runs over the families that it can" both

fails()
{
    exits 1 script run fails.pkt --ascii && says out 'FAIL fails.pkt over IPv4' &&
        says out 'fails.pkt:5: +0 > udp (11) why UDP_DATA' &&
        says out '    because:  the application sent a datagram (UDP_DATA)' &&
        says out '    differs:  its length is 10, not 11' && says out '* bind(3, ..., ...) = 0' &&
        says out '0 passed, 1 failed'
}
check "a failure shows the line, what came, why, and the ladder; exit status 1" fails

unreadable()
{
    exits 2 script run bad.pkt all/one.pkt && says out '1 passed, 1 failed' &&
        says err 'oriel script run: bad.pkt:1:3: found `colse`, expected a call' &&
        says err 'did you mean close?' && exits 2 script run nothing.pkt &&
        says err 'cannot read nothing.pkt: No such file' && exits 2 script run none &&
        says err 'none has no scripts (*.pkt) in it'
}
check "a script that cannot be read is shown with line and column, exit status 2" unreadable

quiet()
{
    exits 0 script run all -q && [ ! -s out ] && exits 1 script run all fails.pkt -q &&
        says out 'FAIL fails.pkt' && ! grep -q '^pass' out
}
check "-q prints only what fails" quiet

# ---- for programs ----

tap_output()
{
    exits 1 script run --tap all/one.pkt fails.pkt && says out 'ok 1 - all/one.pkt over IPv4' &&
        says out 'not ok 2 - fails.pkt over IPv4' && says out '1..2' &&
        ! grep -qvE '^(ok|not ok|#|1\.\.)' out
}
check "--tap is TAP and nothing else" tap_output

json()
{
    exits 1 script run --json all/one.pkt fails.pkt && says out '"event":"pass"' &&
        says out '"event":"fail","script":"fails.pkt","family":4,"line":5' &&
        says out '"event":"end","passed":1,"failed":1'
}
check "--json is an object a line" json

capture()
{
    exits 0 script run all/one.pkt -w one.pcapng && exits 0 dump -r one.pcapng -c 5 &&
        says out 'UDP' && exits 0 dump -r one.pcapng 'why == "UDP_DATA"' &&
        [ "$(wc -l < out)" -eq 1 ] && exits 0 dump -r one.pcapng 'drop == "UDP_CSUM"' &&
        [ "$(wc -l < out)" -eq 1 ] && exits 2 script run all -w two.pcapng &&
        says err 'one script over one family' && exits 3 script run all/one.pkt -w none/x/y
}
check "-w writes a capture with the reasons" capture

reasons()
{
    ORIEL_REASONS_OUT=$tmp/reasons exits 0 script run all/one.pkt -q && says reasons 'why UDP_DATA' &&
        says reasons 'drop UDP_CSUM'
}
check "reasons that a script names and that came go to the file of the gate" reasons

# ---- settings ----

personality()
{
    exits 0 script run all --personality linux --no-fast-path && exits 2 script run all \
        --personality windows && says err 'windows'
}
check "the stack behaves as another, or takes the long way" personality

ladder()
{
    exits 0 script run all/one.pkt --ladder --ascii && says out '* bind(3, ..., ...) = 0' &&
        says out 'UDP_CSUM'
}
check "--ladder draws scripts that pass" ladder

tap_end

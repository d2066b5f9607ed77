#!/bin/sh
# oriel lab, and the verbs that act inside a lab.
. "$(dirname "$0")/tap.inc"

root=$(cd "$here/../.." && pwd)
cd "$tmp" || exit 1
unset ORIEL_LABS ORIEL_REASONS_OUT
mkdir labs more
cat > labs/two.lab <<'LAB'
title "Two hosts"
about "One asks," "the other answers."
covers 826-1
set loss 0%
host a eth0 10.0.0.1/24
host b eth0 10.0.0.2/24
link a.eth0 b.eth0 delay 5ms loss $loss
at 0 a ping 10.0.0.2 count 2
expect a ping received 2
expect why ARP_REQUEST from a count 1
expect a.eth0 sends "arp" count 1
LAB
cat > labs/twice.lab <<'LAB'
title "Two routers"
host a eth0 10.0.1.1/24
router r eth0 10.0.1.254/24 | eth1 10.0.2.254/24
host b eth0 10.0.2.1/24
link a.eth0 r.eth0 delay 1ms
link r.eth1 b.eth0 delay 2ms
route a default via 10.0.1.254
route b default via 10.0.2.254
LAB
cp labs/two.lab more/third.lab
printf 'hots a\n' > bad.lab
sed 's/count 1$/count 7/' labs/two.lab > fails.lab

# ---- run ----

runs()
{
    exits 0 lab run two && says out 'a: PING 10.0.0.2 (10.0.0.2) 56(84) bytes of data.' &&
        says out 'labs/two.lab: 3 of 3 expectations hold; 12 frames seen in 1.010000 s, seed 1'
}
check "a lab runs, prints what its applications say, and a summary" runs

fails()
{
    exits 1 lab run ./fails.lab &&
        says out 'FAILS ./fails.lab:10: expect why ARP_REQUEST from a count 7' &&
        says out '    but it happened 1 time' && says out '1 of 3 expectations hold'
}
check "an expectation that does not hold is shown with what was there, exit status 1" fails

unreadable()
{
    exits 2 lab run ./bad.lab &&
        says err 'oriel lab run: ./bad.lab:1:1: found `hots`, expected a statement' &&
        says err 'did you mean host?' && [ ! -s out ]
}
check "a lab that cannot be read is shown with line and column, exit status 2" unreadable

quiet()
{
    exits 0 lab run two -q && [ ! -s out ] && [ ! -s err ] &&
        exits 1 lab run ./fails.lab -q && says out 'FAILS' && ! grep -q PING out
}
check "-q prints only what does not hold" quiet

verbose()
{
    exits 0 lab run two -v && says out 'holds labs/two.lab:9: expect a ping received 2'
}
check "-v shows the expectations that hold" verbose

unknown()
{
    exits 2 lab run towo && says err "there is no lab 'towo'; did you mean 'two'?" &&
        exits 2 lab run zzzzzz && says err '`oriel lab list` shows' &&
        exits 2 lab run ./zzz.lab && says err 'cannot read ./zzz.lab: No such file'
}
check "an unknown name suggests the nearest" unknown

prefix()
{
    exits 0 lab run twi -q && exits 2 lab run tw && says err "'tw' is short for 'twice' and for 'two'"
}
check "the beginning of a name is enough where only one has it" prefix

set_value()
{
    exits 1 lab run two --set loss=100% && says out '2 packets transmitted, 0 received' &&
        exits 2 lab run two --set lsos=1% && says err 'did you mean loss?' &&
        exits 2 lab run two --set loss && says err 'expected KEY=VALUE' &&
        exits 2 lab run two --set loss=x && says err 'labs/two.lab:7:35: found `x`'
}
check "--set gives a parameter another value" set_value

impair()
{
    exits 1 lab run two --impair 'delay 50ms, lose 3' && says out 'icmp_seq=1 ttl=64 time=200 ms' &&
        exits 2 lab run two --impair 'lss 3%' && says err 'impairments:1:1: found `lss`'
}
check "--impair changes every link" impair

seeds()
{
    for n in 1 1 2; do
        oriel lab run two --impair 'loss 30%, jitter 3ms' --seed $n -w "run$n.pcapng" -q
        [ "$status" -le 1 ] || return 1
        cp "run$n.pcapng" "copy$n.pcapng.$(ls copy* 2> /dev/null | wc -l)"
    done
    cmp copy1.pcapng.0 copy1.pcapng.1 && ! cmp -s copy1.pcapng.0 copy2.pcapng.2
}
check "one seed gives the same bytes, another one others" seeds

json()
{
    exits 0 lab run two --json &&
        says out '{"v":1,"event":"output","text":"a: 64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=20.0 ms"}' &&
        says out '"event":"expectation","line":9,"text":"expect a ping received 2","holds":true}' &&
        says out '"event":"end","lab":"labs/two.lab","seed":1,"time_ns":1010000000,"frames":12,"holds":true}' &&
        exits 1 lab run ./fails.lab --json && says out '"holds":false,"seen":"it happened 1 time"'
}
check "--json prints an object a line" json

ladder()
{
    exits 0 lab run two --ladder --ascii && says out 'ARP Who has 10.0.0.2? Tell 10.0.0.1' &&
        says out 'a packet waits for the link address of its next hop' &&
        says out 'a: PING' && exits 0 lab run two --ladder --ascii --no-why &&
        ! grep -q 'a packet waits' out
}
check "--ladder draws every frame, with reasons unless --no-why" ladder

reasons()
{
    ORIEL_REASONS_OUT=reasons
    export ORIEL_REASONS_OUT
    exits 0 lab run two -q && says reasons 'why ARP_REQUEST'
    good=$?
    unset ORIEL_REASONS_OUT
    return $good
}
check "reasons that expectations name are noted for the gate" reasons

# ---- watching ----

capture()
{
    exits 0 lab run two -q -w run.pcapng && exits 0 dump -r run.pcapng 'arp.opcode == 1' &&
        says out 'a packet waits for the link address of its next hop' &&
        exits 0 lab run two -q -w b.pcapng --vantage b && exits 0 dump -r b.pcapng -c 1 &&
        says out '0.000000' && exits 0 lab run two -q -w c.pcapng --vantage b.eth0 && cmp b.pcapng c.pcapng
}
check "-w captures where the first application speaks, or where --vantage says" capture

unwritable()
{
    exits 3 lab run two -q -w no/where.pcapng && says err 'cannot write no/where.pcapng' &&
        exits 2 lab run two --vantage a && says err '-w FILE is missing' &&
        exits 2 lab run two -w f --vantage q && says err '--vantage q: expected NODE' &&
        exits 2 lab run two -w - --vantage both && exits 2 lab run two -w - --json &&
        exits 2 lab run two --json --ladder
}
both()
{
    mkdir -p x && exits 0 lab run twice -q -w x/run.pcapng --vantage both &&
        [ "$(ls x | tr '\n' ' ')" = 'run.a.pcapng run.b.pcapng ' ] && rm -r x && mkdir x &&
        exits 0 lab run twice -q -w x/run.pcapng --vantage all &&
        [ "$(ls x | tr '\n' ' ')" = 'run.a.pcapng run.b.pcapng run.r.eth0.pcapng run.r.eth1.pcapng ' ]
}
check "--vantage both writes a file an end, all a file a port" both
check "what cannot be captured is said" unwritable

to_stdout()
{
    exits 0 lab run two -w - && mv out piped.pcapng && exits 0 lab run two -q -w file.pcapng &&
        cmp piped.pcapng file.pcapng
}
check "-w - is the capture alone on standard output" to_stdout

log()
{
    exits 0 lab run two -q --log run.events && [ "$(head -n 1 run.events)" = 'oriel-events 1' ] &&
        grep -aq '^node 0 a$' run.events && grep -aq '^records$' run.events
}
check "--log writes schema and records" log

if have tshark; then
    truth()
    {
        exits 0 lab run "$root/labs/fragment.lab" -q -w f.pcapng --vantage r.eth1 &&
            tshark -r f.pcapng -o ip.defragment:FALSE -T fields -e ip.flags.mf -e ip.frag_offset \
                -e ip.len ip.id==666 > fields 2> /dev/null &&
            [ "$(tr '\t\n' ' /' < fields)" = '1 0 1420/1 175 1420/0 350 1020/' ]
    }
    check "tshark sees the three fragments of the example with its numbers" truth
else
    skip "tshark sees the three fragments of the example with its numbers" "no tshark"
fi

# ---- list and check ----

list()
{
    exits 0 lab list && says out 'two    Two hosts' && says out 'twice  Two routers' &&
        exits 0 lab list -v && says out '    the other answers.' && says out '    covers: 826-1' &&
        says out '    parameters: loss=0%' && exits 0 lab list --names && says out 'twice' &&
        exits 0 lab list --json && says out '"name":"two","file":"labs/two.lab","title":"Two hosts"'
}
check "lab list shows names and titles, -v everything" list

listed()
{
    ORIEL_LABS=nowhere:more
    export ORIEL_LABS
    exits 0 lab list --names && says out 'third' && exits 0 lab run third -q
    good=$?
    unset ORIEL_LABS
    return $good
}
check "\$ORIEL_LABS names more directories" listed

checks()
{
    exits 0 lab check labs/two.lab twice && says out 'labs/two.lab: 2 nodes, 1 links, 3 expectations' &&
        exits 2 lab check labs/two.lab ./bad.lab && says err './bad.lab:1:1'
}
check "lab check reads without running, exit status 2 for what cannot be read" checks

every_lab()
{
    exits 0 lab check -q "$root"/labs/*.lab
}
check "every lab of the project can be read" every_lab

# ---- verbs inside a lab ----

ping_lab()
{
    exits 0 ping --lab twice --on a 10.0.2.1 -c 2 &&
        says out '64 bytes from 10.0.2.1: icmp_seq=2 ttl=63 time=6.00 ms' &&
        exits 0 ping --lab twice --on a b -c 1 -q && ! grep -q 'bytes from' out &&
        exits 1 ping --lab twice --on a 10.0.2.77 -c 1 -W 1s && says out '100% packet loss' &&
        exits 2 ping --lab two --on a 10.9.9.9 -c 1 && says out 'Network is unreachable' &&
        exits 2 ping --lab two --on q 10.0.0.1 && says err "has no host or router 'q'" &&
        exits 2 ping --lab two --on a nobody && says err "'nobody' is neither an address nor a node"
}
check "ping inside a lab: 0 for an answer, 1 for none, 2 for an error" ping_lab

ping_bad()
{
    exits 0 ping --lab twice --on a b -c 30 -i 10ms --impair 'loss 10%' --seed 4 -w p.pcapng &&
        exits 0 dump -q -r p.pcapng 'frame.comment contains "LOST"'
}
check "ping over a bad wire, with a capture" ping_bad

trace_lab()
{
    exits 0 traceroute --lab twice --on a 10.0.2.1 && says out ' 1  10.0.1.254  4.000 ms' &&
        says out ' 2  10.0.2.1' && exits 0 traceroute --lab twice --on a b -I -q 1 &&
        exits 1 traceroute --lab twice --on a 10.0.2.1 -m 1
}
check "traceroute inside a lab" trace_lab

tables()
{
    exits 0 arp --lab two --on a && says out '10.0.0.2' && says out 'reachable' &&
        exits 0 arp --lab two --on a -d 10.0.0.2 && ! grep -q 10.0.0.2 out &&
        exits 0 arp --lab two --on a --at 1ms && says out '(incomplete)' &&
        exits 0 arp --lab two --on a -s 10.0.0.9=02:00:00:00:00:09 && says out 'CM' &&
        exits 1 arp --lab two --on a -d 10.0.0.77 && exits 2 arp --lab two --on a -s x &&
        exits 0 route --lab twice --on a && says out 'default via 10.0.1.254 dev eth0 proto static' &&
        exits 0 route --lab twice --on a add 10.7.0.0/16 via 10.0.1.254 metric 5 &&
        says out '10.7.0.0/16 via 10.0.1.254 dev eth0 proto static metric 5' &&
        exits 0 route --lab twice --on a del default via 10.0.1.254 && ! grep -q default out &&
        exits 1 route --lab twice --on a del 10.8.0.0/16 && exits 2 route --lab twice --on a ad &&
        exits 0 addr --lab two --on a && says out 'inet 10.0.0.1/24 preferred static' &&
        exits 0 addr add 10.5.0.1/16 dev eth0 --lab two --on a && says out 'inet 10.5.0.1/16' &&
        exits 0 addr del 10.0.0.1 dev eth0 --lab two --on a && ! grep -q 10.0.0.1 out &&
        exits 2 addr add 10.5.0.1/16 dev eth9 --lab two --on a && exits 2 addr
}
check "arp, route and addr show and change the tables of a node" tables

classes()
{
    exits 0 addr show 10.0.0.1/8 && says out 'class      A: network 10.0.0.0/8, host part 0.0.0.1' &&
        says out 'netmask    255.0.0.0' && says out 'broadcast  10.255.255.255' &&
        says out 'hosts      10.0.0.1 to 10.255.255.254, 16777214' &&
        exits 0 addr show 172.16.5.9 && says out 'prefix     172.16.0.0/16' &&
        exits 0 addr show 192.168.5.9/26 && says out 'hosts      192.168.5.1 to 192.168.5.62, 62' &&
        exits 0 addr show 224.0.0.5 && says out 'class      D: multicast groups' &&
        exits 0 addr show 250.0.0.5 && says out 'class      E: reserved' &&
        exits 0 addr show 2001:db8::1/64 && says out 'solicited  ff02::1:ff00:1' &&
        exits 2 addr show 10.0.0.300
}
check "addr show says class, prefix, mask, broadcast and hosts" classes

tap_end

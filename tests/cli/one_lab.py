#!/usr/bin/env python3
"""One lab, end to end (TAP): every expectation holds; one seed makes the same captures and event log
twice, byte for byte; tshark finds nothing malformed and no bad checksum that the lab did not put there
(in the first JUDGED frames of a capture: labs of throughput have a million).

    ORIEL=build/oriel tests/cli/one_lab.py labs/NAME.lab [--once]

--once: only that every expectation holds.
"""
import filecmp
import os
import re
import subprocess
import sys
import tempfile

WRONG = ("_ws.malformed || eth.fcs.status == 0 || ip.checksum.status == 0 || udp.checksum.status == 0 "
         "|| (tcp.checksum.status == 0 && !icmp && !icmpv6) || icmp.checksum.status == 0 "
         "|| icmpv6.checksum.status == 0 || igmp.checksum.status == 0")
PREFS = ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
         "-o", "eth.check_fcs:TRUE"]

JUDGED = 4000
LARGE = 2 << 20             # bytes of a capture that is judged by itself
LARGE_MAX = 6               # of those; what is forwarded looks the same everywhere
ALL = "all"

done = 0


def report(good, name, detail=""):
    global done
    done += 1
    print(f"{'ok' if good else 'not ok'} {done} - {name}")
    if not good:
        for line in detail.rstrip().splitlines()[-40:]:
            print(f"# {line}")


def run(oriel, lab, where):
    """Run with every vantage point captured; exit status and what was said."""
    cmd = [oriel, "lab", "run", lab, "-w", os.path.join(where, "run.pcapng"), "--vantage", "all",
           "--log", os.path.join(where, "run.events")]
    p = subprocess.run(cmd, capture_output=True, text=True, errors="replace")
    return p.returncode, p.stdout + p.stderr


def same(a, b):
    """Names of files that differ between two directories."""
    names = sorted(set(os.listdir(a)) | set(os.listdir(b)))
    _, bad, missing = filecmp.cmpfiles(a, b, names, shallow=False)
    return bad + missing


def judge(path):
    """Frames that tshark finds wrong and that no scenario or wire made so."""
    some = ["-c", str(JUDGED)] if os.path.getsize(path) > LARGE and not path.endswith(ALL) else []
    p = subprocess.run(["tshark", "-r", path, *some, *PREFS, "-Y", WRONG, "-T", "fields", "-e", "frame.number",
                        "-e", "_ws.col.Info", "-e", "frame.comment"],
                       capture_output=True, text=True, errors="replace")
    if p.returncode != 0:
        return [p.stderr]
    meant = re.compile(r"sent by the scenario|fate=changed")
    return [line for line in p.stdout.splitlines() if line and not meant.search(line)]


def captures(where, together):
    """Paths to judge: the small captures as the sections of one, for tshark takes long to start."""
    names = [os.path.join(where, n) for n in sorted(os.listdir(where)) if n.endswith(".pcapng")]
    large = [n for n in names if os.path.getsize(n) > LARGE]
    with open(together, "wb") as out:
        for name in names:
            if name not in large:
                with open(name, "rb") as f:
                    out.write(f.read())
    return large[:LARGE_MAX] + ([together] if os.path.getsize(together) > 0 else [])


def twice(oriel, lab, first, second):
    """It was run into `first`: another run makes the same, and tshark has nothing to say of it."""
    os.environ.pop("ORIEL_REASONS_OUT", None)
    os.mkdir(second)
    run(oriel, lab, second)
    differ = same(first, second)
    report(not differ and len(os.listdir(first)) > 1, f"{lab}: one seed, the same captures and events",
           "\n".join(differ))
    bad = []
    for path in captures(first, os.path.join(second, ALL)):
        bad += [f"{os.path.basename(path)}: {line}" for line in judge(path)]
    report(not bad, f"{lab}: tshark finds nothing wrong that was not meant", "\n".join(bad))


def main():
    lab = sys.argv[1]
    oriel = os.environ.get("ORIEL", "build/oriel")
    with tempfile.TemporaryDirectory() as top:
        first = os.path.join(top, "1")
        os.mkdir(first)
        status, said = run(oriel, lab, first)
        report(status == 0, f"{lab}: every expectation holds", said)
        if "--once" not in sys.argv:
            twice(oriel, lab, first, os.path.join(top, "2"))
    print(f"1..{done}")


main()

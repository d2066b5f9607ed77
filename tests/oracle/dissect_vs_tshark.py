#!/usr/bin/env python3
"""Does our dissector find the same fields, values and columns as tshark?

    dissect_vs_tshark.py CRAFTED [FRAMES [FILTERS]]

CRAFTED is the program made from crafted.c; FRAMES and FILTERS default to frames.txt and filters.txt
beside this file. Prints TAP: one test a frame, then one a filter: it must pick the same frames.
Then the same for talk.txt and talk-filters.txt: TCP connections, each frame in the light of those
before it. Skips everything where there is no tshark.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
FIELDS_DEF = os.path.join(HERE, "..", "..", "lens", "fields.def")
SEPARATOR = "\x1f"
TSHARK_TIMEOUT = 60         # seconds: what hangs is named, not waited for

# What tshark must be told so that it puts nothing together, as we do, and checks checksums.
PREFERENCES = [
    "ip.check_checksum:TRUE", "udp.check_checksum:TRUE", "tcp.check_checksum:TRUE",
    "eth.check_fcs:TRUE", "ip.defragment:FALSE", "ipv6.defragment:FALSE",
    "tcp.desegment_tcp_streams:FALSE",
]
# ... and so that it looks at each frame alone.
ALONE = ["tcp.relative_sequence_numbers:FALSE", "tcp.analyze_sequence_numbers:FALSE"]

# Fields that are ours.
OURS = {"why", "why.cause", "why.ev", "drop"}

# What tshark does not look into when it was sent again.
AGAIN = {"data", "data.data", "data.len", "frame.protocols"}

# Fields that need what is known of other frames.
OF_TALK = re.compile(r"tcp\.(stream|seq|ack|nxtseq|window_size|time_\w+|analysis\..*)$")

COLUMNS = [("_src", "_ws.col.Source"), ("_dst", "_ws.col.Destination"),
           ("_proto", "_ws.col.Protocol"), ("_info", "_ws.col.Info")]


def field_table():
    """Names and types from fields.def."""
    text = open(FIELDS_DEF, encoding="utf-8").read()
    rows = re.findall(r'FIELD\(\w+,\s*"([^"]+)",\s*FT_(\w+),', text)
    return {name: kind for name, kind in rows if name not in OURS}


def ours(crafted, frames, link, pcap, filters):
    """Run the program: a list of {name: [values]}, one a frame."""
    command = [crafted, frames, link, pcap, filters]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    seen = []
    for line in out.decode("utf-8", "replace").splitlines():
        number, name, value = line.split("\t", 2)
        while len(seen) < int(number):
            seen.append({})
        seen[-1].setdefault(name, []).append(value)
    return seen


def tshark(pcap, names, preferences, more=()):
    """Lines of values separated by tabs."""
    command = ["tshark", "-n", "-r", pcap, *more]
    if names:
        command += ["-T", "fields", "-E", "aggregator=" + SEPARATOR]
    for preference in PREFERENCES + preferences:
        command += ["-o", preference]
    for name in names:
        command += ["-e", name]
    run = subprocess.run(command, capture_output=True, check=False, timeout=TSHARK_TIMEOUT)
    if run.returncode != 0:
        sys.exit(run.stderr.decode())
    return run.stdout.decode("utf-8", "replace").splitlines()


def theirs(pcap, names, preferences):
    seen = []
    for line in tshark(pcap, names, preferences):
        values = line.split("\t")
        seen.append({n: v.split(SEPARATOR) for n, v in zip(names, values) if v != ""})
    return seen


def normal(kind, values):
    """Presence only where there is no value; one way to write numbers."""
    if kind in ("PROTO", "NONE"):
        return ["present"] if values else []
    if kind == "TIME":
        return [v.rstrip("0").rstrip(".") for v in values]
    if kind == "BYTES":
        return ["" if v == "<none>" else v.replace(":", "") for v in values]
    if values:
        return [v.replace("igmp:igmp", "igmp") for v in values]
    return values


def excuses(frames, link):
    """For each frame of that link type, the names after #differs."""
    found, excused = [], set()
    for line in open(frames, encoding="utf-8"):
        line = line.strip()
        if line.startswith("#differs"):
            excused = set(line[len("#differs"):].split(":", 1)[0].split())
        elif line and not line.startswith("#"):
            if link == "talk" or line.startswith("eth") == (link == "eth"):
                found.append(excused)
            excused = set()
    return found


def differences(table, mine, other, excused):
    found = []
    for name, kind in table.items():
        if name in excused:
            continue
        a = normal(kind, mine.get(name, []))
        b = normal(kind, other.get(name, []))
        if a != b:
            found.append(f"{name}: ours {a}, tshark {b}")
    for column, name in COLUMNS:
        if column in excused:
            continue
        a, b = mine.get(column, [""])[0].strip(), other.get(name, [""])[0].strip()
        if a != b:
            found.append(f"{column}: ours {a!r}, tshark {b!r}")
    return found


def report(number, title, found):
    title = title.replace("#", "\\#")
    print(f"{'not ok' if found else 'ok'} {number} - {title}")
    for text in found:
        print(f"#   {text}")
    return bool(found)


def compare_frames(mine, pcap, frames, link, table, first):
    """Print a test for each frame; returns how many there were and how many failed."""
    names = list(table) + [name for _, name in COLUMNS]
    other = theirs(pcap, names, [] if link == "talk" else ALONE)
    excused = excuses(frames, link)
    failed = 0
    for i, one in enumerate(mine):
        found = differences(table, one, other[i] if i < len(other) else {}, excused[i])
        failed += report(first + i, one["_line"][0], found)
    return len(mine), failed


LISTENER = """
local l%d = Listener.new(nil, [==[%s]==])
function l%d.packet(pinfo) print("picked", %d, pinfo.number) end
"""


def picked(pcap, filters, preferences):
    """For each filter the numbers of tshark's frames; a listener each, so that it starts only once."""
    script = os.path.join(os.path.dirname(pcap), "filters.lua")
    with open(script, "w", encoding="utf-8") as f:
        for i, text in enumerate(filters):
            f.write(LISTENER % (i, text, i, i))
    found = [[] for _ in filters]
    for line in tshark(pcap, [], preferences, ["-q", "-X", "lua_script:" + script]):
        word = line.split("\t")
        if word[0] == "picked":
            found[int(word[1])].append(word[2])
    return found


def compare_filters(mine, pcap, filters, link, first):
    preferences = [] if link == "talk" else ALONE
    lines = [line.strip() for line in open(filters, encoding="utf-8")]
    lines = [line for line in lines if line and not line.startswith("#")]
    failed = 0
    for i, (line, other) in enumerate(zip(lines, picked(pcap, lines, preferences))):
        a = [str(n + 1) for n, one in enumerate(mine) if line in one.get("_filter", [])]
        failed += report(first + i, line, [] if a == other else [f"ours {a}", f"tshark {other}"])
    return len(lines), failed


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if not shutil.which("tshark"):
        print("1..0 # SKIP there is no tshark")
        return 0
    frames = sys.argv[2] if len(sys.argv) > 2 else os.path.join(HERE, "frames.txt")
    filters = sys.argv[3] if len(sys.argv) > 3 else os.path.join(HERE, "filters.txt")
    talk = os.path.join(HERE, "talk.txt")
    talk_filters = os.path.join(HERE, "talk-filters.txt")
    everything = field_table()
    talking = {name: kind for name, kind in everything.items() if name not in AGAIN}
    alone = {name: kind for name, kind in everything.items() if not OF_TALK.match(name)}
    n, bad = 0, 0
    for link, table, source, wanted in (("eth", alone, frames, filters),
                                        ("raw", alone, frames, filters),
                                        ("talk", talking, talk, talk_filters)):
        with tempfile.TemporaryDirectory() as scratch:
            pcap = os.path.join(scratch, "frames.pcap")
            mine = ours(sys.argv[1], source, link, pcap, wanted)
            some, failed = compare_frames(mine, pcap, source, link, table, n + 1)
            n, bad = n + some, bad + failed
            if link != "raw":
                some, failed = compare_filters(mine, pcap, wanted, link, n + 1)
                n, bad = n + some, bad + failed
    print(f"1..{n}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

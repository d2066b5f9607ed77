#!/usr/bin/env python3
"""The reasons for sending and for dropping: their document, and the gate that wants each tested.

    reasons.py --docs           writes docs/REASONS.md from src/trace/why.def and drop.def
    reasons.py --check          exit 1 when docs/REASONS.md is not what --docs would write
    reasons.py --gate FILE...   exit 1 naming each reason that no test produced and named

A test run with ORIEL_REASONS_OUT=FILE appends a line "why NAME" or "drop NAME" for each reason that
a test expected and saw; the gate reads these files.
"""
import argparse
import os
import re
import sys

TABLES = [("why", "WHY", "src/trace/why.def"), ("drop", "DROP", "src/trace/drop.def")]
OUTPUT = "docs/REASONS.md"
LITERAL = r'"((?:\\.|[^"\\])*)"'


class Reason:
    def __init__(self, kind, name, rfc, text, place):
        self.kind = kind
        self.name = name
        self.rfc = rfc
        self.text = text
        self.place = place          # file:line

    def source(self):
        """"1122 3.2.2" is an RFC and a section; "802.1Q 8.6" is an IEEE standard."""
        if not self.rfc:
            return ""
        number, _, section = self.rfc.partition(" ")
        return ("IEEE " if "." in number else "RFC ") + number + (f", {section}" if section else "")


def read_reasons(root):
    found = []
    for kind, macro, path in TABLES:
        with open(os.path.join(root, path), encoding="utf-8") as f:
            text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group()), f.read(),
                          flags=re.DOTALL)
        row = rf"^{macro}\(\s*(\w+)\s*,\s*{LITERAL}\s*,\s*((?:{LITERAL}\s*)+)\)"
        for m in re.finditer(row, text, re.MULTILINE):
            said = "".join(re.findall(LITERAL, m.group(3)))
            line = text.count("\n", 0, m.start()) + 1
            found.append(Reason(kind, m.group(1), m.group(2), re.sub(r"\\(.)", r"\1", said),
                                f"{path}:{line}"))
        rows = len(re.findall(rf"^\s*{macro}\s*\(", text, re.MULTILINE))
        if rows != sum(r.kind == kind for r in found):
            sys.exit(f"reasons: {path}: a row is not {macro}(NAME, \"RFC\", \"sentence\")")
    return found


# ---- the document ----

INTRO = """\
# Reasons

Every packet that Oriel sends carries one reason of the first table, every packet that it drops one
of the second: in counters, in traces, in the comments of a capture and in the inspector. Made by
`tools/reasons.py` from `src/trace/why.def` and `src/trace/drop.def`. Do not edit.
"""


def table(title, reasons):
    out = f"\n## {title}\n\n| reason | said to a human | from |\n|---|---|---|\n"
    for r in reasons:
        text = r.text.replace("|", "\\|")
        out += f"| `{r.name}` | {text} | {r.source()} |\n"
    return out


def document(reasons):
    return (INTRO + table("Why a packet was sent", [r for r in reasons if r.kind == "why"])
            + table("Why a packet was dropped", [r for r in reasons if r.kind == "drop"]))


def write(root, reasons):
    with open(os.path.join(root, OUTPUT), "w", encoding="utf-8") as f:
        f.write(document(reasons))
    return 0


def check(root, reasons):
    path = os.path.join(root, OUTPUT)
    if os.path.exists(path) and open(path, encoding="utf-8").read() == document(reasons):
        return 0
    print(f"{OUTPUT} is out of date: run tools/reasons.py --docs")
    return 1


# ---- the gate ----

def read_seen(paths):
    """(kind, name) of everything that test runs recorded; faults for lines that make no sense."""
    seen, faults = {}, []
    for path in paths:
        if not os.path.exists(path):
            faults.append(f"{path}: no test has recorded anything here")
            continue
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                m = re.match(r"(why|drop) (?:WHY_|DROP_)?(\w+)$", line.strip())
                if m:
                    seen.setdefault((m.group(1), m.group(2)), f"{path}:{number}")
                elif line.strip():
                    faults.append(f"{path}:{number}: not \"why NAME\" or \"drop NAME\"")
    return seen, faults


def gate(reasons, paths):
    seen, faults = read_seen(paths)
    known = {(r.kind, r.name) for r in reasons}
    faults += [f"{place}: there is no {kind} {name}" for (kind, name), place in seen.items()
               if (kind, name) not in known]
    missing = [r for r in reasons if (r.kind, r.name) not in seen]
    for fault in faults:
        print(fault)
    for r in missing:
        print(f"{r.place}: no test produced and named {r.kind} {r.name}: {r.text}")
    if missing:
        print(f"{len(reasons) - len(missing)} of {len(reasons)} reasons are tested")
    return 1 if faults or missing else 0


def main():
    ap = argparse.ArgumentParser(description="The reasons: their document and their gate.")
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    ap.add_argument("--root", default=here)
    what = ap.add_mutually_exclusive_group(required=True)
    what.add_argument("--docs", action="store_true", help=f"write {OUTPUT}")
    what.add_argument("--check", action="store_true", help=f"is {OUTPUT} current?")
    what.add_argument("--gate", nargs="+", metavar="FILE", help="what test runs recorded")
    args = ap.parse_args()
    reasons = read_reasons(args.root)
    if args.gate:
        return gate(reasons, args.gate)
    return write(args.root, reasons) if args.docs else check(args.root, reasons)


if __name__ == "__main__":
    sys.exit(main())

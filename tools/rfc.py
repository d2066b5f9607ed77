#!/usr/bin/env python3
"""Which requirement is shown where: docs/RFC.md, made from what the tests themselves say.

    rfc.py [--root DIR]             writes docs/RFC.md
    rfc.py [--root DIR] --check     exit 1: rows that must be shown and are not, ids that do not
                                    exist, or a docs/RFC.md that is out of date
    rfc.py [--root DIR] --open      prints the rows that nothing shows, of any section

The rows are those of docs/requirements.md and docs/attacks.md. A row is shown by COVERS("id id")
inside a TEST("...") of tests/**/*.c, by a line `covers id id` of a lab (labs/*.lab), and by a
comment `covers id id` in a script under tests/. It is departed from by DEVIATION(id): reason in a
comment under src/, and set aside by a line of docs/deviations.md.
"""
import argparse
import fnmatch
import os
import re
import sys

from ctext import Source

TABLES = ["docs/requirements.md", "docs/attacks.md"]
ASIDE = "docs/deviations.md"
OUTPUT = "docs/RFC.md"

# Sections (how their titles begin) whose every row must be shown or explained, and rows besides.
MUST_BE_SHOWN = ["A. RFC 9293", "A2. RFC 9293", "C. ", "B. RFC 1122 link layer",
                 "B. RFC 1122 / 791 IPv4", "B. RFC 1122 / 792 ICMPv4", "B. UDP", "D. IPv6", "D. ICMPv6", "D. Neighbor Discovery", "E. IGMP"]
MUST_BE_SHOWN_ROWS = {"INV-1", "INV-2", "INV-3", "INV-4", "INV-5", "INV-6", "INV-7",
                      "INV-8"}

ID = r"[A-Za-z0-9][\w.\-]*"
# With ids, or naming only a section of an RFC that no row is about.
DEVIATION = re.compile(rf"\bDEVIATION(?:\(({ID}(?:,?\s+{ID})*)\))?:\s*(.*?)"
                       r"(?=\n\s*\n|\bDEVIATION\b|\Z)", re.DOTALL)
SCRIPTS = (".sh", ".py", ".pkt")


class Row:
    def __init__(self, section, name, rfc, text):
        self.section = section
        self.name = name
        self.rfc = rfc
        self.text = text
        self.shown = []         # (where, sentence)
        self.deviations = []    # (where, reason)
        self.aside = None       # the reason of docs/deviations.md

    def must_be_shown(self):
        return self.name in MUST_BE_SHOWN_ROWS or self.section.startswith(tuple(MUST_BE_SHOWN))

    def is_later(self):
        return self.aside is not None and self.aside.startswith("later:")

    def state(self):
        if self.is_later():
            return "later"
        if self.shown:
            return "shown"
        return "explained" if self.deviations or self.aside else "open"


class Table:
    """All rows, and everything that is wrong with what refers to them."""

    def __init__(self, root):
        self.root = root
        self.rows = {}
        self.faults = []
        self.other_deviations = []      # (where, what): of no row
        for path in TABLES:
            self.read_table(path)
        self.read_aside()
        for path in self.files("tests", ".c"):
            self.read_c_test(path)
        for path in self.files("labs", ".lab"):
            self.read_lab(path)
        for path in self.files("tests", SCRIPTS):
            self.read_script(path)
        for path in self.files("src", (".c", ".h")):
            self.read_deviations(path)

    def text_of(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8") as f:
            return f.read()

    def files(self, top, suffixes):
        for folder, folders, names in os.walk(os.path.join(self.root, top)):
            folders.sort()
            for name in sorted(names):
                if name.endswith(suffixes):
                    yield os.path.relpath(os.path.join(folder, name), self.root)

    def row(self, name, where):
        if name not in self.rows:
            self.faults.append(f"{where}: {name} is no requirement and no attack")
        return self.rows.get(name)

    def show(self, ids, path, sentence, line):
        for name in re.split(r"[\s,]+", ids.strip()):
            row = self.row(name, f"{path}:{line}")
            if row and (path, sentence) not in row.shown:
                row.shown.append((path, sentence))

    def read_table(self, path):
        section = ""
        for line in self.text_of(path).splitlines():
            if line.startswith(("# ", "## ")):
                section = line.strip("# ")
            cells = [c.strip() for c in line.strip().strip("|").split("|")]
            if not line.startswith("|") or len(cells) != 4 or cells[0] in ("id", "#", "---"):
                continue
            name = cells[0].split()[0]
            if name in self.rows:
                self.faults.append(f"{path}: {name} stands there twice")
            self.rows[name] = Row(section, name, cells[1], cells[2])

    def read_aside(self):
        for number, line in enumerate(self.text_of(ASIDE).splitlines(), 1):
            m = re.match(rf"((?:{ID}\*?)(?: {ID}\*?)*): (\S.*)$", line)
            if not m or not re.search(r"\d|\*", m.group(1)) and m.group(1) not in self.rows:
                continue
            for pattern in m.group(1).split():
                found = [r for n, r in self.rows.items() if fnmatch.fnmatchcase(n, pattern)]
                if not found:
                    where = f"{ASIDE}:{number}"
                    self.faults.append(f"{where}: {pattern} is no requirement and no attack")
                for row in found:
                    row.aside = row.aside or m.group(2)

    def read_c_test(self, path):
        src = Source(path, self.text_of(path))
        text = without_comments(src)
        tests = [(m.start(), joined(m.group(1))) for m in re.finditer(
            r'^TEST\(\s*((?:"(?:\\.|[^"\\])*"\s*)+)\)', text, re.MULTILINE)]
        for m in re.finditer(r'\bCOVERS\(\s*((?:"[^"]*"\s*)+)\)', text):
            line = src.line_of(m.start())
            before = [sentence for start, sentence in tests if start < m.start()]
            if not before:
                self.faults.append(f"{path}:{line}: COVERS stands in no TEST")
                continue
            self.show(joined(m.group(1)), path, before[-1], line)

    def read_lab(self, path):
        text = self.text_of(path)
        title = re.search(r'^\s*title\s+"((?:\\.|[^"\\])*)"', text, re.MULTILINE)
        for number, line in enumerate(text.splitlines(), 1):
            m = re.match(rf"\s*covers\s+({ID}(?:\s+{ID})*)\s*(?:#.*)?$", line)
            if m:
                self.show(m.group(1), path, title.group(1) if title else path, number)

    def read_script(self, path):
        text = self.text_of(path)
        title = first_sentence(text)
        for number, line in enumerate(text.splitlines(), 1):
            m = re.match(rf"\s*(?:#|//)\s*covers\s+({ID}(?:\s+{ID})*)\s*$", line)
            if m:
                self.show(m.group(1), path, title or path, number)

    def read_deviations(self, path):
        for start, comment in Source(path, self.text_of(path)).comments:
            text = re.sub(r"\n[ \t]*\*?[ \t]?", "\n", comment[2:].removesuffix("*/"))
            for m in DEVIATION.finditer(text):
                line, reason = start + text.count("\n", 0, m.start()), " ".join(m.group(2).split())
                if not m.group(1):
                    self.other_deviations.append((path, reason))
                    continue
                for name in re.split(r",?\s+", m.group(1)):
                    row = self.row(name, f"{path}:{line}")
                    if row:
                        row.deviations.append((path, reason))


def without_comments(src):
    """Strings stay: they are what is looked for."""
    text = src.raw
    for _, comment in src.comments:
        text = text.replace(comment, re.sub(r"[^\n]", " ", comment), 1)
    return text


def joined(literals):
    """What adjacent string literals say together."""
    parts = re.findall(r'"((?:\\.|[^"\\])*)"', literals)
    return re.sub(r"\\(.)", r"\1", "".join(parts))


def first_sentence(text):
    """The first line of comment or docstring of a script, as its title."""
    for line in text.splitlines():
        m = re.match(r'\s*(?:#(?!!)|//|""")\s*(.+?)\s*(?:""")?$', line)
        if m and not m.group(1).startswith("covers "):
            return m.group(1)
    return None


# ---- writing ----

INTRO = """\
# Which RFC requirement is shown where

Made by `tools/rfc.py` from `docs/requirements.md` and `docs/attacks.md`, from what tests and labs
say they cover, from `DEVIATION(id)` comments in the code and from `docs/deviations.md`.

"""


def cell(text):
    return text.replace("|", "\\|")


def where_of(row):
    parts = []
    for path in dict.fromkeys(path for path, _ in row.shown):
        sentences = "; ".join(cell(s) for p, s in row.shown if p == path)
        parts.append(f"`{path.removeprefix('tests/')}`: {sentences}")
    parts += [f"**deviates** (`{path}`): {cell(reason)}" for path, reason in row.deviations]
    if row.aside and not (row.shown or row.deviations) or row.is_later():
        parts.append(f"*{cell(row.aside)}*")
    return "<br>".join(parts) or "**open**"


def document(table):
    out = [INTRO]
    sections = list(dict.fromkeys(row.section for row in table.rows.values()))
    columns = ["shown", "explained", "later", "open"]
    out.append("| section | rows | shown | explained | later | open |\n|---|--:|--:|--:|--:|--:|\n")
    total = [0] * 5
    for section in sections:
        rows = [r for r in table.rows.values() if r.section == section]
        counts = [len(rows)] + [sum(r.state() == c for r in rows) for c in columns]
        total = [a + b for a, b in zip(total, counts)]
        out.append(f"| {section} | " + " | ".join(map(str, counts)) + " |\n")
    out.append("| **all** | " + " | ".join(map(str, total)) + " |\n")
    for section in sections:
        out.append(f"\n## {section}\n\n| id | RFC | requirement | where |\n|---|---|---|---|\n")
        for row in table.rows.values():
            if row.section == section:
                cells = [row.name, cell(row.rfc), cell(row.text), where_of(row)]
                out.append("| " + " | ".join(cells) + " |\n")
    if table.other_deviations:
        out.append("\n## Deviations from what no row says\n\n| where | what |\n|---|---|\n")
        out += [f"| `{path}` | {cell(text)} |\n" for path, text in table.other_deviations]
    return "".join(out)


def check(table, root):
    faults = list(table.faults)
    faults += [f"{row.name} ({row.section}): nothing shows it: {row.text}"
               for row in table.rows.values() if row.must_be_shown() and row.state() == "open"]
    path = os.path.join(root, OUTPUT)
    if not os.path.exists(path) or open(path, encoding="utf-8").read() != document(table):
        faults.append(f"{OUTPUT} is out of date: run tools/rfc.py")
    for fault in faults:
        print(fault)
    return 1 if faults else 0


def main():
    ap = argparse.ArgumentParser(description="Which requirement is shown where.")
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    ap.add_argument("--root", default=here)
    ap.add_argument("--check", action="store_true", help="refuse what is missing or out of date")
    ap.add_argument("--open", action="store_true", help="print the rows that nothing shows")
    args = ap.parse_args()
    table = Table(args.root)
    if args.open:
        for row in table.rows.values():
            if row.state() == "open":
                print(f"{row.name:16} {row.section}: {row.text}")
        return 0
    if args.check:
        return check(table, args.root)
    with open(os.path.join(args.root, OUTPUT), "w", encoding="utf-8") as f:
        f.write(document(table))
    for fault in table.faults:
        print(fault, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

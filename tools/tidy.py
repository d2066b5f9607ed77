#!/usr/bin/env python3
"""What `make tidy` looks at; docs/STYLE.md says why.

    tidy.py [--root DIR] [--sources FILE] [--format] [--quiet]

Refuses, with "file:line: message" and exit status 1, what breaks the house: includes that point
upward or in a circle, an operating system under the core, mutable globals, packet bytes indexed
outside src/wire, unsafe functions, another file's TCP state written to, floating point, deviations
and open ends without a reference, and, given the list of all that is built (--sources, one path a
line, - is standard input), sources that nobody builds. With --format also what clang-format would
change.

Reports, and refuses nothing: long functions, long files, long lines, a file without its mirror
test. --quiet leaves the reports out.

Comments and strings are taken out before a rule about code looks. What a rule must not see is a row
in ALLOWED below, with its reason.
"""
import argparse
import itertools
import os
import re
import shutil
import subprocess
import sys

from ctext import Source, is_mutable_variable

# ---- what stands where ----

TREES = ["include", "src", "lens", "lab", "apps", "host", "inspect", "cli", "examples",
         "bench", "tests", "tools"]
CODE_SUFFIXES = (".c", ".h", ".def")
TEXT_SUFFIXES = (".py", ".js", ".lab")      # looked at for long lines only

# From the bottom up; layers on one line do not know each other.
CORE_ORDER = [["base"], ["wire", "trace"], ["pkt"], ["link"], ["ip"], ["udp", "tcp"], ["sock"],
              ["svc"], ["stack"]]
CORE = [layer for row in CORE_ORDER for layer in row]

# What the rest may include besides itself and include/oriel/oriel.h.
MAY_INCLUDE = {
    "public": [],
    "posix": ["public"],
    "lens": ["base", "trace", "wire", "pkt"],
    "lab": CORE + ["lens"],
    "apps": CORE + ["lens"],
    "examples": ["posix"],
    "host": CORE + ["lens", "lab", "apps", "posix"],
    "inspect": CORE + ["lens", "lab", "apps", "host", "posix"],
    "cli": CORE + ["lens", "lab", "apps", "host", "inspect", "posix"],
}
ANYTHING = ("bench", "tests", "tools")

NO_OS = ("src/", "lens/", "lab/", "apps/", "include/oriel/oriel.h")
SYSTEM_HEADERS = {"stddef.h", "stdint.h", "stdbool.h", "stdalign.h", "limits.h", "string.h"}

# Who may write which part of struct tcp_conn and its flight block; all others read, or call a
# function of an owner. Some parts have several: what was acknowledged, sent, written and told are four
# things of one part (the comment at the head of tcp.h says who has which), and whoever makes a
# connection fills it.
TCP_BIRTH = ("src/tcp/tcp_conn.c", "src/tcp/tcp_open.c", "src/tcp/tcp_call.c")
TCP_OWNERS = {
    "snd": ("src/tcp/tcp_ack.c", "src/tcp/tcp_output.c", "src/tcp/tcp_turn.c", "src/tcp/tcp_segment.c", *TCP_BIRTH),
    "rcv": ("src/tcp/tcp_reasm.c", "src/tcp/tcp_rcvq.c", "src/tcp/tcp_rcv.h",
            "src/tcp/tcp_segment.c", "src/tcp/tcp_rtt.c", *TCP_BIRTH),
    "rtt": ("src/tcp/tcp_rtt.c", "src/tcp/tcp_short.h"),
    "sent": ("src/tcp/tcp_sent.c", "src/tcp/tcp_short.h"),
    "rack": ("src/tcp/tcp_rack.c", "src/tcp/tcp_timer.c", "src/tcp/tcp_short.h"),    # its deadlines
    "recov": ("src/tcp/tcp_recovery.c", "src/tcp/tcp_prr.c", "src/tcp/tcp_undo.c",
              "src/tcp/tcp_plain.c", "src/tcp/tcp_short.h"),
    "timer": ("src/tcp/tcp_timer.c", "src/tcp/tcp.h", "src/tcp/tcp_short.h", "src/tcp/tcp_turn.c", "src/tcp/tcp_output.c",
              "src/tcp/tcp_ack.c", *TCP_BIRTH),
    "cc": ("src/tcp/cc/", "src/tcp/tcp_recovery.c", "src/tcp/tcp_prr.c", "src/tcp/tcp_undo.c"),
}

# (rule, path, what the line of code must match, why). A row that nothing needs is reported.
ALLOWED = [
    ("system", "src/base/csum_x86.c", r"immintrin\.h", "the vector instructions themselves"),
    ("bytes", "src/base/bytes.h", r"", "defines the reader and the writer"),
    ("bytes", "src/base/text.c", r"", "the spans here are text"),
    ("bytes", "src/base/addr.c", r"\bs(\.|->)p\b", "the spans here are text"),
    ("bytes", "src/trace/trace.c", r"\bslot\.p\b", "the spans here are text: event.def"),
    ("bytes", "src/trace/pcapng.c", r"\btext\.p\b", "cuts a text between two characters"),
    ("bytes", "lab/world.c", r"\ball\[v->chance", "damages any byte, whatever it means"),
    ("bytes", "lab/craft_nd.c", r"\*units = ", "a length known only after what it counts"),
]


class Tree:
    """All files that tidy looks at, and how they include each other."""

    def __init__(self, root):
        self.root = root
        self.sources = {}
        self.texts = {}
        for top in TREES:
            for folder, folders, names in os.walk(os.path.join(root, top)):
                folders[:] = sorted(f for f in folders if f not in ("data", "__pycache__"))
                for name in sorted(names):
                    self.take(os.path.relpath(os.path.join(folder, name), root))

    def take(self, path):
        if not path.endswith(CODE_SUFFIXES + TEXT_SUFFIXES):
            return
        with open(os.path.join(self.root, path), encoding="utf-8") as f:
            text = f.read()
        if path.endswith(CODE_SUFFIXES):
            self.sources[path] = Source(path, text)
        else:
            self.texts[path] = text

    def resolve(self, path, name):
        """The file of ours that an include means, or None."""
        for folder in (os.path.dirname(path), "include", "src", "", "tests/unit"):
            there = os.path.normpath(os.path.join(folder, name))
            if there in self.sources:
                return there
        return None

    def edges(self, path):
        """(line, path) of every file of ours that this one includes."""
        for line, name, _ in self.sources[path].includes:
            there = self.resolve(path, name)
            if there:
                yield line, there


def layer_of(path):
    parts = path.split("/")
    if parts[0] == "include":
        return "posix" if parts[-1] == "posix.h" else "public"
    return parts[1] if parts[0] == "src" and len(parts) > 2 else parts[0]


def may_include(above, below):
    if above == below or above in ANYTHING or (below == "public" and above != "public"):
        return True
    if above in CORE:
        rank = {layer: i for i, row in enumerate(CORE_ORDER) for layer in row}
        return below in rank and rank[below] < rank[above]
    return below in MAY_INCLUDE.get(above, [])


# ---- rules: each yields (rule, line, message) for one source ----

def rule_include(tree, src):
    for line, there in tree.edges(src.path):
        above, below = layer_of(src.path), layer_of(there)
        if not may_include(above, below):
            yield "include", line, f"include points upward: {above} does not see {below} ({there})"


def rule_cycle(tree, src):
    """A circle is told once, at the file of it that sorts first."""
    stack, seen = [(src.path, [])], set()
    while stack:
        path, way = stack.pop()
        for line, there in tree.edges(path):
            first_line = way[0][0] if way else line
            if there == src.path:
                circle = [src.path] + [p for _, p in way] + [src.path]
                if src.path == min(circle):
                    yield "cycle", first_line, "include cycle: " + " -> ".join(circle)
                    return
            elif there not in seen:
                seen.add(there)
                stack.append((there, way + [(line, there)]))


def rule_system(tree, src):
    if not src.path.startswith(NO_OS):
        return
    for line, name, is_system in src.includes:
        if is_system and name not in SYSTEM_HEADERS:
            yield "system", line, f"<{name}> has no place in the core"


def each_match(src, pattern):
    for m in re.finditer(pattern, src.code):
        yield src.line_of(m.end() - 1), m


NOT_A_MEMBER = r"(?<![\w.>])"
OS_CALLS = {
    "the heap": "malloc|calloc|realloc|free|aligned_alloc|posix_memalign|strdup|strndup|mmap",
    "a clock": "time|clock|clock_gettime|gettimeofday|timespec_get|localtime|gmtime|nanosleep|"
               "usleep|sleep|__rdtsc|_rdtsc|__builtin_ia32_rdtsc",
    "randomness": "rand|srand|random|srandom|rand_r|drand48|getrandom|getentropy|arc4random|"
                  "arc4random_uniform|arc4random_buf|_rdrand64_step",
    "input or output": "printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|putc|fputc|fopen|fwrite|"
                       "fread|perror|getenv|system|popen",
}


def rule_os_calls(tree, src):
    if not src.path.startswith(NO_OS):
        return
    for what, names in OS_CALLS.items():
        for line, m in each_match(src, NOT_A_MEMBER + rf"({names})\s*\("):
            yield "os", line, f"{m.group(1)}(): {what} has no place in the core"


def rule_globals(tree, src):
    if not src.path.startswith(NO_OS) or src.path.endswith(".def"):
        return
    for item in src.items:
        if item.body is None:
            if is_mutable_variable(item.head):
                what = first_words(item.head)
                yield "globals", item.line, f"mutable variable at file scope: {what}"
            continue
        for m in re.finditer(r"\b(?:static|_Thread_local)\s+([^;{}]*)", item.body):
            if is_mutable_variable(m.group(1)):
                line = item.body_line + item.body.count("\n", 0, m.start())
                yield "globals", line, f"mutable static variable: {first_words(m.group(1))}"


def first_words(text):
    return " ".join(text.split())[:60]


DEREF = r"(?:(?<=[=(,;!&|<>?:{}+\-])|(?<=\breturn))\s*\*\s*"
CHAIN = r"\w+(?:(?:\.|->)\w+)*(?:\.|->)"      # s.  r->  p->head.
BYTE_PATTERNS = [
    (r"\bpkt_data\s*\([^()]*\)\s*\)*\s*\[", "indexes pkt_data()"),
    (DEREF + r"pkt_data\s*\(", "reads through pkt_data()"),
    (r"(?:\.|->)bytes\s*\[", "indexes a block's bytes"),
    (r"\b(?:load|store)_be(?:16|32|64)\s*\(", "reads or writes a word on the wire"),
    (r"\(\s*(?:const\s+)?struct\s+\w+\s*\*\s*\)\s*"
     r"(?:\(\s*(?:const\s+)?void\s*\*\s*\)\s*)?"
     r"(?:pkt_data\s*\(|" + CHAIN + r"p\b)", "casts packet bytes to a struct"),
]
SPAN_USE = re.compile(rf"({CHAIN})p\s*\[([^\]]*)\]|{DEREF}({CHAIN})p\b(?!\s*[.\-(\[])")
BYTE_NAMES = {"frame", "packet", "pkt", "payload", "hdr", "header", "quote", "quoted", "datagram",
              "segment", "message"}
BYTES_ADVICE = "; only src/wire looks inside packets (struct rd, struct wr)"


def rule_bytes(tree, src):
    if not src.path.startswith(("src/", "lens/", "lab/", "apps/")):
        return
    if src.path.startswith("src/wire/"):
        return
    for pattern, what in BYTE_PATTERNS:
        for line, _ in each_match(src, pattern):
            yield "bytes", line, what + BYTES_ADVICE
    for f in src.functions:
        for offset, what in bytes_in_function(f, every_span=src.path.startswith("src/")):
            line = f.body_line + f.body.count("\n", 0, offset)
            yield "bytes", line, what + BYTES_ADVICE


def bytes_in_function(f, every_span):
    """(offset in the body, what) of each look at bytes through a span, a reader or a pointer.

    A span names text as well as packets. Under src/ that makes no difference: what handles text
    there is few files, and allowed. Elsewhere most spans are words of a command or a file, so a
    span counts when its name says packet, when it came from a reader or a packet, or when the
    index is a fixed place in a format."""
    readers = set(re.findall(r"\bstruct\s+rd\s+\*?(\w+)", f.head + ";" + f.body))
    taken = set(re.findall(r"\bstruct\s+span\s+(\w+)\s*=\s*(?:rd|pkt|wr)_\w+\s*\(", f.body))
    for m in SPAN_USE.finditer(f.body):
        names = set(re.findall(r"\w+", m.group(1) or m.group(3)))
        fixed_place = re.match(r"\s*([A-Z]|[2-9]\b|\d\d|0x)", m.group(2) or "")
        if every_span or fixed_place or names & (readers | taken | BYTE_NAMES):
            yield m.end(), "looks at the bytes of a span"
    pointers = re.findall(r"(\w+)\s*=\s*(?:\([^()]*\)\s*)?(?:pkt_data|wr_room)\s*\(", f.body)
    for name in set(pointers):
        for m in re.finditer(rf"(?<![\w.>]){name}\s*\[|{DEREF}{name}\b(?!\s*[.\-(])", f.body):
            yield m.end(), f"looks at packet bytes through {name}"


BANNED = {
    "packed": "packed structs: parse and emit in src/wire",
    "__packed__": "packed structs: parse and emit in src/wire",
    "strcpy": "strcpy: the destination has a length",
    "strcat": "strcat: the destination has a length",
    "sprintf": "sprintf: the destination has a length (struct txt, snprintf)",
    "vsprintf": "vsprintf: the destination has a length (struct txt, vsnprintf)",
    "gets": "gets: the destination has a length",
    "alloca": "alloca: memory comes from a pool",
    "__builtin_alloca": "alloca: memory comes from a pool",
}
BYTE_ORDER = (r"(?:hton|ntoh)(?:s|l|ll)|(?:htobe|be|htole|le)(?:16|32|64)(?:toh)?"
              r"|__bswap_(?:16|32|64)")


def rule_banned(tree, src):
    for line, m in each_match(src, NOT_A_MEMBER + r"(" + "|".join(BANNED) + r")\b"):
        if m.group(1) in ("packed", "__packed__") and not is_attribute(src, m):
            continue
        yield "banned", line, BANNED[m.group(1)]
    if not src.path.startswith(("src/", "lens/", "lab/", "apps/", "inspect/", "cli/", "include/")):
        return
    for line, m in each_match(src, NOT_A_MEMBER + rf"({BYTE_ORDER})\s*\("):
        yield "banned", line, f"{m.group(1)}: byte order is src/wire's business (rd_u16, wr_u16)"


def is_attribute(src, m):
    """A variable may well be called packed."""
    line = src.code_lines[src.line_of(m.start()) - 1]
    return "__attribute__" in line or re.search(r"#\s*pragma", line) is not None


DECLARATION = re.compile(
    r"(?:^|[;{}])\s*(?:(?:static|const|volatile|register)\s+)*"
    r"(?:(?:struct|enum|union)\s+\w+|unsigned|signed|bool|char|short|int|long|\w+_t)[\s*]"
    r"([^;={}]*)", re.MULTILINE)
ARRAY = re.compile(r"(\w+)\s*\[((?:[^\[\]]|\[[^\]]*\])*)\]")
CONSTANT = re.compile(
    r"\b(?:sizeof|ARRAY_LEN|offsetof)\s*\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
    r"|\bsizeof\s+(?:\"[^\"]*\"|[\w.>\-\[\]]+)|\(\s*(?:unsigned|int|\w+_t)\s*\)")


def rule_vla(tree, src):
    for f in src.functions:
        for m in DECLARATION.finditer(f.body):
            line = f.body_line + f.body.count("\n", 0, m.start(1))
            for name, size in ARRAY.findall(m.group(1)):
                if re.search(r"(?<!\w)[a-z_]\w*", CONSTANT.sub("1", size)):
                    yield "vla", line, f"variable-length array: {name}[{size}]"


WRITE = r"(?:->|\.)({parts})\.[\w.\[\]]*\s*(?:=(?!=)|[-+*/%|&^]=|<<=|>>=|\+\+|--)"
PREFIX = r"(?:\+\+|--)\s*\w+(?:->|\.)({parts})\."


def rule_owner(tree, src):
    if not src.path.startswith("src/tcp/"):
        return
    parts = "|".join(TCP_OWNERS)
    for pattern in (WRITE, PREFIX):
        for line, m in each_match(src, pattern.replace("{parts}", parts)):
            owners = TCP_OWNERS[m.group(1)]
            if not src.path.startswith(owners):
                yield ("owner", line, f"{m.group(1)} is not written to here: call a function of "
                       f"{owners[0]}")


NUMBER = re.compile(r"(?<![\w.])\.?\d(?:[eEpP][+-]|[\w.])*")


def rule_float(tree, src):
    if not src.path.startswith(("src/", "lens/", "lab/", "include/oriel/oriel.h")):
        return
    for line, m in each_match(src, r"\b(float|double)\b"):
        yield "float", line, f"floating point ({m.group(1)}): results depend on the machine"
    for number, text in enumerate(src.code_lines, 1):
        for m in NUMBER.finditer(text):
            digits = m.group().lower()
            if "." in digits or ("p" if digits.startswith("0x") else "e") in digits:
                yield "float", number, f"floating point ({m.group()})"


def rule_references(tree, src):
    """A deviation says from what; what is left open says where it is kept in mind."""
    for start, text in src.comments:
        for m in re.finditer(r"\b(DEVIATION|TODO|FIXME|XXX)\b", text):
            line = start + text.count("\n", 0, m.start())
            after = text[m.end():m.end() + 160]
            if m.group(1) == "DEVIATION":
                if not re.match(r"\([\w.\- ]+\)|:\s+RFC\s+\d+", after):
                    yield "reference", line, ("DEVIATION without a reference: "
                                              "DEVIATION(requirement id): reason")
            elif not re.match(r"[^\n]{0,20}#\d+", after):
                yield "reference", line, f"{m.group(1)} without an issue number (#N)"


RULES = [rule_include, rule_cycle, rule_system, rule_os_calls, rule_globals, rule_bytes,
         rule_banned, rule_vla, rule_owner, rule_float, rule_references]


def unbuilt(tree, built):
    """Sources that nobody compiles, headers that nothing compiled includes."""
    reached, stack = set(), [p for p in built if p in tree.sources]
    while stack:
        path = stack.pop()
        if path not in reached:
            reached.add(path)
            stack.extend(there for _, there in tree.edges(path))
    for path in tree.sources:
        if path.endswith(".c") and path not in built:
            yield path, "nobody builds this file"
        elif path not in reached and not path.startswith(("include/", "tools/")):
            yield path, "nothing that is built includes this file"


def squeezed(text):
    """Lines without the spaces that align comments, cases and columns: those are the writer's."""
    return [re.sub(r"(?<=\S)[ \t]+", " ", line).rstrip() for line in text.splitlines()]


def misformatted(tree):
    """The first line of each file where clang-format would break or indent otherwise."""
    if not shutil.which("clang-format"):
        sys.exit("tidy: --format needs clang-format")
    for path, src in tree.sources.items():
        if path.endswith(".def"):
            continue                    # tables: their columns are aligned by hand
        done = subprocess.run(["clang-format", path], cwd=tree.root, stdout=subprocess.PIPE,
                              text=True, check=True)
        ours, theirs = squeezed(src.raw), squeezed(done.stdout)
        for number, (a, b) in enumerate(itertools.zip_longest(ours, theirs), 1):
            if a != b:
                yield path, number, "clang-format would write this otherwise"
                break


# ---- refusing ----

class Allowed:
    """The rows of ALLOWED, and which of them were needed."""

    def __init__(self):
        self.used = set()

    def covers(self, rule, src, line):
        for i, (its_rule, path, pattern, _) in enumerate(ALLOWED):
            if its_rule != rule or not src.path.startswith(path):
                continue
            if re.search(pattern, src.lines[line - 1]):
                self.used.add(i)
                return True
        return False

    def unused(self):
        return [row for i, row in enumerate(ALLOWED) if i not in self.used]


def refusals(tree, allowed):
    found = set()
    for src in tree.sources.values():
        for rule in RULES:
            for name, line, message in rule(tree, src):
                if not allowed.covers(name, src, line):
                    found.add((src.path, line, message))
    return found


# ---- reporting ----

FUNCTION_LINES = 60
FILE_LINES = 800
COLUMNS = 100


def reports(tree, allowed):
    for path, src in tree.sources.items():
        for f in src.functions:
            if f.body_lines > FUNCTION_LINES:
                yield f"{path}:{f.line}: {f.name} has {f.body_lines} lines"
        if len(src.lines) > FILE_LINES:
            yield f"{path}:1: {len(src.lines)} lines"
        if path.startswith("src/") and path.endswith(".c") and not has_mirror_test(tree, path):
            yield f"{path}:1: no mirror test"
    for path, text in [(p, s.raw) for p, s in tree.sources.items()] + list(tree.texts.items()):
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) > COLUMNS:
                yield f"{path}:{number}: {len(line)} columns"
    for rule, path, _, reason in allowed.unused():
        if any(p.startswith(path) for p in tree.sources):
            yield f"{path}:1: tidy allows something here that nobody needs ({rule}: {reason})"


def has_mirror_test(tree, path):
    parts = path.split("/")
    test = "test_" + parts[-1]
    return any("/".join(["tests", "unit"] + folders + [test]) in tree.sources
               for folders in (parts[1:-1], parts[1:2]))


def read_list(path):
    text = sys.stdin.read() if path == "-" else open(path, encoding="utf-8").read()
    return {os.path.normpath(p) for p in text.split()}


def main():
    ap = argparse.ArgumentParser(description="Looks at the sources for what breaks the house.")
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    ap.add_argument("--root", default=here, help="the tree (the one this tool stands in)")
    ap.add_argument("--sources", metavar="FILE", help="paths of all that is built, one a line")
    ap.add_argument("--format", action="store_true", help="refuse what clang-format would change")
    ap.add_argument("--quiet", action="store_true", help="no reports")
    args = ap.parse_args()

    tree, allowed = Tree(args.root), Allowed()
    found = refusals(tree, allowed)
    if args.sources:
        found |= {(path, 1, message) for path, message in unbuilt(tree, read_list(args.sources))}
    if args.format:
        found |= set(misformatted(tree))
    if not args.quiet:
        for line in reports(tree, allowed):
            print(f"{line} (a report)")
    for path, line, message in sorted(found):
        print(f"{path}:{line}: {message}")
    if found:
        print(f"tidy: {len(found)} refused", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

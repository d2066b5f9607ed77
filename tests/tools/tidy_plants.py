#!/usr/bin/env python3
"""Plants one of everything that tools/tidy.py refuses into a clean small tree. Prints TAP.

A plant is refused by name, at its line, and nothing else with it; and what only looks like one
(in a comment, in a string, a member with that name) is let through.
"""
import os
import subprocess
import sys
import tempfile

from lib.tap import Skip, finish, test

HERE = os.path.dirname(os.path.abspath(__file__))
TIDY = os.path.join(HERE, "..", "..", "tools", "tidy.py")

CLEAN = {
    "include/oriel/oriel.h": """\
#ifndef ORIEL_H
#define ORIEL_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
struct oriel_stack;
int oriel_send(struct oriel_stack *s, const void *data, uint32_t n);
#ifdef __cplusplus
}
#endif
#endif
""",
    "src/base/bytes.h": """\
#include "oriel/oriel.h"
struct span { const uint8_t *p; uint32_t n; };
struct rd { const uint8_t *p, *end; };
""",
    "src/trace/why.def": 'WHY(ECHO, "792 3", "malloc(1.5) is a word here")\n',
    "src/trace/trace.h": """\
#include "base/bytes.h"
enum why {
#define WHY(name, rfc, text) WHY_##name,
#include "trace/why.def"
#undef WHY
    WHY_N
};
extern const char *const why_names[WHY_N];
""",
    "src/wire/udp.h": '#include "base/bytes.h"\nint udp_parse(struct rd *r);\n',
    "src/wire/udp.c": """\
#include "wire/udp.h"

int udp_parse(struct rd *r)
{
    return r->p[0] << 8 | *r->p;
}
""",
    "src/pkt/pkt.h": '#include "trace/trace.h"\nstruct pkt;\nuint8_t *pkt_data(struct pkt *p);\n',
    "src/ip/ip.h": '#include "pkt/pkt.h"\nstruct ops { void (*free)(void *p); int time; };\n',
    "src/ip/ip.c": """\
/* malloc(), float, #include <stdio.h> and strcpy() are only words here. */
#include "ip/ip.h"

#include "wire/udp.h"

#include <string.h>

static const int primes[] = {2, 3, 5};
static const char *const names[] = {"sprintf(%d)", "time() 1.5"};
static int (*const steps[])(int a) = {0};
static const struct { int a, b; } pairs[2] = {{1, 2}, {3, 4}};
enum { IP_MAX = 0x1e5, IP_MIN };
typedef int ip_number;
struct ip_state { int n; };
static int later(int (*run)(int), int n);
typedef int step_fn(int n);
step_fn step_one, step_two;

/* DEVIATION(791-1): we do less. DEVIATION: RFC 1122, 3.2: and otherwise. TODO(#12): more. */
static int later(int (*run)(int), int n)
{
    static const int base = 7;
    uint8_t bytes[IP_MAX], more[sizeof(struct ip_state) * 2];
    (void)bytes; (void)more; (void)primes; (void)names; (void)steps; (void)pairs;
    return run(n) * base + IP_MIN;
}

int ip_free(struct ops *ops, struct pkt *p)
{
    ops->free(p);
    memset(pkt_data(p), 0, 4);
    return later(0, ops->time);
}
""",
    "src/tcp/tcp.h": '#include "ip/ip.h"\nstruct tcp_conn { struct { int una; } snd; };\n',
    "src/tcp/tcp_output.c": """\
#include "tcp/tcp.h"

void tcp_output(struct tcp_conn *c)
{
    c->snd.una = 1;
}
""",
    "src/tcp/tcp_input.c": """\
#include "tcp/tcp.h"

int tcp_input(struct tcp_conn *c)
{
    return c->snd.una == 2;
}
""",
    "lens/look.c": """\
#include "wire/udp.h"

int look(struct span text, uint32_t i)
{
    return text.p[i] == 'a' && text.p[0] == 'b';
}
""",
    "lab/world.c": '#include "ip/ip.h"\nint world(void);\n',
    "host/host.h": "int host_now(void);\n",
    "host/loop.c": '#include "host/host.h"\n#include <stdio.h>\n#include <time.h>\nstatic int n;\n',
    "cli/main.c": '#include "host/host.h"\n#include <stdlib.h>\n',
    "tests/unit/ip/test_ip.c": '#include "ip/ip.c"\n#include <stdlib.h>\n',
}
BUILT = "".join(path + "\n" for path in CLEAN if path.endswith(".c"))
INSIDE = "int f(struct pkt *p, struct rd *r, struct span s, uint32_t n)\n{\n    %s\n}\n"


def tidy(files, *args, sources=None):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            path = os.path.join(root, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        more = ["--sources", "-"] if sources is not None else []
        return subprocess.run([sys.executable, TIDY, "--root", root, *args, *more], input=sources,
                              capture_output=True, text=True, check=False)


def refused(done):
    return [line for line in done.stdout.splitlines() if not line.endswith("(a report)")]


def plant(path, text, message, times=1):
    """Appends a text to a file (or makes one) and expects one message, at the line where the text
    begins, or where it says so: a line with @ in it; the @ is taken out."""
    before = CLEAN.get(path, "")
    lines = (before + text).split("\n")
    at = next((n for n, line in enumerate(lines, 1) if "@" in line), before.count("\n") + 1)
    done = tidy({**CLEAN, path: (before + text).replace("@", "")})
    expected = f"{path}:{at}: "
    found = refused(done)
    assert done.returncode == 1, done.stdout
    assert len(found) == times, found
    assert found[0].startswith(expected) and message in found[0], (expected, message, found)


def plants(sentence, *rows):
    @test(sentence)
    def _():
        for row in rows:
            plant(*row)


@test("a clean tree passes, and nothing is said")
def _():
    done = tidy(CLEAN, "--quiet", sources=BUILT)
    assert done.returncode == 0 and done.stdout == "" and done.stderr == "", done


plants("an include that points upward",
       ("src/base/up.c", '#include "wire/udp.h"\n', "base does not see wire"),
       ("src/wire/up.c", '#include "trace/trace.h"\n', "wire does not see trace"),
       ("src/trace/up.c", '#include "wire/udp.h"\n', "trace does not see wire"),
       ("src/ip/up.c", '\n@#include "tcp/tcp.h"\n', "ip does not see tcp"),
       ("src/udp/up.c", '#include "tcp/tcp.h"\n', "udp does not see tcp"),
       ("src/pkt/up.c", '#include "../ip/ip.h"\n', "pkt does not see ip"),
       ("src/stack/up.c", '#include "host/host.h"\n', "stack does not see host"),
       ("lens/up.c", '#include "ip/ip.h"\n', "lens does not see ip"),
       ("lab/up.c", '#include "host/host.h"\n', "lab does not see host"),
       ("include/oriel/up.h", '#include "base/bytes.h"\n', "public does not see base"))


@test("includes in a circle, told once")
def _():
    files = {**CLEAN, "src/ip/a.h": '#include "ip/b.h"\n', "src/ip/b.h": '\n#include "ip/c.h"\n',
             "src/ip/c.h": '#include "ip/a.h"\n'}
    found = refused(tidy(files))
    circle = "src/ip/a.h -> src/ip/b.h -> src/ip/c.h -> src/ip/a.h"
    assert found == [f"src/ip/a.h:1: include cycle: {circle}"], found


plants("headers of an operating system in the core",
       ("src/ip/ip.c", "#include <stdio.h>\n", "<stdio.h>"),
       ("src/ip/ip.h", "#include <sys/socket.h>\n", "<sys/socket.h>"),
       ("src/tcp/tcp.h", "#include <time.h>\n", "<time.h>"),
       ("lens/look.c", "#include <stdlib.h>\n", "<stdlib.h>"),
       ("lab/world.c", "#include <errno.h>\n", "<errno.h>"),
       ("src/ip/ip.c", "#include <immintrin.h>\n", "<immintrin.h>"))

plants("the heap, clocks, randomness, input and output in the core",
       ("src/ip/ip.c", INSIDE % "@return malloc(4) != 0;", "malloc(): the heap"),
       ("src/ip/ip.c", INSIDE % "@return calloc(1, 4) != 0;", "calloc(): the heap"),
       ("src/ip/ip.c", INSIDE % "@return realloc(p, 4) != 0;", "realloc(): the heap"),
       ("src/ip/ip.c", INSIDE % "@free(p);", "free(): the heap"),
       ("lab/world.c", INSIDE % "@return time(0) > 1;", "time(): a clock"),
       ("lens/look.c", INSIDE % "@return clock_gettime(1, 0);", "clock_gettime(): a clock"),
       ("src/tcp/tcp_input.c", INSIDE % "@return rand();", "rand(): randomness"),
       ("src/tcp/tcp_input.c", INSIDE % "@return getrandom(p, 1, 0);", "getrandom(): randomness"),
       ("src/ip/ip.c", INSIDE % '@printf("x");', "printf(): input or output"))

plants("mutable variables that outlive a call",
       ("src/ip/ip.c", "static int counter;\n", "file scope: static int counter"),
       ("src/ip/ip.c", "int counter = 1;\n", "file scope"),
       ("src/ip/ip.c", "static const char *word;\n", "file scope"),
       ("src/ip/ip.c", "static struct { int a; } table[4] = {{1}};\n", "file scope"),
       ("src/ip/ip.c", "static int (*hook)(int);\n", "file scope"),
       ("src/ip/ip.h", "extern int counter;\n", "file scope"),
       ("lab/world.c", "struct ops worlds[2];\n", "file scope"),
       ("lens/look.c", "#ifdef A\n#else\n@static int other;\n#endif\n", "file scope"),
       ("src/ip/ip.c", INSIDE % "\n    @static int calls = 0;", "mutable static variable"))

plants("packet bytes looked at outside src/wire",
       ("src/ip/ip.c", INSIDE % "@return pkt_data(p)[9];", "indexes pkt_data()"),
       ("src/ip/ip.c", INSIDE % "@return *pkt_data(p);", "reads through pkt_data()"),
       ("src/ip/ip.c", INSIDE % "uint8_t *b = pkt_data(p);\n    @return b[0];", "through b"),
       ("src/ip/ip.c", INSIDE % "uint8_t *b = pkt_data(p);\n    @return n + *b;", "through b"),
       ("src/ip/ip.c", INSIDE % "@return s.p[n];", "bytes of a span"),
       ("src/ip/ip.c", INSIDE % "@return r->p[n];", "bytes of a span"),
       ("src/ip/ip.c", INSIDE % "@return n + *r->p;", "bytes of a span"),
       ("src/ip/ip.c", INSIDE % "@return b->bytes[n];", "a block's bytes"),
       ("src/ip/ip.c", INSIDE % "@return load_be16(s.p);", "a word on the wire"),
       ("src/ip/ip.c", INSIDE % "@return ((struct ops *)pkt_data(p))->time;", "casts packet bytes"),
       ("src/ip/ip.c", INSIDE % "@return ((const struct ops *)(const void *)s.p)->time;", "casts"),
       ("lens/look.c", INSIDE % "@return r->p[n];", "bytes of a span"),
       ("lens/look.c", INSIDE % "@return s.p[12];", "bytes of a span"),
       ("lens/look.c", INSIDE % "@return s.p[UDP_PORT_AT];", "bytes of a span"),
       ("lens/look.c", INSIDE % "struct span b = rd_rest(r);\n    @return b.p[n];", "of a span"),
       ("lab/world.c", INSIDE % "@return frame.p[n];", "bytes of a span"))

plants("packed structs, in any tree",
       ("src/ip/ip.h", "struct __attribute__((packed)) hdr { int a; };\n", "packed structs"),
       ("host/host.h", "struct hdr { int a; } __attribute__((__packed__));\n", "packed structs"))

plants("functions that turn bytes round, in the core and above it",
       ("src/ip/ip.c", INSIDE % "@return ntohs(n);", "ntohs: byte order"),
       ("lab/world.c", INSIDE % "@return htonl(n);", "htonl: byte order"),
       ("cli/main.c", INSIDE % "@return be16toh(n);", "be16toh: byte order"))

plants("functions that write without knowing how much there is room for, in any tree",
       ("src/ip/ip.c", INSIDE % "@strcpy(p, r);", "strcpy"),
       ("host/loop.c", INSIDE % "@strcat(p, r);", "strcat"),
       ("cli/main.c", INSIDE % '@sprintf(p, "x");', "sprintf"),
       ("tests/unit/ip/test_ip.c", INSIDE % '@vsprintf(p, "x", r);', "vsprintf"))

plants("memory on the stack whose size is not known",
       ("host/loop.c", INSIDE % "@char *b = alloca(n);", "alloca"),
       ("host/loop.c", INSIDE % "@char b[n];", "variable-length array: b[n]"),
       ("src/ip/ip.c", INSIDE % "@uint8_t a[4], b[2 * n + 1];", "variable-length array: b["))

plants("a write to a part of a connection that is another file's",
       ("src/tcp/tcp_input.c", INSIDE % "@c->snd.una = 3;", "snd is not written to here"),
       ("src/tcp/tcp_input.c", INSIDE % "@c->rtt.srtt += 3;", "is not written to here"),
       ("src/tcp/tcp_input.c", INSIDE % "@c->rack.n++;", "is not written to here"),
       ("src/tcp/tcp_input.c", INSIDE % "@++c->sent.n;", "is not written to here"))

plants("floating point in the core",
       ("src/ip/ip.c", "int f(float x);\n", "floating point (float)"),
       ("lab/world.c", "int f(double x);\n", "floating point (double)"),
       ("lens/look.c", INSIDE % "@return n * 1.5;", "floating point (1.5)"),
       ("lab/world.c", INSIDE % "@return n * 1e3;", "floating point (1e3)"),
       ("src/ip/ip.c", INSIDE % "@return n * .5f;", "floating point (.5f)"))

plants("a deviation without a requirement or an RFC",
       ("src/ip/ip.c", "/* DEVIATION: we know better. */\n", "DEVIATION without a reference"),
       ("src/ip/ip.c", "/*\n * @DEVIATION\n */\n", "DEVIATION without a reference"))

plants("something left open without the number of an issue",
       ("src/ip/ip.c", "/* TODO: the rest */\n", "TODO without an issue number"),
       ("cli/main.c", "// FIXME later\n", "FIXME without an issue number"),
       ("tests/unit/ip/test_ip.c", "/* one\n   @XXX two */\n", "XXX without an issue number"))


@test("a source that nobody builds, and a header that nothing built includes")
def _():
    files = {**CLEAN, "src/ip/lost.c": "", "bench/lost.c": "", "src/ip/lost.h": ""}
    found = refused(tidy(files, sources=BUILT))
    assert found == ["bench/lost.c:1: nobody builds this file",
                     "src/ip/lost.c:1: nobody builds this file",
                     "src/ip/lost.h:1: nothing that is built includes this file"], found


@test("what clang-format would write otherwise, when asked")
def _():
    files = {**CLEAN, ".clang-format": "BasedOnStyle: LLVM\n",
             "src/ip/ugly.c": "int  a ( int b ) ;\n"}
    assert refused(tidy(files)) == []
    done = tidy(files, "--format")
    if "needs clang-format" in done.stderr:
        raise Skip("no clang-format")
    assert any(line.startswith("src/ip/ugly.c:") for line in refused(done)), done.stdout


@test("long functions, files and lines and missing tests are reported and not refused")
def _():
    body = "    (void)0;\n" * 61
    files = {**CLEAN, "src/ip/long.c": "int f(int a)\n{\n" + body + "}\n" + "/* */\n" * 800 +
             "/* " + "x" * 100 + " */\n"}
    done = tidy(files)
    assert done.returncode == 0, done.stdout
    for report in ("src/ip/long.c:1: f has 61 lines", "src/ip/long.c:1: 865 lines",
                   "src/ip/long.c:865: 106 columns", "src/ip/long.c:1: no mirror test"):
        assert f"{report} (a report)" in done.stdout, (report, done.stdout)
    assert "src/ip/ip.c:1: no mirror" not in done.stdout
    assert tidy(files, "--quiet").stdout == ""


finish()

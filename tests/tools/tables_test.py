#!/usr/bin/env python3
"""What tools/rfc.py and tools/reasons.py read, write and refuse. Prints TAP."""
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager

from lib.tap import finish, test

HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = os.path.join(HERE, "..", "..", "tools")

TREE = {
    "docs/requirements.md": """\
# Requirements

## B. UDP

| id | RFC | requirement (own words) | test idea |
|---|---|---|---|
| 768-1 | 768 | Checksums. | Vectors. |
| 768-2 | 768 | Lengths. | Sweep. |
| 768-3 | 768 | Ports. | Sweep. |

## A. TCP

| id | RFC | requirement (own words) | test idea |
|---|---|---|---|
| MUST-1 | 9293 | Windows. | - |
| MUST-2 (?) | 9293 | Checksums. | - |
""",
    "docs/attacks.md": """\
# Attacks

| # | a | b | c |
|---|---|---|---|
| S1 | class | bug | test |
""",
    "docs/deviations.md": "# Aside\n\nSome prose: with a colon.\n\nMUST-*: later: TCP\n",
    "tests/unit/udp/test_udp.c": """\
/* COVERS("NO-1") in a comment is nothing. */
TEST("a checksum | is "
     "looked at")
{
    COVERS("768-1, S1");
}

TEST("a length too")
{
    COVERS("768-2"
           " 768-1");
}
""",
    "labs/udp.lab": 'title "Ports, seen"\n# a note\ncovers 768-3   # and more\n',
    "tests/script/syn.sh": "#!/bin/sh\n# A window is scaled.\n# covers MUST-1\n",
    "src/udp/udp.c": """\
/*
 * DEVIATION(768-2): shorter ones
 * are taken too.
 *
 * Other prose. DEVIATION: RFC 1, 2: something else.
 */
""",
    "src/trace/why.def": '/* WHY(NOT, "1", "a row") */\nWHY(ECHO,  "792 3", "asked for")\n',
    "src/trace/drop.def": """\
DROP(LOST, "", "lost | gone")
DROP(VLAN, "802.1Q 8.6", "an "
     "answer")
""",
}


@contextmanager
def tree(**changes):
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**TREE, **changes.pop("files", {})}.items():
            path = os.path.join(root, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        yield root


def run(tool, root, *args):
    return subprocess.run([sys.executable, os.path.join(TOOLS, tool), "--root", root, *args],
                          capture_output=True, text=True, check=False)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


def rfc_row(root, name):
    return next(line for line in read(root, "docs/RFC.md").splitlines()
                if line.startswith(f"| {name} |"))


@test("a test's sentence stands at every row that it covers")
def _():
    with tree() as root:
        assert run("rfc.py", root).returncode == 0
        row = rfc_row(root, "768-1")
        assert "`unit/udp/test_udp.c`: a checksum \\| is looked at; a length too" in row, row
        assert "a checksum" in rfc_row(root, "S1")


@test("a lab covers by its title, a script by its first line")
def _():
    with tree() as root:
        run("rfc.py", root)
        assert "`labs/udp.lab`: Ports, seen |" in rfc_row(root, "768-3")
        assert "`script/syn.sh`: A window is scaled." in rfc_row(root, "MUST-1")


@test("a deviation is told with its reason, at its row or at the end")
def _():
    with tree() as root:
        run("rfc.py", root)
        row = rfc_row(root, "768-2")
        assert "**deviates** (`src/udp/udp.c`): shorter ones are taken too. |" in row, row
        assert "| `src/udp/udp.c` | RFC 1, 2: something else. |" in read(root, "docs/RFC.md")


@test("a row set aside says until when, also where something shows it")
def _():
    with tree() as root:
        run("rfc.py", root)
        assert rfc_row(root, "MUST-2").endswith("| *later: TCP* |")
        assert rfc_row(root, "MUST-1").endswith("<br>*later: TCP* |")
        assert "| A. TCP | 2 | 0 | 0 | 2 | 0 |" in read(root, "docs/RFC.md")


@test("the check passes when all that must be shown is, and the document is current")
def _():
    with tree() as root:
        run("rfc.py", root)
        done = run("rfc.py", root, "--check")
        assert (done.returncode, done.stdout) == (0, ""), done.stdout


@test("the check names rows that nothing shows")
def _():
    with tree(files={"labs/udp.lab": 'title "x"\n'}) as root:
        run("rfc.py", root)
        done = run("rfc.py", root, "--check")
        assert done.returncode == 1, done.stdout
        assert done.stdout.startswith("768-3 (B. UDP): nothing shows it: Ports."), done.stdout
        assert run("rfc.py", root, "--open").stdout.startswith("768-3 ")


@test("the check names ids that do not exist, and where they stand")
def _():
    files = {"tests/unit/udp/test_more.c": 'TEST("x")\n{\n    COVERS("768-9");\n}\n',
             "docs/deviations.md": "MUST-*: later: TCP\nSHLD-*: never\n"}
    with tree(files=files) as root:
        run("rfc.py", root)
        out = run("rfc.py", root, "--check").stdout
        assert "tests/unit/udp/test_more.c:3: 768-9 is no requirement" in out, out
        assert "docs/deviations.md:2: SHLD-* is no" in out, out


@test("the check wants a current document")
def _():
    with tree() as root:
        assert "docs/RFC.md is out of date" in run("rfc.py", root, "--check").stdout
        run("rfc.py", root)
        with open(os.path.join(root, "docs/RFC.md"), "a", encoding="utf-8") as f:
            f.write("by hand\n")
        assert run("rfc.py", root, "--check").returncode == 1


@test("every reason has its sentence and its source in the document")
def _():
    with tree() as root:
        assert run("reasons.py", root, "--docs").returncode == 0
        text = read(root, "docs/REASONS.md")
        assert "| `ECHO` | asked for | RFC 792, 3 |" in text, text
        assert "| `LOST` | lost \\| gone |  |" in text
        assert "| `VLAN` | an answer | IEEE 802.1Q, 8.6 |" in text and "NOT" not in text
        assert run("reasons.py", root, "--check").returncode == 0


@test("a document of reasons that is out of date is refused")
def _():
    with tree() as root:
        done = run("reasons.py", root, "--check")
        assert done.returncode == 1 and "out of date" in done.stdout


@test("a row that cannot be read is not passed over")
def _():
    with tree(files={"src/trace/why.def": 'WHY(A, "1", "x")\nWHY(B, 1, "y")\n'}) as root:
        done = run("reasons.py", root, "--docs")
        assert done.returncode == 1 and "why.def" in done.stderr, done


@test("the gate opens when every reason was produced and named")
def _():
    with tree(files={"a": "why ECHO\ndrop LOST\nwhy ECHO\n", "b": "drop DROP_VLAN\n"}) as root:
        done = run("reasons.py", root, "--gate", os.path.join(root, "a"), os.path.join(root, "b"))
        assert (done.returncode, done.stdout) == (0, ""), done.stdout


@test("the gate names each reason that no test produced, and each that does not exist")
def _():
    with tree(files={"a": "drop LOST\nwhy NEVER\nnonsense\n"}) as root:
        a = os.path.join(root, "a")
        done = run("reasons.py", root, "--gate", a, os.path.join(root, "none"))
        assert done.returncode == 1
        for said in ("src/trace/why.def:2: no test produced and named why ECHO: asked for",
                     "src/trace/drop.def:2: no test produced and named drop VLAN: an answer",
                     f"{a}:2: there is no why NEVER", f"{a}:3: not \"why NAME\"",
                     "none: no test has recorded anything here", "1 of 3 reasons are tested"):
            assert said in done.stdout, (said, done.stdout)
        assert "LOST" not in done.stdout


finish()

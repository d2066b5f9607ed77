#!/usr/bin/env python3
"""What tools/testrun.py counts, what it takes for a failure, and what it says. Prints TAP."""
import os
import re
import subprocess
import sys
import tempfile
import time

from lib.tap import finish, test

HERE = os.path.dirname(os.path.abspath(__file__))
TESTRUN = os.path.join(HERE, "..", "..", "tools", "testrun.py")


class Ran:
    def __init__(self, status, out, err):
        self.status = status
        self.out = out
        self.err = err
        self.last = out.splitlines()[-1] if out else ""


def run(*lines, args=()):
    """testrun over a plan of these lines; | stands for the tab."""
    with tempfile.TemporaryDirectory() as d:
        plan = os.path.join(d, "plan")
        with open(plan, "w", encoding="utf-8") as f:
            f.write("".join(line.replace("|", "\t", 2) + "\n" for line in lines))
        done = subprocess.run([sys.executable, TESTRUN, *args, plan], capture_output=True,
                              text=True, check=False)
    return Ran(done.returncode, done.stdout, done.stderr)


def tap(*lines, then=""):
    """A shell command that prints these lines."""
    return "printf '%s\\n' " + " ".join(f"'{line}'" for line in lines) + then


@test("passed tests are counted over all groups")
def _():
    r = run("a|5|" + tap("1..2", "ok 1 - one", "ok 2 - two"), "b|5|" + tap("1..1", "ok 1 - three"))
    assert (r.status, r.out) == (0, "3 passed, 0 failed\n"), r.out


@test("a failed test is named with its group and what it said")
def _():
    r = run("grp|5|" + tap("1..2", "ok 1 - one", "not ok 2 - the sky is green", "# it was blue",
                           then="; exit 1"))
    assert r.status == 1 and r.last == "1 passed, 1 failed", r.out
    assert "FAILED grp: the sky is green\n    # it was blue\n" in r.out, r.out


@test("what a test said before the next result is not shown for the next one")
def _():
    r = run("grp|5|" + tap("1..2", "ok 1 - one", "# about one", "not ok 2 - two", "# about two"))
    assert "\n    # about two\n" in r.out and "\n    # about one" not in r.out, r.out


@test("a plan may come last")
def _():
    assert run("a|5|" + tap("ok 1 - one", "1..1")).last == "1 passed, 0 failed"


@test("skipped tests are counted apart, with their reason")
def _():
    r = run("a|5|" + tap("1..2", "ok 1 - one # SKIP no tshark", "ok 2 - two"))
    assert r.status == 0 and r.last == "1 passed, 0 failed, 1 skipped", r.out
    assert "skipped a: one (no tshark)" in r.out, r.out


@test("a whole group may be skipped by its plan")
def _():
    r = run("a|5|" + tap("1..0 # SKIP needs root"))
    assert r.status == 0 and r.last == "0 passed, 0 failed, 1 skipped", r.out
    assert "needs root" in r.out


@test("cmocka's way to write a skipped test is understood")
def _():
    r = run("a|5|" + tap("1..1", "ok 1 # SKIP the name of the test"))
    assert r.last == "0 passed, 0 failed, 1 skipped" and "the name of the test" in r.out, r.out


@test("a failed test that is still to be done is no failure")
def _():
    r = run("a|5|" + tap("1..1", "not ok 1 - later # TODO some day"))
    assert r.last == "1 passed, 0 failed"


@test("a program that prints no plan fails")
def _():
    r = run("a|5|" + tap("ok 1 - one"), "b|5|true", "c|5|echo hello")
    assert r.status == 1 and r.out.count("no TAP plan") == 3, r.out


@test("a program that ran fewer or more tests than planned fails")
def _():
    r = run("a|5|" + tap("1..3", "ok 1 - one"), "b|5|" + tap("1..1", "ok 1 - x", "ok 2 - y"))
    assert r.status == 1 and "planned 3 tests and ran 1" in r.out, r.out
    assert "planned 1 tests and ran 2" in r.out, r.out


@test("an empty plan without a reason fails")
def _():
    r = run("a|5|" + tap("1..0"))
    assert r.status == 1 and "has no tests" in r.out, r.out


@test("a crash is a failure, names the signal and the last result")
def _():
    r = run("a|5|" + tap("1..1", "ok 1 - one", then="; kill -SEGV $$"))
    assert r.status == 1 and r.last == "1 passed, 1 failed", r.out
    assert "killed by SIGSEGV; the last result was 'one'" in r.out, r.out


@test("a crash of a program that the shell started is named all the same")
def _():
    r = run("a|5|sh -c 'kill -ABRT $$'; exit $?")
    assert r.status == 1 and "killed by SIGABRT" in r.out, r.out


@test("an error status although every test passed is a failure")
def _():
    r = run("a|5|" + tap("1..1", "ok 1 - one", then="; exit 23"))
    assert r.status == 1 and "exit status 23, although no test failed" in r.out, r.out


@test("a bail-out is a failure")
def _():
    r = run("a|5|" + tap("1..1", "Bail out! no disk"))
    assert r.status == 1 and "Bail out! no disk" in r.out, r.out


@test("a program that runs out of time is ended and fails")
def _():
    began = time.monotonic()
    r = run("a|0.3|" + tap("1..1", then="; sleep 30"))
    assert time.monotonic() - began < 10
    assert r.status == 1 and "ran out of time after 0.3 s" in r.out, r.out


@test("what a program leaves running is ended with it")
def _():
    with tempfile.TemporaryDirectory() as d:
        left = os.path.join(d, "left")
        r = run(f"a|5|(sleep 1; touch {left}) & " + tap("1..1", "ok 1 - one"))
        assert r.last == "1 passed, 0 failed", r.out
        time.sleep(1.5)
        assert not os.path.exists(left)


@test("standard error is shown where it helps and never taken for TAP")
def _():
    r = run("a|5|" + tap("1..1", "not ok 1 - one", then="; echo ok 2 - sly >&2; exit 1"))
    assert r.last == "0 passed, 1 failed" and "    ok 2 - sly" in r.out, r.out


@test("exit: makes a command one test, judged by its status")
def _():
    r = run("exit:good|5|true", "exit:bad|5|echo why not; exit 3")
    assert r.status == 1 and r.last == "1 passed, 1 failed", r.out
    assert "FAILED bad: exit status 3\n    why not\n" in r.out, r.out


@test("exit status 77 skips, and the first line says why")
def _():
    r = run("exit:x|5|echo no namespaces here; echo more; exit 77")
    assert r.status == 0 and r.last == "0 passed, 0 failed, 1 skipped", r.out
    assert "(no namespaces here)" in r.out, r.out


@test("every command has a temporary directory of its own, gone afterwards")
def _():
    with tempfile.TemporaryDirectory() as d:
        seen = os.path.join(d, "seen")
        line = f'test -d "$TMPDIR" && touch "$TMPDIR/x" && echo "$TMPDIR" >> {seen}'
        r = run(f"exit:a|5|{line}", f"exit:b|5|{line}")
        assert r.last == "2 passed, 0 failed", r.out
        dirs = open(seen, encoding="utf-8").read().split()
        assert len(set(dirs)) == 2 and not any(os.path.exists(x) for x in dirs), dirs


@test("commands run side by side, as many as asked for")
def _():
    began = time.monotonic()
    r = run(*[f"exit:{i}|9|sleep 1" for i in range(4)], args=("-j", "4"))
    assert r.last == "4 passed, 0 failed" and time.monotonic() - began < 3.5


@test("those that wait run one by one, beside the others")
def _():
    with tempfile.TemporaryDirectory() as d:
        log = os.path.join(d, "log")
        r = run(*[f"waits:w{i}|9|echo begin >> {log}; sleep 0.2; echo end >> {log}; echo ok 1; echo 1..1" for i in range(3)],
                f"exit:x|9|until grep -q begin {log}; do sleep 0.01; done; ! grep -q end {log}", args=("-j", "1"))
        assert r.last == "4 passed, 0 failed", r.out
        assert open(log, encoding="utf-8").read().split() == ["begin", "end"] * 3


@test("only groups that match the filter are run")
def _():
    r = run("exit:unit/ip|5|true", "exit:unit/tcp|5|false", args=("--filter", "ip$"))
    assert (r.status, r.last) == (0, "1 passed, 0 failed"), r.out


@test("a filter that matches nothing, and an empty plan, fail aloud")
def _():
    r = run("exit:a|5|true", args=("--filter", "zebra"))
    assert r.status == 1 and "no group matches" in r.err
    r = run("# nothing", "")
    assert r.status == 1 and "the plan is empty" in r.err


@test("a line that is not name, seconds, command is refused with its place")
def _():
    r = run("exit:a|5|true", "oops")
    assert r.status != 0 and re.search(r":2: not name", r.err), r.err
    r = run("exit:a|soon|true")
    assert r.status != 0 and ":1:" in r.err, r.err


@test("there is no line of progress where there is no terminal")
def _():
    r = run("exit:a|5|true")
    assert r.out == "1 passed, 0 failed\n" and "\x1b" not in r.out, repr(r.out)


@test("what comes then comes last, in order, and counts as the rest does")
def _():
    with tempfile.TemporaryDirectory() as d:
        log = os.path.join(d, "log")
        r = run(f"exit:a|9|sleep 0.5; echo a >> {log}", f"exit:b|9|echo b >> {log}",
                args=("--then", f"exit:x\t9\techo x >> {log}",
                      "--then", f"exit:y\t9\techo y >> {log}; false"))
        assert r.status == 1 and r.last == "3 passed, 1 failed", r.out
        assert open(log, encoding="utf-8").read().split() == ["b", "a", "x", "y"]


@test("a run that is interrupted ends what it has started")
def _():
    with tempfile.TemporaryDirectory() as d:
        begun, late, plan = (os.path.join(d, name) for name in ("begun", "late", "plan"))
        with open(plan, "w", encoding="utf-8") as f:
            f.write(f"exit:a\t30\ttouch {begun}; sleep 2; touch {late}\nexit:b\t30\tsleep 20\n")
        child = subprocess.Popen([sys.executable, TESTRUN, "-j", "1", plan],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not os.path.exists(begun):
            time.sleep(0.01)
        child.terminate()
        err = child.communicate(timeout=10)[1]
        assert child.returncode == 130 and "interrupted" in err, (child.returncode, err)
        time.sleep(2.5)
        assert not os.path.exists(late)


@test("--times tells what each command took, the longest first")
def _():
    with tempfile.TemporaryDirectory() as d:
        times = os.path.join(d, "times")
        run("exit:a|9|sleep 0.1", "exit:b|9|sleep 0.6", args=("--times", times))
        rows = [line.split() for line in open(times, encoding="utf-8")]
        assert [r[2] for r in rows] == ["b", "a"], rows
        assert 0.6 <= float(rows[0][0]) < 5 and float(rows[0][1]) < 0.5, rows


@test("a command may contain tabs of its own")
def _():
    assert run("exit:a|5|printf 'a\tb' | grep -q 'a\tb'").last == "1 passed, 0 failed"


finish()

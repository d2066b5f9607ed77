#!/usr/bin/env python3
"""Runs groups of tests that print TAP, and says in one line what came of it.

    testrun.py [-j N] [--filter RE] [--list] [--times FILE] [--then LINE]... PLAN

PLAN is a file (- is standard input) of lines with three fields separated by tabs:

    name <TAB> timeout in seconds <TAB> shell command

Empty lines and lines that begin with # are passed over. A command prints TAP on standard output:
its tests are counted one by one. It fails as a whole when it prints no plan, runs another number of
tests than planned, is killed by a signal, runs out of time, or ends with an error although every
test passed. A command whose name begins with "exit:" is one test, judged by its exit status alone:
0 passed, 77 skipped (the first line it printed says why), anything else failed. One whose name begins
with "waits:" waits more than it computes: such commands run one by one beside the N others.

Commands run side by side, and those of --then (lines like the plan's) one by one after all others.
Each has a session and a TMPDIR of its own; what it leaves running is ended with it. Failures are
printed as they happen, with what the test said. The last line is "N passed, N failed", with
", N skipped" when there were any. --times writes what each command took: seconds by the clock,
seconds of processors, name; the longest first.
"""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

EXIT_SKIPPED = 77
TAIL_LINES = 40             # of a failed group's output
OUTPUT_MAX = 16 << 20       # bytes looked at; a program that prints more has lost its way

RESULT = re.compile(r"^(not )?ok\b\s*(\d+)?\s*(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)\s*(?:#\s*skip\b\S*\s*(.*))?$", re.IGNORECASE)
DIRECTIVE = re.compile(r"(?:^|\s)#\s*(skip|todo)\b\S*\s*(.*)$", re.IGNORECASE)


class Group:
    """One line of the plan."""

    def __init__(self, name, timeout, command):
        self.is_single = name.startswith("exit:")
        self.waits = name.startswith("waits:")
        self.name = re.sub("^(exit|waits):", "", name)
        self.timeout = timeout
        self.command = command


class Outcome:
    """What came of a group: counts, and for each failure a title and what the test said."""

    def __init__(self, group, run):
        self.group = group
        self.run = run
        self.passed = 0
        self.failures = []          # (title, [line])
        self.skipped = []           # (title, reason)

    def fail(self, title, lines):
        self.failures.append((title, lines))


class Run:
    """How a command ended, and what it printed."""

    def __init__(self, status, timed_out, seconds, busy, out, err):
        self.status = status
        self.timed_out = timed_out
        self.seconds = seconds
        self.busy = busy            # seconds of processors
        self.out = out
        self.err = err

    def how_it_ended(self, timeout):
        if self.timed_out:
            return f"ran out of time after {timeout:g} s"
        if self.status < 0:
            return f"killed by {signal.Signals(-self.status).name}"
        return f"exit status {self.status}"

    def tail(self):
        lines = self.out.splitlines()[-TAIL_LINES:] + self.err.splitlines()[-TAIL_LINES:]
        return lines or ["(it printed nothing)"]


def group_of(line, where):
    parts = line.split("\t", 2)
    try:
        if len(parts) != 3 or not parts[0] or not parts[2].strip():
            raise ValueError
        return Group(parts[0], float(parts[1]), parts[2])
    except ValueError:
        sys.exit(f"testrun: {where}: not name <TAB> seconds <TAB> command: {line!r}")


def read_plan(path):
    text = sys.stdin.read() if path == "-" else open(path, encoding="utf-8").read()
    return [group_of(line, f"{path}:{number}") for number, line in enumerate(text.splitlines(), 1)
            if line.strip() and not line.startswith("#")]


# ---- running one command ----

def wait_until_ended(pid, deadline, stop):
    """True when it ended by itself. It is not reaped yet: its number still belongs to us."""
    pause = 0.001
    while True:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return True
        if stop.is_set() or time.monotonic() >= deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def end_session(pid):
    """The command and whatever it started and left behind."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def of_signal(status):
    """A shell says 128 + n for what signal n killed; we say -n, as subprocess does."""
    return 128 - status if status - 128 in set(signal.Signals) else status


def read_start(f):
    f.seek(0)
    return f.read(OUTPUT_MAX).decode("utf-8", "replace")


def run_command(group, stop):
    scratch = tempfile.mkdtemp(prefix="oriel-test-")
    os.chmod(scratch, 0o755)        # some become ordinary users inside
    try:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = subprocess.Popen(["/bin/sh", "-c", group.command], stdin=subprocess.DEVNULL,
                                     stdout=out, stderr=err, start_new_session=True,
                                     env=dict(os.environ, TMPDIR=scratch))
            start = time.monotonic()
            ended = wait_until_ended(child.pid, start + group.timeout, stop)
            seconds = time.monotonic() - start
            end_session(child.pid)
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            return Run(of_signal(child.returncode), not ended, seconds,
                       used.ru_utime + used.ru_stime, read_start(out), read_start(err))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


# ---- reading what it printed ----

class Tap:
    """The results in a program's output."""

    def __init__(self, text):
        self.planned = None
        self.skip_all = None        # the reason, when the plan says 1..0 # SKIP
        self.results = []           # [ok, title, directive, reason, diagnostics]
        self.bailed = None
        for line in text.splitlines():
            self.line(line)

    def line(self, line):
        plan = PLAN.match(line)
        result = RESULT.match(line)
        if plan:
            if self.planned is None:
                self.planned = int(plan.group(1))
                self.skip_all = plan.group(2)
        elif line.startswith("Bail out!"):
            self.bailed = line
        elif result:
            self.result(result)
        elif self.results and line.strip():
            self.results[-1][4].append(line)

    def result(self, m):
        title = m.group(3)
        directive = DIRECTIVE.search(title)
        kind, reason = None, ""
        if directive:
            kind, reason = directive.group(1).lower(), directive.group(2)
            title = title[:directive.start()]
        title = re.sub(r"^-\s*", "", title).strip()
        if kind and not title:      # cmocka writes the test's name where the reason belongs
            title, reason = reason, ""
        self.results.append([not m.group(1), title or f"test {m.group(2) or len(self.results) + 1}",
                             kind, reason, []])


def judge_single(group, run):
    outcome = Outcome(group, run)
    if run.status == 0 and not run.timed_out:
        outcome.passed = 1
    elif run.status == EXIT_SKIPPED and not run.timed_out:
        printed = (run.out + run.err).strip().splitlines()
        outcome.skipped.append((group.name, printed[0] if printed else "no reason given"))
    else:
        outcome.fail(run.how_it_ended(group.timeout), run.tail())
    return outcome


def judge_tap(group, run):
    outcome = Outcome(group, run)
    tap = Tap(run.out)
    for ok, title, kind, reason, said in tap.results:
        if kind == "skip":
            outcome.skipped.append((title, reason))
        elif ok or kind == "todo":
            outcome.passed += 1
        else:
            outcome.fail(title, said or run.err.splitlines()[-TAIL_LINES:])
    whole = whole_failure(group, run, tap, outcome)
    if whole:
        last = f"; the last result was {tap.results[-1][1]!r}" if tap.results else ""
        outcome.fail(whole + last, run.tail())
    elif tap.planned == 0:
        outcome.skipped.append((group.name, tap.skip_all or "no reason given"))
    return outcome


def whole_failure(group, run, tap, outcome):
    """What is wrong with the program rather than with one of its tests; None when nothing is."""
    ended = run.how_it_ended(group.timeout)
    if run.timed_out or run.status < 0:
        return ended
    if tap.bailed:
        return tap.bailed
    if tap.planned is None:
        return f"printed no TAP plan ({ended})"
    if tap.planned != len(tap.results):
        return f"planned {tap.planned} tests and ran {len(tap.results)} ({ended})"
    if tap.planned == 0 and tap.skip_all is None:
        return f"has no tests ({ended})"
    if run.status != 0 and not outcome.failures:
        return f"{ended}, although no test failed"
    return None


def run_group(group, stop):
    if stop.is_set():
        return None
    run = run_command(group, stop)
    if stop.is_set():
        return None
    return judge_single(group, run) if group.is_single else judge_tap(group, run)


# ---- telling ----

class Screen:
    """Failures for everybody, a line of progress for a terminal."""

    def __init__(self, total):
        self.total = total
        self.done = 0
        self.tty = sys.stdout.isatty()

    def clear(self):
        if self.tty:
            sys.stdout.write("\r\x1b[K")

    def show(self, outcome):
        self.done += 1
        self.clear()
        for title, lines in outcome.failures:
            print(f"FAILED {outcome.group.name}: {title}")
            for line in lines:
                print(f"    {line}")
            print(f"    run it again: {outcome.group.command}")
        for title, reason in outcome.skipped:
            print(f"skipped {outcome.group.name}: {title}" + (f" ({reason})" if reason else ""))
        if self.tty:
            width = shutil.get_terminal_size().columns
            sys.stdout.write(f"[{self.done}/{self.total}] {outcome.group.name}"[:width - 1])
        sys.stdout.flush()


def write_times(path, outcomes):
    with open(path, "w", encoding="utf-8") as f:
        for o in sorted(outcomes, key=lambda o: -o.run.seconds):
            f.write(f"{o.run.seconds:8.2f} {o.run.busy:8.2f} {o.group.name}\n")


def run_all(groups, jobs, screen, stop):
    """Outcomes of all groups, in the order in which they ended; fewer when interrupted."""
    outcomes = []
    with ThreadPoolExecutor(max_workers=jobs) as pool, ThreadPoolExecutor(max_workers=1) as beside:
        try:
            for future in as_completed([(beside if g.waits else pool).submit(run_group, g, stop) for g in groups]):
                outcome = future.result()
                outcomes.append(outcome)
                screen.show(outcome)
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)    # once is enough; commands end first
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            stop.set()
            beside.shutdown(wait=False, cancel_futures=True)
            pool.shutdown(cancel_futures=True)
    return outcomes


def main():
    ap = argparse.ArgumentParser(description="Runs groups of tests that print TAP.")
    ap.add_argument("-j", "--jobs", type=int, default=2, help="commands side by side (2)")
    ap.add_argument("--filter", metavar="RE", default="", help="only groups whose name matches")
    ap.add_argument("--list", action="store_true", help="print the names of the groups and stop")
    ap.add_argument("--times", metavar="FILE", help="write there what each command took")
    ap.add_argument("--then", metavar="LINE", action="append", default=[],
                    help="a line of a plan, run when all others have ended")
    ap.add_argument("plan", metavar="PLAN", help="a file of name <TAB> seconds <TAB> command")
    args = ap.parse_args()

    groups = [g for g in read_plan(args.plan) if re.search(args.filter, g.name)]
    last = [g for g in (group_of(line, "--then") for line in args.then)
            if re.search(args.filter, g.name)]
    if args.list:
        for g in groups + last:
            print(g.name)
        return 0
    if not groups + last:
        print("testrun: no group matches" if args.filter else "testrun: the plan is empty",
              file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    screen, stop = Screen(len(groups + last)), threading.Event()
    outcomes = run_all(groups, max(args.jobs, 1), screen, stop)
    outcomes += run_all(last, 1, screen, stop)
    screen.clear()
    if args.times:
        write_times(args.times, outcomes)
    if stop.is_set():
        print("interrupted", file=sys.stderr)
        return 130
    passed = sum(o.passed for o in outcomes)
    failed = sum(len(o.failures) for o in outcomes)
    skipped = sum(len(o.skipped) for o in outcomes)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

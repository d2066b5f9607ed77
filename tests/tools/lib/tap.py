"""A few lines of TAP for tests of our own tools.

    from lib.tap import finish, test

    @test("a plan without a line is refused")
    def _():
        assert run("").status == 1

    finish()

An AssertionError, or any other exception, fails the test and is printed as its diagnostics.
"""
import sys
import traceback

TESTS = []


class Skip(Exception):
    """Raised by a test that cannot run here; the text says why."""


def test(sentence):
    def add(run):
        TESTS.append((sentence, run))
        return run
    return add


def finish():
    failed = 0
    print(f"1..{len(TESTS)}", flush=True)
    for number, (sentence, run) in enumerate(TESTS, 1):
        try:
            run()
            print(f"ok {number} - {sentence}", flush=True)
        except Skip as reason:
            print(f"ok {number} - {sentence} # SKIP {reason}", flush=True)
        except Exception:
            failed += 1
            print(f"not ok {number} - {sentence}")
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
            sys.stdout.flush()
    sys.exit(1 if failed else 0)

#!/usr/bin/env python3
"""compare.py NATIVE OURS DIFFERENCES...: two outputs of tests/run/semantics, a TAP line a check.

A check that differs must stand in DIFFERENCES with both answers, and what stands there must differ.
"""
import sys


def read(path):
    with open(path, encoding="utf-8") as f:
        return [line.rstrip("\n").split(": ", 1) for line in f if ": " in line]


def stated(path):
    out = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            if not line.startswith("#") and line.strip():
                name, native, ours = (part.strip() for part in line.split(" | "))
                out[name] = (native, ours)
    return out


def main():
    native, ours = read(sys.argv[1]), read(sys.argv[2])
    known = {}
    for path in sys.argv[3:]:
        known.update(stated(path))
    names = [name for name, _ in native]
    bad = 0
    if names != [name for name, _ in ours]:
        print("# the two did not make the same checks; the last: native", names[-1:], "ours", ours[-1:])
        bad += 1
    for (name, want), (_, got) in zip(native, ours):
        if want == got and name not in known:
            continue
        if known.get(name) != (want, got):
            print(f"# {name}: the kernel {want}, ours {got}; stated: {known.get(name)}")
            bad += 1
    print(f"# {len(names)} checks, {len(known)} stated differences, {bad} others")
    return 1 if bad or len(names) < 80 else 0


if __name__ == "__main__":
    sys.exit(main())

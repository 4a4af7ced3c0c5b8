#!/usr/bin/env python3
"""Runs every client's tests and the conformance driver, and shows one table: `make test-clients`.

Needs JOBBROKERD and JOBCTL, the paths of the programs, with ConformanceAdapter beside them.
"""

import os
import signal
import subprocess
import sys
import time

from conformance import LANGUAGES, PARTS
from harness.processes import CLIENTS, Failure

TIME_LIMIT = 900  # seconds for the tests of one client


def own_tests(language):
    """Runs clients/LANGUAGE/test.sh; shows what it wrote only if it fails."""
    if language == "swift":
        return "swift test"
    started = time.monotonic()
    # In a session of its own, so that all it started can be ended with it.
    process = subprocess.Popen(
        [str(CLIENTS / language / "test.sh")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
    try:
        output, _ = process.communicate(timeout=TIME_LIMIT)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise Failure(f"{output}\nnot done, or something it started still runs, after {TIME_LIMIT} s") from error
        raise
    if process.returncode != 0:
        raise Failure(f"{output}\ntest.sh ended with status {process.returncode}")
    return f"{time.monotonic() - started:.0f} s"


def test_harness():
    """The drivers' own tests; shows what they wrote only if they fail."""
    run = subprocess.run(
        [sys.executable, "-m", "unittest", "discover", "-s", "harness", "-t", "."], cwd=CLIENTS, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if run.returncode != 0:
        sys.exit(f"{run.stdout}\nthe tests of clients/harness failed")


def show(cells):
    print("".join(f"{cell:14}" for cell in cells).rstrip(), flush=True)


def main():
    if "JOBBROKERD" not in os.environ:
        sys.exit("JOBBROKERD is not set: the path of the broker's program")
    test_harness()
    parts = {"tests": own_tests, **PARTS}
    failures = []
    show(["client", *parts])
    for language in LANGUAGES:
        row = [language]
        for name, part in parts.items():
            try:
                row.append(part(language))
            except (Failure, OSError) as failure:
                print(f"=== {language}, {name}\n{failure}", flush=True)
                row.append("FAILED")
                failures.append(f"{language}, {name}")
        show(row)
    if failures:
        sys.exit(f"failed: {'; '.join(failures)}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Runs every client's tests and the conformance driver, and ends with one table: `make test-clients`.

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


def main():
    if "JOBBROKERD" not in os.environ:
        sys.exit("JOBBROKERD is not set: the path of the broker's program")
    subprocess.run([sys.executable, "-m", "unittest", "discover", "-s", "harness", "-t", "."], cwd=CLIENTS, check=True)
    parts = {"tests": own_tests, **PARTS}
    languages = [name for name in LANGUAGES if name == "swift" or (CLIENTS / name).is_dir()]
    table = [["client", *parts]]
    for language in languages:
        row = [language]
        for name, part in parts.items():
            print(f"=== {language}, {name}", flush=True)
            try:
                row.append(part(language))
            except (Failure, OSError) as failure:
                print(failure, flush=True)
                row.append("FAILED")
        table.append(row)
    print()
    for row in table:
        print("".join(f"{cell:14}" for cell in row).rstrip())
    return any("FAILED" in row for row in table)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Runs every client's tests and the conformance driver, and ends with one table: `make test-clients`.

Needs JOBBROKERD and JOBCTL, the paths of the programs, with ConformanceAdapter beside them.
"""

import os
import subprocess
import sys
import time

from conformance import LANGUAGES, PARTS
from harness.processes import CLIENTS, Failure

TIME_LIMIT = 900  # seconds for the tests of one client


def own_tests(language):
    """Runs clients/LANGUAGE/test.sh, its output on the terminal."""
    if language == "swift":
        return "swift test"
    started = time.monotonic()
    try:
        subprocess.run([CLIENTS / language / "test.sh"], stdin=subprocess.DEVNULL,
                       timeout=TIME_LIMIT, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise Failure(str(error)) from error
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
            except Failure as failure:
                print(failure, flush=True)
                row.append("FAILED")
        table.append(row)
    print()
    for row in table:
        print("".join(f"{cell:14}" for cell in row).rstrip())
    return any("FAILED" in row for row in table)


if __name__ == "__main__":
    sys.exit(main())

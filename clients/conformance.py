#!/usr/bin/env python3
"""Runs the adapters of all clients through proto/vectors: see proto/vectors/conformance/README.md.

    JOBBROKERD=/path/to/jobbrokerd clients/conformance.py [LANGUAGE...]

The Swift adapter is the program ConformanceAdapter beside jobbrokerd, or $JOBBROKER_SWIFT_ADAPTER.
"""

import os
import sys
import time

from harness.frames import frames
from harness.hostile import hostile
from harness.processes import Failure
from harness.scenario import scenario
from harness.sessions import sessions

LANGUAGES = ["swift", "c", "python", "typescript"]
PARTS = {"scenario": scenario, "frames": frames, "sessions": sessions, "hostile": hostile}


def main():
    if "JOBBROKERD" not in os.environ:
        sys.exit("JOBBROKERD is not set: the path of the broker's program")
    languages = sys.argv[1:] or LANGUAGES
    unknown = set(languages) - set(LANGUAGES)
    if unknown:
        sys.exit(f"no such language: {', '.join(sorted(unknown))}; there are {', '.join(LANGUAGES)}")
    failures = 0
    for language in languages:
        for name, part in PARTS.items():
            started = time.monotonic()
            try:
                outcome = f"ok      {part(language)}"
            except Failure as failure:
                print(f"--- {language}, {name}\n{failure}")
                outcome = "FAILED"
                failures += 1
            print(f"{language:11} {name:9} {outcome:20} {time.monotonic() - started:5.1f} s", flush=True)
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())

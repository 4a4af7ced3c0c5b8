"""Drives the client for proto/vectors/conformance: says what it sees, as all clients' adapters do."""

import sys

from codec import frames
from hostile import hostile
from scenario import Scenario

if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.reconfigure(encoding="utf-8", line_buffering=True)  # type: ignore[union-attr]
    if sys.argv[1:2] == ["frames"]:
        frames()
    elif sys.argv[1:2] == ["hostile"] and len(sys.argv) == 3:
        hostile(sys.argv[2])
    elif sys.argv[1:2] == ["scenario"] and len(sys.argv) == 3:
        Scenario(sys.argv[2]).play()
    else:
        sys.exit("usage: adapter.py frames | scenario SOCKET | hostile SOCKET")

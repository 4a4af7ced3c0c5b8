#!/usr/bin/env python3
"""Writes the inputs that the fuzzers begin with, from proto/vectors:

    Fuzz/corpus.py FOLDER     # makes FOLDER/FuzzFrames, FOLDER/FuzzMessages and FOLDER/FuzzConnection
"""

import hashlib
import json
import sys
from pathlib import Path

VECTORS = Path(__file__).resolve().parent.parent / "proto" / "vectors"


def main(folder):
    frames = [bytes.fromhex(frame["hex"]) for theme in ("requests", "responses", "hostile")
              for frame in json.loads((VECTORS / "frames" / f"{theme}.json").read_text())]
    requests = [bytes.fromhex(frame["hex"]) for theme in ("requests", "hostile")
                for frame in json.loads((VECTORS / "frames" / f"{theme}.json").read_text())
                if frame["direction"] == "request"]
    streams = [bytes.fromhex(stream["stream"])
               for stream in json.loads((VECTORS / "frames" / "streams.json").read_text())]
    # The first byte of a stream says how it is cut, that of a connection whether a hello precedes it.
    write(folder / "FuzzFrames", [bytes([step]) + stream for stream in streams + frames for step in (0, 6, 255)])
    write(folder / "FuzzMessages", [frame[4:] for frame in frames])
    write(folder / "FuzzConnection", [bytes([manners]) + stream for stream in requests + [b"".join(requests)]
                                      for manners in (0, 1)])


def write(folder, inputs):
    folder.mkdir(parents=True, exist_ok=True)
    for content in inputs:
        if len(content) <= 1 << 16:
            (folder / hashlib.sha1(content).hexdigest()).write_bytes(content)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))

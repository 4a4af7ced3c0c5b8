"""Frames: a length of 4 bytes, big-endian, and so many bytes of one message (proto/PROTOCOL.md)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

PROTOCOL_VERSION = 1
MAX_FRAME = 1 << 20
"""Bytes of a frame after its length."""
PREFIX = 4
_length_at = struct.Struct(">I").unpack_from


class BadFrame(Exception):
    """A length that no frame has. Where the next one begins is unknown."""


def frame(body: bytes) -> bytes:
    """A message, ready to be sent."""
    return len(body).to_bytes(PREFIX, "big") + body


class FrameReader:
    """Cuts a stream of bytes into the bodies of its frames. Holds less than one frame and one read."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The bodies that these bytes complete, to be taken before the next are fed.

        :raises BadFrame: while being iterated.
        """
        data = self._pending + data if self._pending else data
        start, end = 0, len(data)
        self._pending = b""
        while end - start >= PREFIX:
            (length,) = _length_at(data, start)
            if not 1 <= length <= MAX_FRAME:
                raise BadFrame(f"a frame of {length} bytes was announced")
            body = start + PREFIX
            if end - body < length:
                break
            start = body + length
            yield data[body:start]
        self._pending = data[start:]

    @property
    def has_partial_frame(self) -> bool:
        """Whether part of a frame waits for the rest."""
        return bool(self._pending)

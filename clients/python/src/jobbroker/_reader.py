"""What a blocking caller waits with while it reads the socket itself."""

from __future__ import annotations

import os
import select
import socket
import threading

_LONGEST_POLL = 1_000
"""Milliseconds. A poll that ends early is begun again. Python sees a signal that comes just before a system call
only after it, so that must not be long: Ctrl-C would wait for a job."""


class Alarm:
    """Wakes whoever polls it, or will. For one thread at a time, but for the poll."""

    # Of the class, for one that Ctrl-C keeps from being made is closed, too.
    _rings = False
    _end = _bell = -1

    def __init__(self) -> None:
        self._end, self._bell = os.pipe()

    def fileno(self) -> int:
        return self._end

    def ring(self) -> None:
        if not self._rings and self._bell >= 0:
            os.write(self._bell, b"\0")
            self._rings = True

    def silence(self) -> None:
        if self._rings:
            os.read(self._end, 1)
            self._rings = False

    def close(self) -> None:
        if self._end >= 0:
            os.close(self._end)
            os.close(self._bell)
            self._rings = False
        self._end = self._bell = -1

    def __del__(self) -> None:
        # That of a caller which was interrupted before it could put its reader back.
        self.close()


class Reader:
    """One caller's turn at reading. Used again for the next."""

    def __init__(self) -> None:
        self.alarm = Alarm()
        """Rings when its turn is over."""
        self._thread = 0
        self._poll = select.poll()
        self._poll.register(self.alarm, select.POLLIN)
        self._polled = -1

    def begin(self, peer: socket.socket) -> None:
        """The calling thread is to read this socket."""
        self._thread = threading.get_ident()
        descriptor = peer.fileno()
        if descriptor != self._polled:
            if self._polled >= 0:
                self._poll.unregister(self._polled)
            self._poll.register(descriptor, select.POLLIN)
            self._polled = descriptor

    @property
    def is_this_thread(self) -> bool:
        """Whether it is the calling thread that reads."""
        return self._thread == threading.get_ident()

    def wait(self, seconds: float | None) -> None:
        """Waits until there is something to read, the turn is over, or the time; perhaps not so long."""
        self._poll.poll(_LONGEST_POLL if seconds is None or seconds >= 1 else int(seconds * 1000) + 1)

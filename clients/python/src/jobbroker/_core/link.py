"""A session on a real socket. Never blocks: the threads' and asyncio's clients only wait differently."""

from __future__ import annotations

import os
import socket
import weakref
from typing import Callable

from ..errors import InvalidArgument
from ..options import objection
from .session import Session

_READ = 1 << 16


class Link:
    """Carries a session's bytes to and from its socket.

    Its owner calls ``settle`` after everything that was done with the session, ``on_readable`` when the socket is
    readable, and ``settle`` when it is writable while something is ``unsent``.
    """

    def __init__(
        self, session: Session, forget: Callable[[int], None], forked: Callable[[], None] = lambda: None
    ) -> None:
        self.session = session
        self.socket: socket.socket | None = None
        self._forget = forget
        """Called with the socket's descriptor before it is closed."""
        self._forked = forked
        """Called in a child process that is a fork of this one."""
        self.unsent = b""
        """What the socket did not take yet."""
        _links.add(self)

    def settle(self) -> None:
        """Does what the session wants done."""
        if self.socket is not None:
            self._write()
            if self.session.has_connection:
                return
            self._close()
        if self.session.wants_dial:
            self._dial()

    def on_readable(self) -> None:
        if self.socket is None:
            return None
        try:
            data = self.socket.recv(_READ)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            return self.session.lost(f"the connection to the broker failed ({error.strerror})")
        if data:
            self.session.received(data)
        else:
            self.session.lost("the broker closed the connection")
        return None

    def _write(self) -> None:
        assert self.socket is not None
        output = self.session.output()
        if self.unsent:
            output = self.unsent + output
        if not output:
            return
        try:
            sent = self.socket.send(output)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            # The broker is gone. What it said before is still to be read, and then the end.
            sent = len(output)
        self.unsent = output[sent:]

    def _dial(self) -> None:
        path = self.session.options.socket_path
        try:
            refusal = objection(path, os.getuid())
        except OSError as error:
            return self.session.dial_failed(error)
        if refusal is not None:
            return self.session.close(refusal)
        peer = None
        try:
            peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            peer.setblocking(False)
            peer.connect(path)
        except OSError as error:
            if peer is not None:
                peer.close()
            if error.errno is None:
                return self.session.close(InvalidArgument(f"{error}: {path}"))
            return self.session.dial_failed(error)
        self.socket = peer
        self.session.connected()
        self._write()
        return None

    def _close(self) -> None:
        assert self.socket is not None
        self._forget(self.socket.fileno())
        self.socket.close()
        self.socket = None
        self.unsent = b""

    def after_fork(self) -> None:
        """A copy of the connection in a child process would hide its owner's end from the broker."""
        self.disown(f"this client belongs to the process that made it; process {os.getpid()} must make its own")
        self._forked()

    def disown(self, reason: str) -> None:
        """Closes the connection, without a word to whoever waits: he is not there any more."""
        self.session.disown(reason)
        if self.socket is not None:
            self.socket.close()
            self.socket = None


_links: weakref.WeakSet[Link] = weakref.WeakSet()


def _after_fork() -> None:
    for link in list(_links):
        link.after_fork()


os.register_at_fork(after_in_child=_after_fork)

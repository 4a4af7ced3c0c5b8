"""Where the broker is, and how patient a client is."""

from __future__ import annotations

import os
import random
import sys
from dataclasses import dataclass

from .errors import PermissionDenied


@dataclass(frozen=True)
class Backoff:
    """How long to wait before the next try, in seconds: a random time below a ceiling that grows with each failure,
    so that many clients of a broker that restarts do not all come back at the same moment."""

    initial: float = 0.05
    """The ceiling before the first retry."""
    factor: float = 2.0
    """How much each failure raises the ceiling."""
    maximum: float = 5.0
    """The highest ceiling."""

    def delay(self, failures: int) -> float:
        """A random time below the ceiling after so many failures in a row."""
        ceiling = self.initial
        for _ in range(failures - 1):
            if ceiling >= self.maximum:
                break
            ceiling *= self.factor
        return random.uniform(0, min(ceiling, self.maximum))


def default_socket_path() -> str:
    """Where this user's broker is: ``$JOBBROKER_SOCKET``, else the usual place (proto/PROTOCOL.md)."""
    path = os.environ.get("JOBBROKER_SOCKET")
    if path:
        return path
    if os.getuid() == 0:
        return "/run/jobbroker/jobbroker.sock"
    directory = os.environ.get("XDG_RUNTIME_DIR", "")
    if directory.startswith("/"):
        return f"{directory}/jobbroker/jobbroker.sock"
    return f"/tmp/jobbroker-{os.getuid()}/jobbroker.sock"


def objection(socket_path: str, uid: int) -> PermissionDenied | None:
    """Why a user must not connect to a socket: it is in his directory in ``/tmp``, where anybody may take a name that
    can be guessed, and that is somebody else's.

    Raises an OSError if that directory is not there: who makes it next is not known."""
    directory = f"/tmp/jobbroker-{uid}"
    if not socket_path.startswith(f"{directory}/"):
        return None
    owner = os.lstat(directory).st_uid
    if owner == uid:
        return None
    return PermissionDenied(
        f"{directory} belongs to another user (uid {owner}), so no broker of yours answers there; remove it, or set "
        "JOBBROKER_SOCKET"
    )


def program_name() -> str:
    """The last part of the path this program was started by."""
    return os.path.basename(sys.argv[0] if sys.argv else "") or "python"


@dataclass(frozen=True)
class Options:
    """What a client was made with; its arguments say what they mean."""

    socket_path: str
    client_name: str
    worker_name: str
    read_only: bool
    reconnect: bool
    wait_for_broker: bool
    timeout: float | None
    backoff: Backoff

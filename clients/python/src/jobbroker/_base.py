"""What both clients have in common."""

from __future__ import annotations

import os

from .models import Changed, Deleted, Snapshot, WatchEvent
from .options import Backoff, Options, default_socket_path, program_name


class ClientBase:
    """How a client is made."""

    def __init__(
        self,
        socket_path: str | None = None,
        *,
        worker_name: str | None = None,
        client_name: str | None = None,
        read_only: bool = False,
        reconnect: bool = True,
        wait_for_broker: bool = False,
        timeout: float | None = 30.0,
        backoff: Backoff = Backoff(),
    ) -> None:
        """A client of the broker at ``socket_path``; None: of this user's usual broker, ``$JOBBROKER_SOCKET`` first.

        :param worker_name: the name under which its claims are shown; None: program and process id.
        :param client_name: program and version, for people; None: the program's name.
        :param read_only: asks the broker to refuse this client every change.
        :param reconnect: whether a lost connection is made again. When False, the first loss ends every call.
        :param wait_for_broker: whether connecting waits until there is a broker.
        :param timeout: seconds a call may go unanswered, on top of the time its claim asked to wait; None: for ever.
        :param backoff: how long to wait between tries.
        """
        program = program_name()
        self.options = Options(
            socket_path=default_socket_path() if socket_path is None else socket_path,
            client_name=program if client_name is None else client_name,
            worker_name=f"{program}-{os.getpid()}" if worker_name is None else worker_name,
            read_only=read_only,
            reconnect=reconnect,
            wait_for_broker=wait_for_broker,
            timeout=timeout,
            backoff=backoff,
        )
        """What it was made with."""
        self._begin()

    def _begin(self) -> None:
        """What making a client does beyond that."""


def tells_the_end(event: WatchEvent) -> bool:
    """Whether the watch of one job has nothing more to wait for: the job has finished, or there is none."""
    if isinstance(event, Snapshot):
        return all(job.status.is_finished for job in event.jobs)
    if isinstance(event, Changed):
        return event.job.status.is_finished
    return isinstance(event, Deleted)

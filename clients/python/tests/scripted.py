"""A broker that says what a test tells it to, for the faults that the real one can't be made to show."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Any

from jobbroker._core.frames import PREFIX, frame
from jobbroker._proto import jobbroker_pb2 as pb

JOB: dict[str, Any] = {"id": bytes(range(16)), "type": "ingest", "status": pb.PENDING, "created_at": 1, "updated_at": 1}


class ScriptedBroker:
    """Listens on a socket."""

    def __init__(self, folder: str) -> None:
        self.socket_path = f"{folder}/scripted"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.socket_path)
        self._listener.listen()

    def accept(self) -> Connection:
        """The next client."""
        return Connection(self._listener.accept()[0])

    def welcome(self, **welcome: object) -> Connection:
        """The next client, greeted."""
        connection = self.accept()
        request = connection.next("hello")
        defaults = {"protocol_version": 1, "server": "scripted", "max_frame": 1 << 20, "max_in_flight": 128}
        connection.reply(request, welcome=pb.Welcome(**{**defaults, **welcome}))  # type: ignore[arg-type]
        return connection

    def __enter__(self) -> ScriptedBroker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.close()


class Connection:
    """One client, seen by the broker."""

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer

    def next(self, operation: str) -> pb.Request:
        """The client's next request, which must be of that kind."""
        request = self.next_any()
        assert request.WhichOneof("operation") == operation, request
        return request

    def next_any(self) -> pb.Request:
        """The client's next request."""
        length = int.from_bytes(self._read(PREFIX), "big")
        return pb.Request.FromString(self._read(length))

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self._peer.recv(count - len(data))
            assert more, "the client has closed the connection"
            data += more
        return data

    def reply(self, request: pb.Request, **reply: object) -> None:
        self.send(frame(pb.Response(id=request.id, **reply).SerializeToString()))  # type: ignore[arg-type]

    def notify(self, **reply: object) -> None:
        """A notice, which answers nothing."""
        self.send(frame(pb.Response(id=0, **reply).SerializeToString()))  # type: ignore[arg-type]

    def drip(self, response: pb.Response, size: int) -> None:
        """Sends a response in pieces."""
        data = frame(response.SerializeToString())
        for start in range(0, len(data), size):
            self.send(data[start : start + size])

    def send(self, data: bytes) -> None:
        self._peer.sendall(data)

    def close(self) -> None:
        self._peer.close()

    def is_closed_by_client(self) -> bool:
        """Waits for the end of what the client sends."""
        while self._peer.recv(1 << 16):
            pass
        return True

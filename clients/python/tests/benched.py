"""A session without a socket, and with a clock of the test's own."""

from __future__ import annotations

from typing import Any

import pytest

from jobbroker import Backoff, JobBrokerError
from jobbroker._core.call import Call
from jobbroker._core.frames import FrameReader, frame
from jobbroker._core.session import Session
from jobbroker._proto import jobbroker_pb2 as pb
from jobbroker.options import Options


class Bench:
    """A session, its clock, and what it sends."""

    def __init__(self, **options: Any) -> None:
        self.now = 1000.0
        defaults: dict[str, Any] = {
            "socket_path": "/s",
            "client_name": "test",
            "worker_name": "w",
            "read_only": False,
            "reconnect": True,
            "wait_for_broker": False,
            "timeout": 30.0,
            "backoff": Backoff(initial=1.0),
        }
        self.session = Session(Options(**{**defaults, **options}), lambda: self.now)
        self.session.open()
        self._sent = FrameReader()

    def connect(self, **welcome: Any) -> Bench:
        assert self.session.wants_dial
        self.session.connected()
        (hello,) = self.sent()
        self.reply(hello, welcome=pb.Welcome(**{"protocol_version": 1, "max_in_flight": 128, **welcome}))
        return self

    def reconnect(self, **welcome: Any) -> Bench:
        self.now += 10
        self.session.run_timers()
        return self.connect(**welcome)

    def submit(self, call: Call[Any]) -> Call[Any]:
        self.session.submit(call)
        return call

    def sent(self) -> list[pb.Request]:
        return [pb.Request.FromString(body) for body in self._sent.feed(self.session.output())]

    def reply(self, request: pb.Request, **reply: Any) -> None:
        self.session.received(frame(pb.Response(id=request.id, **reply).SerializeToString()))

    def sleep_until_timer(self) -> None:
        due = self.session.next_timer()
        assert due is not None
        self.now = due
        self.session.run_timers()


def raised(call: Call[Any]) -> JobBrokerError:
    with pytest.raises(JobBrokerError) as info:
        call.result()
    return info.value

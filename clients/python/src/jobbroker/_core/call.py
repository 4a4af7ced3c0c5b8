"""A request and what becomes of it."""

from __future__ import annotations

import enum
from typing import Any, Callable, Generic, TypeVar

from .._proto import jobbroker_pb2 as pb
from ..errors import JobBrokerError, Unavailable, UnknownOutcome

T = TypeVar("T")


class Stage(enum.Enum):
    """How far a request has come."""

    QUEUED = 1
    """In line for a connection and a place among the requests in flight."""
    SENT = 2
    """On its way, or with the broker."""
    PARKED = 3
    """A claim that a draining broker refused, resting before its next try."""


class Call(Generic[T]):
    """One request to the broker, and later its outcome.

    ``repeatable``: sending it again, when nobody knows whether the first one arrived, comes to the same as sending it
    once. Such calls are sent again by themselves on the next connection.
    """

    __slots__ = (
        "deadline",
        "id",
        "name",
        "on_done",
        "outcome",
        "read",
        "repeatable",
        "reply",
        "request",
        "resend",
        "size",
        "stage",
        "wait",
        "wait_ends",
    )

    def __init__(
        self,
        name: str,
        request: pb.Request,
        reply: str,
        read: Callable[[Any], T],
        *,
        repeatable: bool,
        resend: bool = True,
        wait: float = 0.0,
    ) -> None:
        self.name = name
        self.request = request
        self.reply = reply
        """The name of the reply that answers it."""
        self.read = read
        """Makes a value of that reply."""
        self.repeatable = repeatable
        self.resend = repeatable and resend
        """Whether it is sent again when nobody knows whether the first one arrived."""
        self.wait = wait
        """Seconds for which the broker may keep it waiting."""
        self.id = 0
        self.stage = Stage.QUEUED
        self.size = 0
        """Bytes that were sent of it."""
        self.deadline: float | None = None
        """When it has gone unanswered for too long, by the session's clock."""
        self.wait_ends: float | None = None
        """When a claim that was sent has waited long enough."""
        self.outcome: pb.Response | JobBrokerError | None = None
        self.on_done: Callable[[Call[T]], None] | None = None
        """Called once, when it is done."""

    @property
    def may_wait(self) -> bool:
        """Whether it is a claim that the broker may keep waiting."""
        return self.wait > 0

    @property
    def is_of_its_connection(self) -> bool:
        """Whether it means nothing on the next connection, even if it was not sent on this one."""
        return self.repeatable and not self.resend

    @property
    def is_done(self) -> bool:
        """Whether it has its outcome. One that was abandoned may be with the broker still."""
        return self.outcome is not None

    def finish(self, outcome: pb.Response | JobBrokerError) -> None:
        """Hands over the outcome; the first one counts."""
        if self.outcome is None:
            self.outcome = outcome
            if self.on_done is not None:
                self.on_done(self)

    def result(self) -> T:
        """What came of it; only once it is done.

        :raises JobBrokerError: the broker's refusal, or why no answer came.
        """
        if isinstance(self.outcome, JobBrokerError):
            raise self.outcome
        assert self.outcome is not None, "the call is not done"
        return self.read(getattr(self.outcome, self.reply))

    def interruption(self, reason: str) -> JobBrokerError:
        """What to tell a caller whose reply will not come."""
        if self.stage is Stage.SENT and not self.repeatable:
            return UnknownOutcome(f"{reason}; the request may have been carried out: read the job before repeating it")
        return Unavailable(f"{reason}; the request may be repeated")

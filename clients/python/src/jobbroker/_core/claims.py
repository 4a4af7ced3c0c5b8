"""Keeps claims alive: heartbeats, reports, and the news that a claim is no longer valid."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Callable
from uuid import UUID

from ..errors import (
    InvalidArgument,
    JobBrokerError,
    JobFinished,
    NotFound,
    PermissionDenied,
    StaleClaim,
    Unsupported,
)
from ..models import UNSET, Job, Revocation, Unset
from . import calls
from .call import Call
from .timers import Timer

if TYPE_CHECKING:
    from .session import Session

Token = tuple[UUID, int]
"""A claim: its job and its attempt."""

# Notices that came before anybody asked for them are kept for the caller that is about to: a notice can overtake the
# claim's own reply on its way to the claimer. Two full claims.
_UNHEARD_LIMIT = 200


@dataclass(frozen=True)
class Report:
    """What a holder says it is doing; empty, it is a heartbeat."""

    stage: str | Unset | None = UNSET
    progress: float | None = None

    def __post_init__(self) -> None:
        if self.progress is not None and not 0 <= self.progress <= 100:
            raise InvalidArgument(f"progress is {self.progress}; it must be 0 to 100")
        if isinstance(self.stage, str):
            try:
                data = self.stage.encode()
            except UnicodeEncodeError as error:
                raise InvalidArgument(f"stage must be UTF-8: {error}") from error
            if len(data) > 256 or 0 in data:
                raise InvalidArgument("stage must be at most 256 bytes, none of them 0")

    def followed_by(self, later: Report) -> Report:
        """Both in one: the later wins."""
        both = self
        if later.stage is not UNSET:
            both = replace(both, stage=later.stage)
        if later.progress is not None:
            both = replace(both, progress=later.progress)
        return both


_NOTHING = Report()


class Hold:
    """A claim that is kept alive."""

    def __init__(self, job: Job, lease: float, on_over: Callable[[Revocation], None]) -> None:
        self.token: Token = (job.id, job.attempt)
        self.interval = lease / 3
        """Two heartbeats may be lost."""
        self.on_over = on_over
        self.waiting = _NOTHING
        """Reported and not sent yet."""
        self.underway: Report | None = None
        """Sent and not answered yet."""
        self.timer: Timer | None = None


class ClaimKeeper:
    """The claims of a session that are kept alive."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._holds: dict[Token, Hold] = {}
        self._unheard: deque[Revocation] = deque(maxlen=_UNHEARD_LIMIT)

    def hold(self, hold: Hold) -> None:
        """Heartbeats a claim until it is dropped or revoked."""
        for revocation in self._unheard:
            if (revocation.id, revocation.attempt) == hold.token:
                return hold.on_over(revocation)
        if self._session.ending is not None:
            return hold.on_over(Revocation(*hold.token, None, self._session.ending.message))
        self._holds[hold.token] = hold
        self._schedule(hold)
        return None

    def drop(self, hold: Hold) -> None:
        """Leaves a claim alone from now on."""
        if self._holds.get(hold.token) is hold:
            del self._holds[hold.token]
        if hold.timer is not None:
            hold.timer.cancel()

    def report(self, hold: Hold, report: Report) -> None:
        """Sends a report, or merges it into the one that waits for the last one's answer."""
        if self._holds.get(hold.token) is not hold:
            return
        hold.waiting = hold.waiting.followed_by(report)
        self._send_if_idle(hold)

    def renew_all(self) -> None:
        """Heartbeats every claim at once, for the first time on a connection."""
        for hold in list(self._holds.values()):
            if hold.underway is not None:
                # Its caller was interrupted, and nobody will answer it.
                hold.waiting = hold.underway.followed_by(hold.waiting)
            self._send(hold)

    def revoke(self, revocation: Revocation) -> None:
        """A claim is no longer valid."""
        hold = self._holds.get((revocation.id, revocation.attempt))
        if hold is None:
            self._unheard.append(revocation)
        else:
            self.drop(hold)
            hold.on_over(revocation)

    def end(self) -> None:
        """The session was closed: nobody keeps the claims any more."""
        ending = self._session.ending
        reason = "the client is closed" if ending is None else ending.message
        for hold in list(self._holds.values()):
            self.drop(hold)
            hold.on_over(Revocation(*hold.token, None, reason))

    def _schedule(self, hold: Hold) -> None:
        def beat() -> None:
            self._send_if_idle(hold)
            self._schedule(hold)

        hold.timer = self._session.after(hold.interval, beat)

    def _send_if_idle(self, hold: Hold) -> None:
        # While the broker is away there is nothing to send: the next connection begins with all of them.
        if hold.underway is None and self._session.is_ready:
            self._send(hold)

    def _send(self, hold: Hold) -> None:
        hold.underway, hold.waiting = hold.waiting, _NOTHING
        job_id, attempt = hold.token
        # Not sent again: the next connection begins with a heartbeat of its own, that carries the report.
        call = calls.update(
            job_id,
            attempt=attempt,
            stage=hold.underway.stage,
            progress=hold.underway.progress,
            resend=False,
        )
        call.on_done = lambda call: self._answered(hold, call)
        self._session.submit(call, first=True)

    def _answered(self, hold: Hold, call: Call[Job]) -> None:
        sent, hold.underway = hold.underway, None
        if sent is None or self._holds.get(hold.token) is not hold:
            return
        if not isinstance(call.outcome, JobBrokerError):
            if hold.waiting != _NOTHING:
                self._send(hold)
        elif isinstance(call.outcome, (StaleClaim, JobFinished, NotFound)):
            status = None if call.outcome.job is None else call.outcome.job.status
            self.revoke(Revocation(*hold.token, status, call.outcome.message))
        elif not isinstance(call.outcome, (InvalidArgument, Unsupported, PermissionDenied)):
            # It goes with the next heartbeat.
            hold.waiting = sent.followed_by(hold.waiting)

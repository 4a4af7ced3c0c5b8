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
    """One who holds a claim, and is told when it is over."""

    def __init__(
        self, job: Job, lease: float, on_over: Callable[[Revocation], None], *, just_claimed: bool = False
    ) -> None:
        self.token: Token = (job.id, job.attempt)
        self.lease = lease
        self.on_over = on_over
        self.just_claimed = just_claimed
        """Whether its lease has just begun, on this connection."""


class _Claim:
    """A claim that is kept alive."""

    def __init__(self, hold: Hold) -> None:
        self.token = hold.token
        self.interval = hold.lease / 3
        """Two heartbeats may be lost."""
        self.holds = [hold]
        """More than one when it is held again meanwhile."""
        self.waiting = _NOTHING
        """Reported and not sent yet."""
        self.underway: Report | None = None
        """Sent and not answered yet."""
        self.timer: Timer | None = None


class ClaimKeeper:
    """The claims of a session that are kept alive."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._claims: dict[Token, _Claim] = {}
        self._unheard: deque[Revocation] = deque(maxlen=_UNHEARD_LIMIT)

    def hold(self, hold: Hold) -> None:
        """Heartbeats a claim until it is dropped, by all who hold it, or revoked."""
        for revocation in self._unheard:
            if (revocation.id, revocation.attempt) == hold.token:
                return hold.on_over(revocation)
        if self._session.ending is not None:
            return hold.on_over(Revocation(*hold.token, None, self._session.ending.message))
        claim = self._claims.get(hold.token)
        if claim is not None:
            claim.holds.append(hold)
            return None
        claim = self._claims[hold.token] = _Claim(hold)
        self._schedule(claim)
        if not hold.just_claimed:
            # Its lease may be nearly over, and a broker that has seen a new connection waits for its sign of life.
            self._send_if_idle(claim)
        return None

    def drop(self, hold: Hold) -> None:
        """Leaves a claim alone from now on, unless another holds it, too."""
        claim = self._claim_of(hold)
        if claim is not None:
            claim.holds.remove(hold)
            if not claim.holds:
                self._forget(claim)

    def report(self, hold: Hold, report: Report) -> None:
        """Sends a report, or merges it into the one that waits for the last one's answer."""
        claim = self._claim_of(hold)
        if claim is not None:
            claim.waiting = claim.waiting.followed_by(report)
            self._send_if_idle(claim)

    def renew_all(self) -> None:
        """Heartbeats every claim at once, for the first time on a connection."""
        for claim in list(self._claims.values()):
            if claim.underway is not None:
                # Its caller was interrupted, and nobody will answer it.
                claim.waiting = claim.underway.followed_by(claim.waiting)
            self._send(claim)

    def revoke(self, revocation: Revocation) -> None:
        """A claim is no longer valid."""
        claim = self._claims.get((revocation.id, revocation.attempt))
        if claim is None:
            self._unheard.append(revocation)
        else:
            self._end(claim, revocation)

    def end(self) -> None:
        """The session was closed: nobody keeps the claims any more."""
        ending = self._session.ending
        reason = "the client is closed" if ending is None else ending.message
        for claim in list(self._claims.values()):
            self._end(claim, Revocation(*claim.token, None, reason))

    def _claim_of(self, hold: Hold) -> _Claim | None:
        """The claim, if it is held by that one still."""
        claim = self._claims.get(hold.token)
        return claim if claim is not None and hold in claim.holds else None

    def _forget(self, claim: _Claim) -> None:
        del self._claims[claim.token]
        if claim.timer is not None:
            claim.timer.cancel()

    def _end(self, claim: _Claim, revocation: Revocation) -> None:
        self._forget(claim)
        for hold in claim.holds:
            hold.on_over(revocation)

    def _schedule(self, claim: _Claim) -> None:
        def beat() -> None:
            self._send_if_idle(claim)
            self._schedule(claim)

        claim.timer = self._session.after(claim.interval, beat)

    def _send_if_idle(self, claim: _Claim) -> None:
        # While the broker is away there is nothing to send: the next connection begins with all of them.
        if claim.underway is None and self._session.is_ready:
            self._send(claim)

    def _send(self, claim: _Claim) -> None:
        claim.underway, claim.waiting = claim.waiting, _NOTHING
        job_id, attempt = claim.token
        # Not sent again: the next connection begins with a heartbeat of its own, that carries the report.
        call = calls.update(
            job_id,
            attempt=attempt,
            stage=claim.underway.stage,
            progress=claim.underway.progress,
            resend=False,
        )
        call.on_done = lambda call: self._answered(claim, call)
        self._session.submit(call, first=True)

    def _answered(self, claim: _Claim, call: Call[Job]) -> None:
        sent, claim.underway = claim.underway, None
        if sent is None or self._claims.get(claim.token) is not claim:
            return
        if not isinstance(call.outcome, JobBrokerError):
            if claim.waiting != _NOTHING:
                self._send(claim)
        elif isinstance(call.outcome, (StaleClaim, JobFinished, NotFound)):
            status = None if call.outcome.job is None else call.outcome.job.status
            self.revoke(Revocation(*claim.token, status, call.outcome.message))
        elif not isinstance(call.outcome, (InvalidArgument, Unsupported, PermissionDenied)):
            # It goes with the next heartbeat.
            claim.waiting = sent.followed_by(claim.waiting)

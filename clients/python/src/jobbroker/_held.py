"""Claims that are kept alive."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Generic, TypeVar

from ._core.claims import Hold, Report
from ._tasks import AsyncSession
from ._threads import ThreadedSession
from .errors import JobCancelled
from .models import UNSET, Job, Revocation, Unset

if TYPE_CHECKING:
    from .client import Client

E = TypeVar("E", threading.Event, asyncio.Event)


class _Validity:
    """Whether a claim is valid still. The session knows this only, so that a client nobody closes ends with its last
    reference, and its held claims with it."""

    def __init__(self, cancelled: threading.Event | asyncio.Event) -> None:
        self._cancelled = cancelled
        self.revocation: Revocation | None = None

    def end(self, revocation: Revocation) -> None:
        self.revocation = revocation
        self._cancelled.set()


class _Held(Generic[E]):
    def __init__(
        self, session: ThreadedSession | AsyncSession, job: Job, lease: float, cancelled: E, just_claimed: bool = False
    ) -> None:
        self.job = job
        """The job as it was claimed."""
        self.cancelled: E = cancelled
        """Set when the job was taken away: cancelled, reaped, lost, or given to somebody else."""
        self._validity = _Validity(cancelled)
        self._owner = session
        self._claims = session.session.claims
        self._hold = Hold(job, lease, self._validity.end, just_claimed=just_claimed)
        session.do(lambda: self._claims.hold(self._hold))

    @property
    def revocation(self) -> Revocation | None:
        """Why it was taken away."""
        return self._validity.revocation

    def report(self, *, stage: str | Unset | None = UNSET, progress: float | None = None) -> None:
        """Says what is being done. Returns at once: reports that come faster than the broker answers are merged, the
        latest wins.

        :param stage: at most 256 bytes; None clears it.
        :param progress: 0 to 100 within the stage.
        :raises JobCancelled: the job was taken away.
        :raises InvalidArgument:
        :raises Unavailable: this process is a fork of the one whose claim it is.
        """
        report = Report(stage, progress)
        if self._owner.session.disowned is not None:
            raise self._owner.session.disowned
        if self.revocation is not None:
            raise JobCancelled(self.revocation.reason)
        self._owner.do(lambda: self._claims.report(self._hold, report))

    def close(self) -> None:
        """Leaves the claim alone from now on."""
        self._owner.do(lambda: self._claims.drop(self._hold))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class HeldClaim(_Held[threading.Event]):
    """A claim that is kept alive. Made by ``Client.hold``."""

    def __init__(self, client: Client, session: ThreadedSession, job: Job, lease: float) -> None:
        self._client = client
        """Kept, for the connection ends with it."""
        super().__init__(session, job, lease, threading.Event())

    def __enter__(self) -> HeldClaim:
        return self


class AsyncHeldClaim(_Held[asyncio.Event]):
    """A claim that is kept alive. Made by ``AsyncClient.hold``."""

    def __init__(self, session: AsyncSession, job: Job, lease: float, just_claimed: bool = False) -> None:
        super().__init__(session, job, lease, asyncio.Event(), just_claimed)

    def __enter__(self) -> AsyncHeldClaim:
        return self

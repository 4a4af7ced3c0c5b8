"""One exception per error code of the protocol; all are a :class:`JobBrokerError`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from .models import Job


class JobBrokerError(Exception):
    """What the broker refused, or why no answer came."""

    code: ClassVar[str] = "INTERNAL"
    """The code on the wire."""

    def __init__(self, message: str, job: Job | None = None) -> None:
        super().__init__(message)
        self.message = message
        """What is wrong and what to do, for a person."""
        self.job = job
        """The job as it is now, without metadata and result, where the code promises it; else None."""


class InvalidArgument(JobBrokerError):
    """The request is malformed; the message names the field and what is allowed."""

    code = "INVALID_ARGUMENT"


class NotFound(JobBrokerError):
    """There is no such job."""

    code = "NOT_FOUND"


class StaleClaim(JobBrokerError):
    """The claim is no longer valid; ``job`` is the job as it is. Stop working on it."""

    code = "STALE_CLAIM"


class JobFinished(JobBrokerError):
    """Too late: ``job`` is the job as it is."""

    code = "JOB_FINISHED"


class AlreadyExists(JobBrokerError):
    """The id belongs to a job with other content (``job``), or the file exists."""

    code = "ALREADY_EXISTS"


class PermissionDenied(JobBrokerError):
    """Not this user, or not on a read-only client."""

    code = "PERMISSION_DENIED"


class ResourceExhausted(JobBrokerError):
    """A limit or the disk is used up; finishing jobs still works."""

    code = "RESOURCE_EXHAUSTED"


class Unavailable(JobBrokerError):
    """No broker, or no answer in time. Nothing happened, or repeating the same call is safe."""

    code = "UNAVAILABLE"


class UnknownOutcome(JobBrokerError):
    """It may have happened, and repeating it could do it twice: read the job first."""

    code = "UNKNOWN_OUTCOME"


class Unsupported(JobBrokerError):
    """The broker, or this client, does not know this operation, value or version; or it is more than Python reads."""

    code = "UNSUPPORTED"


class Internal(JobBrokerError):
    """A fault of the broker, or a reply that can't be understood."""

    code = "INTERNAL"


class JobCancelled(StaleClaim):
    """Raised in a handler at its next report: the job was taken away (cancelled, reaped, lost), or the worker is
    stopping and can't wait any longer. What the handler still does counts for nothing; it should end."""


class PermanentFailure(Exception):
    """Raised by a handler whose job can't succeed: it fails, whatever retries are left."""


class RetryableFailure(Exception):
    """Raised by a handler whose job may succeed next time: it goes back to the queue while it has retries left. Any
    other exception has the same effect; this one is recorded without a type's name and logged without a traceback."""


def no_broker(socket_path: str, reason: str) -> Unavailable:
    """There is no broker behind a socket."""
    return Unavailable(
        f"no broker answers at {socket_path} ({reason}); start one with: jobbrokerd --socket {socket_path}"
    )


ERRORS: dict[str, type[JobBrokerError]] = {
    error.code: error
    for error in (
        InvalidArgument,
        NotFound,
        StaleClaim,
        JobFinished,
        AlreadyExists,
        PermissionDenied,
        ResourceExhausted,
        Unavailable,
        UnknownOutcome,
        Unsupported,
        Internal,
    )
}
"""The exception of each code."""

"""A client of JobBroker: create jobs, follow them, and work on them.

:class:`Client` blocks, :class:`AsyncClient` is for asyncio, :class:`Worker` runs handlers.
"""

from ._async_watch import AsyncWatch
from ._core.ids import new_job_id
from ._held import AsyncHeldClaim, HeldClaim
from ._watch import Watch
from .aio import AsyncClient
from .client import Client
from .context import JobContext
from .errors import (
    AlreadyExists,
    Internal,
    InvalidArgument,
    JobBrokerError,
    JobCancelled,
    JobFinished,
    NotFound,
    PermanentFailure,
    PermissionDenied,
    ResourceExhausted,
    RetryableFailure,
    StaleClaim,
    Unavailable,
    UnknownOutcome,
    Unsupported,
)
from .models import (
    UNSET,
    Attempt,
    BrokerStats,
    Cause,
    Changed,
    ConnectedWorker,
    CreatedJob,
    Deleted,
    HeldJob,
    Interrupted,
    Job,
    JobId,
    JobPage,
    JobStatus,
    NewJob,
    QueuePosition,
    Revocation,
    Snapshot,
    TypeStats,
    WatchEvent,
    Welcome,
    WorkerIdentity,
    WorkerList,
)
from .options import Backoff
from .worker import Worker

__all__ = [
    "UNSET",
    "AlreadyExists",
    "AsyncClient",
    "AsyncHeldClaim",
    "AsyncWatch",
    "Attempt",
    "Backoff",
    "BrokerStats",
    "Cause",
    "Changed",
    "Client",
    "ConnectedWorker",
    "CreatedJob",
    "Deleted",
    "HeldClaim",
    "HeldJob",
    "Internal",
    "Interrupted",
    "InvalidArgument",
    "Job",
    "JobBrokerError",
    "JobCancelled",
    "JobContext",
    "JobFinished",
    "JobId",
    "JobPage",
    "JobStatus",
    "NewJob",
    "NotFound",
    "PermanentFailure",
    "PermissionDenied",
    "QueuePosition",
    "ResourceExhausted",
    "RetryableFailure",
    "Revocation",
    "Snapshot",
    "StaleClaim",
    "TypeStats",
    "Unavailable",
    "UnknownOutcome",
    "Unsupported",
    "Watch",
    "WatchEvent",
    "Welcome",
    "Worker",
    "WorkerIdentity",
    "WorkerList",
    "new_job_id",
]

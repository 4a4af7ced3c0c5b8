"""The values that go in and come out: jobs and what is said about them. Times are aware datetimes in UTC (those
beyond the year 9999 are given as ``datetime.max``), durations are seconds."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Union, cast
from uuid import UUID

from .errors import Internal, Unsupported

JobId = Union[UUID, str]
"""An id as callers may give it."""


class JobStatus(str, enum.Enum):
    """Where a job is in its life. Equal to its lower-case name."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_finished(self) -> bool:
        """Whether the job has ended; only ``retry`` and ``delete`` change a finished job."""
        return self not in (JobStatus.PENDING, JobStatus.PROCESSING)

    def __str__(self) -> str:
        return self.value


class Cause(str, enum.Enum):
    """Why an attempt ended without success."""

    FAILED = "failed"
    LOST = "lost"
    RELEASED = "released"
    CANCELLED = "cancelled"

    def __str__(self) -> str:
        return self.value


class Unset(enum.Enum):
    """The type of :data:`UNSET`."""

    UNSET = "UNSET"


UNSET = Unset.UNSET
"""Leaves a field as it is, where None would clear it."""


@dataclass(frozen=True)
class WorkerIdentity:
    """Who holds a job: the name it gave itself, and what the kernel says of its process. For people; no request is
    ever fenced by it."""

    name: str
    pid: int
    uid: int


@dataclass(frozen=True)
class Attempt:
    """An attempt that ended without success."""

    attempt: int
    worker: WorkerIdentity | None
    started_at: datetime
    ended_at: datetime
    cause: Cause
    error: str | None


@dataclass(frozen=True)
class Job:
    """A job as the broker holds it."""

    id: UUID
    type: str
    """Routes the job to workers, as in ``ingest``."""
    status: JobStatus
    progress: float
    """0 to 100 within the stage."""
    stage: str | None
    """What the worker says it is doing."""
    metadata_json: str | None
    """What the producer said of the job: a JSON object as text. Only from ``get``, ``list`` and ``claim``."""
    result_json: str | None
    """What came of the job: a JSON object as text. Not in replies to the call that set it."""
    error: str | None
    retry_count: int
    """Automatic retries so far, of at most ``max_retries``."""
    max_retries: int
    lost_count: int
    """How often a worker was lost while holding it; beyond ``max_lost`` the job fails."""
    max_lost: int
    priority: int
    """Higher is claimed first."""
    not_before: datetime | None
    """Present while the job waits for it."""
    unique_key: str | None
    """At most one unfinished job has a given key."""
    attempt: int
    """How often it was claimed: the fence."""
    worker: WorkerIdentity | None
    """The holder, or the last one."""
    lease_expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    history: tuple[Attempt, ...]
    """The attempts that ended without success, oldest first. Only from ``get``."""
    sequence: int
    """Place in the order of creation."""

    @cached_property
    def metadata(self) -> dict[str, Any] | None:
        """``metadata_json``, parsed.

        :raises Unsupported: Python's limits do not allow that.
        """
        return self._parsed("metadata", self.metadata_json)

    @cached_property
    def result(self) -> dict[str, Any] | None:
        """``result_json``, parsed.

        :raises Unsupported: Python's limits do not allow that.
        """
        return self._parsed("result", self.result_json)

    def _parsed(self, field: str, text: str | None) -> dict[str, Any] | None:
        if text is None:
            return None
        what = f"the {field} of job {self.id}"
        try:
            return cast("dict[str, Any]", json.loads(text))
        except json.JSONDecodeError as error:
            raise Internal(f"{what} is no JSON: {error}") from None
        except (ValueError, RecursionError) as error:
            raise Unsupported(f"{what} is more than Python reads ({error}); {field}_json is its text") from None


@dataclass(frozen=True)
class NewJob:
    """What a producer says of a job. The id makes a repeated create the same job; ``None``: a new one is made."""

    type: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    id: JobId | None = None
    priority: int = 0
    """Higher is claimed first."""
    max_retries: int = 1
    """How many automatic retries a retryable failure may use."""
    max_lost: int = 3
    """How often a worker may be lost while holding it."""
    not_before: datetime | None = None
    """Not to be claimed before this moment, an aware datetime."""
    unique_key: str | None = None
    """At most one unfinished job may have this key."""


@dataclass(frozen=True)
class CreatedJob:
    """What became of a :class:`NewJob`."""

    job: Job
    created: bool
    """False: the job was there already, by its id or by its unique key."""


@dataclass(frozen=True)
class JobPage:
    """One page of a list, newest first."""

    jobs: tuple[Job, ...]
    next_cursor: int | None
    """Where the next page begins; None on the last one."""


@dataclass(frozen=True)
class QueuePosition:
    """A place among the pending jobs, from 0; −1: not pending, or unknown."""

    overall: int
    in_type: int


@dataclass(frozen=True)
class Revocation:
    """A job was taken from its holder."""

    id: UUID
    attempt: int
    status: JobStatus | None
    """What the job is now; None: deleted, or not known."""
    reason: str


@dataclass(frozen=True)
class Snapshot:
    """The state from which the changes that follow count."""

    jobs: tuple[Job, ...]
    truncated: bool
    """There are more unfinished jobs than a snapshot holds."""


@dataclass(frozen=True)
class Changed:
    """A job as it is now, without its metadata; when its holder only reported, without its result, too."""

    job: Job


@dataclass(frozen=True)
class Deleted:
    """A job was deleted."""

    id: UUID


@dataclass(frozen=True)
class Interrupted:
    """Changes were missed (the connection was lost, or the reader was too slow): a new snapshot follows."""


WatchEvent = Union[Snapshot, Changed, Deleted, Interrupted]
"""What a watch tells."""


@dataclass(frozen=True)
class Welcome:
    """What the broker said when it was greeted."""

    server: str
    """Program and version."""
    max_frame: int
    """Bytes of a frame after its length."""
    max_in_flight: int
    """Requests that may be unanswered at a time."""
    features: tuple[str, ...]
    """What this broker can do beyond version 1 of the protocol."""


@dataclass(frozen=True)
class TypeStats:
    """Jobs of one type, by status."""

    type: str
    pending: int
    processing: int
    complete: int
    failed: int
    cancelled: int
    paused: bool


@dataclass(frozen=True)
class BrokerStats:
    """The broker's counters."""

    types: tuple[TypeStats, ...]
    connections: int
    waiting_claims: int
    watches: int
    commits: int
    """Since the broker started, as ``commands``."""
    commands: int
    uptime: float
    cpu: float
    """User and system time of the broker's process, in seconds."""
    resident_bytes: int
    server: str
    store: str
    pid: int
    truncated: bool
    """There are more types than a reply holds."""


@dataclass(frozen=True)
class HeldJob:
    """A job that a client holds."""

    id: UUID
    attempt: int
    type: str


@dataclass(frozen=True)
class ConnectedWorker:
    """A connected client, what it waits for and what it holds."""

    worker: WorkerIdentity
    client: str
    connected_at: datetime
    waiting: bool
    """Blocked in a claim."""
    waiting_types: tuple[str, ...]
    """None while waiting: any type."""
    holds: tuple[HeldJob, ...]


@dataclass(frozen=True)
class WorkerList:
    """Who is connected."""

    workers: tuple[ConnectedWorker, ...]
    truncated: bool
    """There are more, or more that they wait for and hold, than a reply holds."""

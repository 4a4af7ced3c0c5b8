"""Reads replies: from the generated messages to the public values. What can't be read raises Internal, or
Unsupported where a later version of the protocol may be the cause."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from uuid import UUID

from .._proto import jobbroker_pb2 as pb
from ..errors import ERRORS, Internal, JobBrokerError, Unsupported
from ..models import (
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
    JobPage,
    JobStatus,
    QueuePosition,
    Revocation,
    TypeStats,
    WatchEvent,
    Welcome,
    WorkerIdentity,
    WorkerList,
)
from .frames import PROTOCOL_VERSION

_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LATEST = datetime.max.replace(tzinfo=timezone.utc)

# By the numbers of the schema, whose generated names are attributes only of the stubs' enums.
STATUSES = {pb.Status.Value(status.name): status for status in JobStatus}
_CAUSES = {pb.Cause.Value(f"CAUSE_{cause.name}"): cause for cause in Cause}
_ERRORS = {pb.ErrorCode.Value(code): error for code, error in ERRORS.items()}


def _unreadable(what: str) -> Internal:
    return Internal(f"the broker's reply can't be read: {what}")


def missing(response: pb.Response) -> JobBrokerError:
    """Why a response has no reply: it has none, or one that came with a later version."""
    if response.ByteSize() == pb.Response(id=response.id).ByteSize():
        return _unreadable("it has no reply")
    return Unsupported("the broker's reply is of a kind that this version does not know")


def _text(value: str | bytes, field: str) -> str:
    # Runtimes differ: some hand over bytes that are not UTF-8 as they are, others refuse the whole message.
    if not isinstance(value, str):
        raise _unreadable(f"{field} is not UTF-8")
    return value


def _uuid(value: bytes, field: str) -> UUID:
    if len(value) != 16:
        raise _unreadable(f"{field} has {len(value)} bytes; an id has 16")
    return UUID(bytes=value)


def _moment(milliseconds: int) -> datetime:
    try:
        return _EPOCH + milliseconds * _MILLISECOND
    except OverflowError:
        return _LATEST


def _worker(holder: pb.Holder) -> WorkerIdentity:
    return WorkerIdentity(_text(holder.name, "worker.name"), holder.pid, holder.uid)


def read_job(job: pb.Job) -> Job:
    job_id = _uuid(job.id, "job.id")
    status = STATUSES.get(job.status)
    if status is None:
        raise Unsupported("the broker's reply can't be read: job.status is absent, or not known to this version")
    has = job.HasField
    # A frozen dataclass sets its fields one by one, in a way that costs more than reading them all.
    read = object.__new__(Job)
    read.__dict__.update(
        id=job_id,
        type=_text(job.type, "job.type"),
        status=status,
        progress=job.progress,
        stage=_text(job.stage, "job.stage") if has("stage") else None,
        metadata_json=_text(job.metadata, "job.metadata") if has("metadata") else None,
        result_json=_text(job.result, "job.result") if has("result") else None,
        error=_text(job.error, "job.error") if has("error") else None,
        retry_count=job.retry_count,
        max_retries=job.max_retries,
        lost_count=job.lost_count,
        max_lost=job.max_lost,
        priority=job.priority,
        not_before=_moment(job.not_before) if has("not_before") else None,
        unique_key=_text(job.unique_key, "job.unique_key") if has("unique_key") else None,
        attempt=job.attempt,
        worker=_worker(job.worker) if has("worker") else None,
        lease_expires_at=_moment(job.lease_expires_at) if has("lease_expires_at") else None,
        created_at=_moment(job.created_at),
        updated_at=_moment(job.updated_at),
        started_at=_moment(job.started_at) if has("started_at") else None,
        finished_at=_moment(job.finished_at) if has("finished_at") else None,
        history=tuple(map(_attempt, job.history)) if job.history else (),
        sequence=job.sequence,
    )
    return read


def _attempt(attempt: pb.Attempt) -> Attempt:
    cause = _CAUSES.get(attempt.cause)
    if cause is None:
        raise Unsupported("the broker's reply can't be read: a cause is absent, or not known to this version")
    return Attempt(
        attempt=attempt.attempt,
        worker=_worker(attempt.worker) if attempt.HasField("worker") else None,
        started_at=_moment(attempt.started_at),
        ended_at=_moment(attempt.ended_at),
        cause=cause,
        error=_text(attempt.error, "history.error") if attempt.HasField("error") else None,
    )


def read_jobs(jobs: Iterable[pb.Job]) -> tuple[Job, ...]:
    return tuple(map(read_job, jobs))


def read_error(error: pb.Error) -> JobBrokerError:
    """The exception that an error says; a code that this version does not know counts as INTERNAL."""
    job = read_job(error.job) if error.HasField("job") else None
    return _ERRORS.get(error.code, Internal)(_text(error.message, "error.message"), job)


def readable_error(error: pb.Error) -> JobBrokerError:
    """The exception that an error says, or the one that says why it can't be read."""
    try:
        return read_error(error)
    except JobBrokerError as unreadable:
        return unreadable


def other_version(welcome: pb.Welcome) -> Unsupported:
    """What to say to a broker of another version of the protocol."""
    theirs, ours = welcome.protocol_version, PROTOCOL_VERSION
    return Unsupported(f"the broker speaks version {theirs} of the protocol, this client version {ours}")


def read_welcome(welcome: pb.Welcome) -> Welcome:
    return Welcome(
        server=_text(welcome.server, "welcome.server"),
        max_frame=welcome.max_frame,
        max_in_flight=welcome.max_in_flight,
        features=tuple(_text(feature, "welcome.features") for feature in welcome.features),
    )


def read_created(created: pb.Created) -> tuple[CreatedJob, ...]:
    return tuple([CreatedJob(read_job(entry.job), entry.created) for entry in created.jobs])


def read_page(page: pb.JobList) -> JobPage:
    return JobPage(read_jobs(page.jobs), page.next_cursor if page.HasField("next_cursor") else None)


def read_position(position: pb.QueuePosition) -> QueuePosition:
    return QueuePosition(position.position, position.position_in_type)


def read_event(event: pb.Event) -> WatchEvent:
    change = event.WhichOneof("change")
    if change == "changed":
        return Changed(read_job(event.changed))
    if change == "deleted":
        return Deleted(_uuid(event.deleted, "event.deleted"))
    if change == "resync":
        return Interrupted()
    raise Unsupported("the broker's reply can't be read: an event of a kind this version does not know")


def read_revocation(revoked: pb.Revoked) -> Revocation:
    return Revocation(
        id=_uuid(revoked.id, "revoked.id"),
        attempt=revoked.attempt,
        status=STATUSES.get(revoked.status),
        reason=_text(revoked.reason, "revoked.reason"),
    )


def read_stats(stats: pb.Stats) -> BrokerStats:
    return BrokerStats(
        types=tuple(
            TypeStats(
                type=_text(entry.type, "stats.type"),
                pending=entry.pending,
                processing=entry.processing,
                complete=entry.complete,
                failed=entry.failed,
                cancelled=entry.cancelled,
                paused=entry.paused,
            )
            for entry in stats.types
        ),
        connections=stats.connections,
        waiting_claims=stats.waiting_claims,
        watches=stats.watches,
        commits=stats.commits,
        commands=stats.commands,
        uptime=stats.uptime_ms / 1e3,
        cpu=stats.cpu_us / 1e6,
        resident_bytes=stats.resident_bytes,
        server=_text(stats.server, "stats.server"),
        store=_text(stats.store, "stats.store"),
        pid=stats.pid,
        truncated=stats.truncated,
    )


def read_workers(workers: pb.WorkerList) -> WorkerList:
    read = tuple(
        ConnectedWorker(
            worker=_worker(entry.holder),
            client=_text(entry.client, "workers.client"),
            connected_at=_moment(entry.connected_at),
            waiting=entry.waiting,
            waiting_types=tuple(_text(name, "workers.waiting_types") for name in entry.waiting_types),
            holds=tuple(
                HeldJob(_uuid(held.id, "workers.holds.id"), held.attempt, _text(held.type, "workers.holds.type"))
                for held in entry.holds
            ),
        )
        for entry in workers.workers
    )
    return WorkerList(read, workers.truncated)

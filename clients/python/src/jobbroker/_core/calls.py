"""The operations of the protocol, each as the call that asks for it. Says for each whether it may be repeated."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import wraps
from typing import Any, Callable, TypeVar, cast

from .._proto import jobbroker_pb2 as pb
from ..errors import Internal, InvalidArgument
from ..models import (
    UNSET,
    BrokerStats,
    CreatedJob,
    Job,
    JobId,
    JobPage,
    JobStatus,
    NewJob,
    QueuePosition,
    Unset,
    Welcome,
    WorkerList,
)
from ..options import Options
from . import replies
from .call import Call
from .frames import PROTOCOL_VERSION
from .ids import id_bytes, new_id_bytes

FOREVER = 10 * 365 * 86_400.0
"""The longest time that means anything to the broker, in seconds."""

_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_ascii_json = json.JSONEncoder(allow_nan=False, separators=(",", ":"))

_F = TypeVar("_F", bound=Callable[..., Call[Any]])


def _checked(build: _F) -> _F:
    """Turns what the generated code says of a value that does not fit into its field, and ``json`` of one beyond its
    limits, into INVALID_ARGUMENT."""

    @wraps(build)
    def checked(*args: Any, **kwargs: Any) -> Call[Any]:
        try:
            return build(*args, **kwargs)
        except (ValueError, RecursionError) as error:
            raise InvalidArgument(str(error)) from error

    return cast(_F, checked)


# ---------------------------------------------------------------------------------------------- values


def json_object(value: Mapping[str, Any]) -> str:
    """The text of a JSON object.

    :raises ValueError, TypeError, RecursionError: there is none, or none that Python can write.
    """
    if not isinstance(value, dict):
        value = dict(value)
    text = _json.encode(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        # Half a surrogate pair, as in the name of a file that is not UTF-8: JSON can say it, UTF-8 can't.
        text = _ascii_json.encode(value)
    return text


def milliseconds(seconds: float) -> int:
    """A duration as the protocol writes it.

    :raises ValueError: it is negative, or no number.
    """
    if not seconds >= 0:
        raise ValueError(f"a duration of {seconds} s: it must be 0 or more")
    return round(min(seconds, FOREVER) * 1000)


def _moment(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ValueError("not_before has no time zone: give an aware datetime, as datetime.now(timezone.utc)")
    return round(moment.timestamp() * 1000)


def _status(status: JobStatus | str) -> pb.Status:
    return cast(pb.Status, pb.Status.Value(JobStatus(status).name))


def _job_call(name: str, request: pb.Request, *, repeatable: bool, resend: bool = True) -> Call[Job]:
    return Call(name, request, "job", replies.read_job, repeatable=repeatable, resend=resend)


def _done(name: str, request: pb.Request, *, repeatable: bool) -> Call[None]:
    return Call(name, request, "done", lambda _: None, repeatable=repeatable)


def _count(name: str, request: pb.Request) -> Call[int]:
    return Call(name, request, "count", lambda reply: cast(int, reply.count), repeatable=False)


# ---------------------------------------------------------------------------------------------- operations


def hello(options: Options) -> Call[Welcome]:
    operation = pb.Hello(
        protocol_version=PROTOCOL_VERSION,
        client=options.client_name,
        worker_name=options.worker_name,
        read_only=options.read_only,
    )
    return Call("hello", pb.Request(hello=operation), "welcome", replies.read_welcome, repeatable=True)


def ping() -> Call[None]:
    return Call("ping", pb.Request(ping=pb.Ping()), "pong", lambda _: None, repeatable=True)


@_checked
def create_one(
    type: str,
    metadata: Mapping[str, Any],
    id: JobId | None,
    priority: int,
    max_retries: int,
    max_lost: int,
    not_before: datetime | None,
    unique_key: str | None,
) -> Call[CreatedJob]:
    # As ``create``, without a NewJob: to make one is a tenth of what a create costs.
    request = pb.Request()
    _add_job(request.create, type, metadata, id, priority, max_retries, max_lost, not_before, unique_key)
    return Call("create", request, "created", lambda reply: _created(reply, 1)[0], repeatable=True)


@_checked
def create(jobs: Sequence[NewJob]) -> Call[tuple[CreatedJob, ...]]:
    # The jobs bring their ids, so a second create finds them made.
    request = pb.Request()
    request.create.SetInParent()
    for job in jobs:
        _add_job(
            request.create,
            job.type,
            job.metadata,
            job.id,
            job.priority,
            job.max_retries,
            job.max_lost,
            job.not_before,
            job.unique_key,
        )
    return Call("create", request, "created", lambda reply: _created(reply, len(jobs)), repeatable=True)


def _add_job(
    create: pb.Create,
    type: str,
    metadata: Mapping[str, Any],
    id: JobId | None,
    priority: int,
    max_retries: int,
    max_lost: int,
    not_before: datetime | None,
    unique_key: str | None,
) -> None:
    # In its place: what is put together elsewhere is copied into each message around it.
    create.jobs.add(
        id=new_id_bytes() if id is None else id_bytes(id),
        type=type,
        metadata=json_object(metadata),
        priority=priority,
        max_retries=max_retries,
        max_lost=max_lost,
        not_before=None if not_before is None else _moment(not_before),
        unique_key=unique_key,
    )


def _created(reply: pb.Created, count: int) -> tuple[CreatedJob, ...]:
    if len(reply.jobs) != count:
        raise Internal(f"the broker answered create of {count} jobs with {len(reply.jobs)}")
    return replies.read_created(reply)


def get(job_id: JobId) -> Call[Job]:
    return _job_call("get", pb.Request(get=pb.Get(id=id_bytes(job_id))), repeatable=True)


@_checked
def list_jobs(
    status: JobStatus | str | None,
    type: str | None,
    id_prefix: str | None,
    limit: int,
    cursor: int | None,
) -> Call[JobPage]:
    operation = pb.List(
        status=None if status is None else _status(status),
        type=type,
        id_prefix=id_prefix,
        limit=limit,
        cursor=cursor,
    )
    return Call("list", pb.Request(list=operation), "jobs", replies.read_page, repeatable=True)


@_checked
def update(
    job_id: JobId,
    *,
    attempt: int | None = None,
    status: JobStatus | str | None = None,
    progress: float | None = None,
    stage: str | Unset | None = UNSET,
    result: Mapping[str, Any] | None = None,
    error: str | None = None,
    retry_count: int | None = None,
    resend: bool = True,
) -> Call[Job]:
    operation = pb.Update(
        id=id_bytes(job_id),
        attempt=attempt,
        status=None if status is None else _status(status),
        progress=progress,
        stage=stage if isinstance(stage, str) else None,
        result=None if result is None else json_object(result),
        error=error,
        retry_count=retry_count,
    )
    if stage is None:
        operation.clear_stage = True
    return _job_call("update", pb.Request(update=operation), repeatable=attempt is not None, resend=resend)


# Without a fence a repeat meets whatever happened in between; with one the broker lets only the same holder through,
# and answers its repeat as the first time.


@_checked
def complete(job_id: JobId, result: Mapping[str, Any] | None, attempt: int | None) -> Call[Job]:
    return complete_with_text(job_id, None if result is None else json_object(result), attempt)


@_checked
def complete_with_text(job_id: JobId, result: str | None, attempt: int | None) -> Call[Job]:
    operation = pb.Complete(id=id_bytes(job_id), attempt=attempt, result=result)
    return _job_call("complete", pb.Request(complete=operation), repeatable=attempt is not None)


@_checked
def fail(job_id: JobId, error: str, retryable: bool, attempt: int | None) -> Call[Job]:
    operation = pb.Fail(id=id_bytes(job_id), attempt=attempt, error=error, retryable=retryable)
    return _job_call("fail", pb.Request(fail=operation), repeatable=attempt is not None)


@_checked
def release(job_id: JobId, delay: float, attempt: int | None) -> Call[Job]:
    operation = pb.Release(id=id_bytes(job_id), attempt=attempt, delay_ms=milliseconds(delay))
    return _job_call("release", pb.Request(release=operation), repeatable=attempt is not None)


def cancel(job_id: JobId) -> Call[Job]:
    return _job_call("cancel", pb.Request(cancel=pb.Cancel(id=id_bytes(job_id))), repeatable=True)


def retry(job_id: JobId) -> Call[Job]:
    # The job may have run and failed again: a second retry would run it once more.
    return _job_call("retry", pb.Request(retry=pb.Retry(id=id_bytes(job_id))), repeatable=False)


def delete(job_id: JobId) -> Call[None]:
    return _done("delete", pb.Request(delete=pb.Delete(id=id_bytes(job_id))), repeatable=False)


@_checked
def claim(types: Iterable[str], max_jobs: int, wait: float, lease: float) -> Call[tuple[Job, ...]]:
    # A claim whose reply was lost is given up with its connection; the next one takes other jobs.
    operation = pb.Claim(
        types=_texts(types), max_jobs=max_jobs, wait_ms=milliseconds(wait), lease_ms=milliseconds(lease)
    )
    return Call(
        "claim",
        pb.Request(claim=operation),
        "claimed",
        lambda reply: replies.read_jobs(reply.jobs),
        repeatable=True,
        wait=min(wait, FOREVER),
    )


def withdraw(claim_id: int) -> Call[None]:
    # Its claim ends with the connection.
    request = pb.Request(withdraw=pb.Withdraw(claim_id=claim_id))
    return Call("withdraw", request, "done", lambda _: None, repeatable=True, resend=False)


@_checked
def reap(timeout: float, type: str | None) -> Call[int]:
    return _count("reap", pb.Request(reap=pb.Reap(timeout_ms=milliseconds(timeout), type=type)))


def position(job_id: JobId) -> Call[QueuePosition]:
    request = pb.Request(position=pb.Position(id=id_bytes(job_id)))
    return Call("position", request, "position", replies.read_position, repeatable=True)


@_checked
def watch(ids: Iterable[JobId], types: Iterable[str]) -> Call[None]:
    operation = pb.Watch(ids=[id_bytes(job_id) for job_id in ids], types=_texts(types))
    return Call("watch", pb.Request(watch=operation), "snapshot", lambda _: None, repeatable=True)


def unwatch(watch_id: int) -> Call[None]:
    # Its watch ends with the connection.
    request = pb.Request(unwatch=pb.Unwatch(watch_id=watch_id))
    return Call("unwatch", request, "done", lambda _: None, repeatable=True, resend=False)


def stats() -> Call[BrokerStats]:
    return Call("stats", pb.Request(stats=pb.GetStats()), "stats", replies.read_stats, repeatable=True)


def workers() -> Call[WorkerList]:
    request = pb.Request(workers=pb.ListWorkers())
    return Call("workers", request, "workers", replies.read_workers, repeatable=True)


@_checked
def pause(type: str) -> Call[None]:
    return _done("pause", pb.Request(pause=pb.Pause(type=type)), repeatable=True)


@_checked
def resume(type: str) -> Call[None]:
    return _done("resume", pb.Request(resume=pb.Resume(type=type)), repeatable=True)


@_checked
def prune(older_than: float, status: JobStatus | str | None, type: str | None) -> Call[int]:
    operation = pb.Prune(
        older_than_ms=milliseconds(older_than), status=None if status is None else _status(status), type=type
    )
    return _count("prune", pb.Request(prune=operation))


@_checked
def backup(path: str) -> Call[None]:
    return _done("backup", pb.Request(backup=pb.Backup(path=path)), repeatable=False)


def _texts(texts: Iterable[str]) -> list[str]:
    # A text is an iterable of texts, too: "ingest" would be six types of one letter.
    if isinstance(texts, str):
        raise TypeError(f"types is the text {texts!r}; give a list of texts")
    return list(texts)

"""The scenario of proto/vectors/conformance/README.md, step by step."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Callable
from uuid import UUID

from jobbroker import (
    Changed,
    Client,
    CreatedJob,
    Deleted,
    Job,
    JobBrokerError,
    NewJob,
    Snapshot,
    Watch,
    new_job_id,
)

_METADATA = {
    "big": 9007199254740993,
    "nested": {"list": [1, None, True, "x"]},
    "text": 'žluťoučký 🎧 "q" \\',
}


class Scenario:
    """The clients, and the names of the jobs they make."""

    def __init__(self, socket_path: str) -> None:
        self.producer, self.holder, self.rival, self.waiter = (
            Client(socket_path, worker_name=name) for name in ("producer", "holder", "rival", "waiter")
        )
        self.looker = Client(socket_path, read_only=True)
        self.names: dict[UUID, str] = {}

    def play(self) -> None:
        clients = (self.producer, self.holder, self.rival, self.waiter, self.looker)
        with ExitStack() as stack:
            for client in clients:
                stack.enter_context(client)
            self.create()
            self.refuse()
            self.positions()
            with self.producer.watch(ids=[self.first]) as watch:
                self.watch = watch
                self.work()
                self.finish()
                self.read()
                self.restart()

    # ------------------------------------------------------------------------------------------ the steps

    def create(self) -> None:
        producer = self.producer
        first = NewJob("ingest", _METADATA, id=new_job_id())
        self.first = self.made("create", producer.create_many([first])[0], "first")
        self.made("create again", producer.create_many([first])[0])
        self.refusal("create other content", lambda: producer.create("ingest", {}, id=self.first))
        batch = producer.create_many(
            [
                NewJob("preview"),
                NewJob("ingest", priority=7, max_retries=0, unique_key="album:1"),
                NewJob("save", priority=-7),
            ]
        )
        self.second, self.urgent, self.last = (
            self.made("create batch", entry, name) for entry, name in zip(batch, ("second", "urgent", "last"))
        )
        self.made("unique key", producer.create("ingest", unique_key="album:1"))

    def refuse(self) -> None:
        producer, unknown = self.producer, new_job_id()
        self.refusal("bad type", lambda: producer.create(""))
        self.refusal("bad progress", lambda: producer.update(self.first, progress=101))
        # This client says None of a job that is not there.
        if producer.get(unknown) is None:
            self.line("get unknown", code="NOT_FOUND")
        self.refusal("cancel unknown", lambda: producer.cancel(unknown))

    def positions(self) -> None:
        for job_id in (self.first, self.second, self.urgent, self.last, new_job_id()):
            position = self.producer.position(job_id)
            self.line("position", name=self.name(job_id), position=position.overall, position_in_type=position.in_type)
        self.refusal("read only", lambda: self.looker.create("ingest"))
        self.producer.pause("preview")
        self.line("claim paused", jobs=len(self.holder.claim(["preview"])))
        self.producer.resume("preview")

    def work(self) -> None:
        holder, rival = self.holder, self.rival
        self.snapshot()
        self.claimed("claim", holder.claim(max_jobs=2))
        self.event()
        self.job("report", holder.update(self.first, attempt=1, progress=12.5, stage="downloading 🎧"))
        self.event()
        self.job("clear stage", holder.update(self.first, attempt=1, progress=0, stage=None))
        self.event()
        self.claimed("claim short", holder.claim(["preview"], lease=0.01))
        self.claimed("claim lost", rival.claim(["preview"], wait=30))
        self.refusal("late completion", lambda: holder.complete(self.second, {"late": True}, attempt=1))
        self.job("complete", rival.complete(self.second, {"ok": True}, attempt=2))
        self.job("complete again", rival.complete(self.second, {"ok": True}, attempt=2))
        self.refusal("complete finished", lambda: self.producer.complete(self.second))

    def finish(self) -> None:
        producer, holder = self.producer, self.holder
        self.job("fail", holder.fail(self.urgent, "no such file: ä.wav", retryable=True, attempt=1))
        self.job("retry", producer.retry(self.urgent))
        self.refusal("retry pending", lambda: producer.retry(self.urgent))
        self.claimed("claim", holder.claim(["ingest"]))
        self.job("release", holder.release(self.urgent, attempt=2))
        self.claimed("claim", holder.claim(["save"]))
        self.job("fail retryable", holder.fail(self.last, "busy", retryable=True, attempt=1))
        self.job("cancel", producer.cancel(self.last))
        first = producer.cancel(self.first)
        self.job("cancel", first)
        with holder.hold(first) as held:
            held.cancelled.wait()
            assert held.revocation is not None
            revoked = held.revocation
        status = None if revoked.status is None else revoked.status.name
        self.line("revoked", attempt=revoked.attempt, name=self.name(revoked.id), status=status)
        self.event()
        self.refusal("complete cancelled", lambda: holder.complete(self.first, attempt=1))
        self.job("cancel again", producer.cancel(self.first))

    def read(self) -> None:
        producer = self.producer
        for job_id in (self.first, self.second):
            job = producer.get(job_id)
            assert job is not None
            self.job("get", job, whole=True)
            for entry in job.history:
                worker = None if entry.worker is None else entry.worker.name
                self.line(
                    "history", attempt=entry.attempt, cause=entry.cause.name, name=self.name(job_id), worker=worker
                )
        page = producer.list(limit=3)
        jobs = list(page.jobs)
        while page.next_cursor is not None:
            page = producer.list(limit=3, cursor=page.next_cursor)
            jobs += page.jobs
        self.listed("list", jobs)
        self.listed("list", producer.list(status="complete", type="preview").jobs)
        (counts,) = (entry for entry in producer.stats().types if entry.type == "ingest")
        self.line(
            "stats",
            cancelled=counts.cancelled,
            complete=counts.complete,
            failed=counts.failed,
            paused=counts.paused,
            pending=counts.pending,
            processing=counts.processing,
        )
        self.claimed("claim", self.holder.claim(["ingest"]))
        (holder,) = (entry for entry in producer.workers().workers if entry.worker.name == "holder")
        self.line("workers", names=[self.name(held.id) for held in holder.holds])

    def restart(self) -> None:
        producer, holder = self.producer, self.holder
        with ThreadPoolExecutor() as threads:
            late = threads.submit(self.waiter.claim, ["late"], wait=60)
            while producer.stats().waiting_claims != 1:
                pass
            self.line("restart")
            sys.stdin.readline()
            self.job("kept", holder.update(self.urgent, attempt=3, progress=80))
            self.late = self.made("create", producer.create("late"), "late")
            self.claimed("claim survived", late.result())
        self.snapshot()
        self.job("complete", holder.complete(self.urgent, {}, attempt=3))
        self.job("fail", self.waiter.fail(self.late, "gone", attempt=1))
        producer.delete(self.first)
        deleted = self.watch.next()
        assert isinstance(deleted, Deleted)
        self.line("deleted", name=self.name(deleted.id))
        self.listed("list", producer.list().jobs)
        self.line("reap", count=producer.reap(0))
        self.line("prune", count=producer.prune(0))

    # ------------------------------------------------------------------------------------------ the lines

    watch: Watch

    def line(self, step: str, **members: Any) -> None:
        members["step"] = step
        print(json.dumps(members, ensure_ascii=False, sort_keys=True, separators=(",", ":")), flush=True)

    def name(self, job_id: UUID) -> str:
        return self.names.get(job_id, "unknown")

    def job_json(self, job: Job, *, whole: bool = False) -> dict[str, Any]:
        progress = int(job.progress) if job.progress.is_integer() else job.progress
        members = {
            "attempt": job.attempt,
            "error": job.error,
            "lost_count": job.lost_count,
            "metadata": job.metadata if whole else None,
            "name": self.name(job.id),
            "priority": job.priority,
            "progress": progress,
            "result": job.result if whole else None,
            "retry_count": job.retry_count,
            "stage": job.stage,
            "status": job.status.name,
            "type": job.type,
            "worker": None if job.worker is None else job.worker.name,
        }
        return {name: value for name, value in members.items() if value is not None}

    def job(self, step: str, job: Job, *, whole: bool = False) -> None:
        self.line(step, job=self.job_json(job, whole=whole))

    def made(self, step: str, entry: CreatedJob, name: str | None = None) -> UUID:
        if name is not None:
            self.names[entry.job.id] = name
        self.line(step, created=entry.created, job=self.job_json(entry.job))
        return entry.job.id

    def claimed(self, step: str, jobs: tuple[Job, ...]) -> None:
        for job in jobs:
            self.job(step, job, whole=True)

    def listed(self, step: str, jobs: list[Job] | tuple[Job, ...]) -> None:
        self.line(step, names=[self.name(job.id) for job in jobs])

    def refusal(self, step: str, call: Callable[[], object]) -> None:
        try:
            call()
        except JobBrokerError as error:
            members = {} if error.job is None else {"job": self.job_json(error.job)}
            self.line(step, code=error.code, **members)
        else:
            raise AssertionError(f"{step} was not refused")

    def snapshot(self) -> None:
        event = self.watch.next()
        while not isinstance(event, Snapshot):
            event = self.watch.next()
        self.listed("snapshot", event.jobs)

    def event(self) -> None:
        event = self.watch.next()
        assert isinstance(event, Changed), event
        self.job("event", event.job)

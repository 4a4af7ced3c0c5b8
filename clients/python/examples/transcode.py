#!/usr/bin/env python3
"""A producer, a worker and a watcher in one program; usually they are three.

JOBBROKER_SOCKET=/path/to/broker.sock examples/transcode.py
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from jobbroker import Changed, Client, JobContext, NewJob, PermanentFailure, Snapshot, Worker

worker = Worker(concurrency=2)


@worker.handler("transcode")
async def transcode(context: JobContext) -> dict[str, Any]:
    file, seconds = context.metadata["file"], context.metadata["seconds"]
    if not file.endswith(".wav"):
        raise PermanentFailure(f"{file} is no sound file")
    context.report(stage="transcoding", progress=0)
    # Stands for ffmpeg. A job that is called off cancels this coroutine.
    child = await asyncio.create_subprocess_exec("sleep", str(seconds))
    try:
        if await child.wait() != 0:
            raise RuntimeError(f"sleep ended with {child.returncode}")
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    context.report(progress=100)
    return {"file": file.replace(".wav", ".opus")}


@worker.handler("checksum", process=True)
def checksum(context: JobContext) -> dict[str, int]:
    """Keeps a CPU busy, and so has a process of its own."""
    total = 0
    for number in range(context.metadata["numbers"]):
        if number % 100_000 == 0:
            context.report(stage="adding up", progress=100 * number / context.metadata["numbers"])
        total += number
    return {"sum": total}


def produce() -> None:
    """Creates jobs, follows them to their ends, and cancels the endless one as soon as it is being worked on."""
    with Client() as client:
        created = client.create_many(
            [
                NewJob("transcode", {"file": "talk.wav", "seconds": 0.1}),
                NewJob("transcode", {"file": "notes.txt", "seconds": 0}),
                NewJob("transcode", {"file": "endless.wav", "seconds": 1000}),
                NewJob("checksum", {"numbers": 500_000}),
            ]
        )
        ids = [entry.job.id for entry in created]
        endless, running = ids[2], set(ids)
        with client.watch(ids=ids) as watch:
            while running:
                event = watch.next()
                jobs = event.jobs if isinstance(event, Snapshot) else [event.job] if isinstance(event, Changed) else []
                for job in jobs:
                    if job.status.is_finished:
                        running.discard(job.id)
                    elif job.id == endless and job.stage is not None:
                        client.cancel(job.id)
        for job_id in ids:
            done = client.finished(job_id)
            print(f"{done.type}: {done.status} {done.result or done.error or ''}".rstrip())
    worker.stop()


if __name__ == "__main__":
    threading.Thread(target=produce).start()
    worker.run()

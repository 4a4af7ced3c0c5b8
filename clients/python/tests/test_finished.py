"""How long waiting for a job's end may take."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from scripted import JOB, ScriptedBroker

from jobbroker import AsyncClient, Client, Unavailable, new_job_id
from jobbroker._proto import jobbroker_pb2 as pb

PATIENCE = 5.0
"""Seconds for which a call may go unanswered."""
FINISHED = pb.Snapshot(jobs=[pb.Job(**{**JOB, "status": pb.COMPLETE})])


@pytest.mark.parametrize("answers", [[], [pb.Snapshot()], [FINISHED]], ids=["nothing", "pending", "the end"])
def test_a_client_keeps_the_time_limit_whatever_goes_unanswered(folder: str, answers: list[pb.Snapshot]) -> None:
    job_id = new_job_id()
    with ScriptedBroker(folder) as broker, ThreadPoolExecutor() as threads:
        connecting = threads.submit(Client, broker.socket_path, timeout=PATIENCE)
        connection = broker.welcome()
        with connecting.result() as client:
            waiting = threads.submit(client.finished, job_id, timeout=0.2)
            request = connection.next("watch")
            for snapshot in answers:
                connection.reply(request, snapshot=snapshot)
            with pytest.raises(TimeoutError, match=f"job {job_id} did not finish within 0.2 s"):
                waiting.result()
            assert connection.next("unwatch").unwatch.watch_id == request.id
        connection.close()


def test_an_asyncio_client_keeps_the_time_limit_when_the_last_call_goes_unanswered(folder: str) -> None:
    async def main() -> None:
        with ScriptedBroker(folder) as broker:
            client = AsyncClient(broker.socket_path, timeout=PATIENCE)
            connecting = asyncio.create_task(client.connect())
            connection = await asyncio.to_thread(broker.welcome)
            await connecting
            waiting = asyncio.create_task(client.finished(new_job_id(), timeout=0.2))
            connection.reply(await asyncio.to_thread(connection.next, "watch"), snapshot=FINISHED)
            with pytest.raises(TimeoutError, match=r"did not finish within 0\.2 s"):
                await waiting
            await client.close()
            connection.close()

    asyncio.run(main())


def test_a_wait_that_ends_before_its_time_says_why(folder: str) -> None:
    with ScriptedBroker(folder) as broker, ThreadPoolExecutor() as threads:
        connecting = threads.submit(Client, broker.socket_path)
        connection = broker.welcome()
        with connecting.result() as client:
            waiting = threads.submit(client.finished, new_job_id(), timeout=60)
            connection.next("watch")
            connection.notify(error=pb.Error(code=pb.UNAVAILABLE, message="shutting down"))
            client.close()
            with pytest.raises(Unavailable):
                waiting.result()
        connection.close()

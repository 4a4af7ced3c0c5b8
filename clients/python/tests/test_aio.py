"""The asyncio client. What it shares with the blocking one is tested there, and in test_session."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import QUICK, Broker, open_files
from scripted import JOB, ScriptedBroker

from jobbroker import AsyncClient, Changed, Job, JobCancelled, JobStatus, NewJob, Snapshot, Unavailable
from jobbroker._proto import jobbroker_pb2 as pb


def test_a_job_from_its_creation_to_its_result(broker: Broker) -> None:
    async def main() -> None:
        async with AsyncClient(broker.socket_path, worker_name="w") as client:
            assert client.welcome.server.startswith("jobbrokerd/")
            async with client.watch(types=["ingest"]) as watch:
                assert await watch.next() == Snapshot((), truncated=False)
                created = (await client.create("ingest", {"a": 1})).job
                (job,) = await client.claim()
                with client.hold(job) as held:
                    held.report(stage="mixing", progress=5)
                    async for event in watch:
                        if isinstance(event, Changed) and event.job.stage == "mixing":
                            break
                assert (await client.complete(job.id, {"b": 2}, attempt=job.attempt)).id == created.id
            done = await client.get(created.id)
            assert done is not None and done.result == {"b": 2}

    asyncio.run(main())


def test_many_tasks_share_a_client(broker: Broker) -> None:
    async def main() -> None:
        async with AsyncClient(broker.socket_path) as client:
            made = await asyncio.gather(*(client.create("ingest", {"n": n}) for n in range(1000)))
            assert len({entry.job.id for entry in made}) == 1000
            # More than a socket's buffer holds.
            large = "x" * 300_000
            await asyncio.gather(*(client.create_many([NewJob("large", {"a": large})] * 3) for _ in range(20)))

    asyncio.run(main())


def test_a_cancelled_claim_gives_back_what_still_comes(folder: str) -> None:
    async def main() -> None:
        with ScriptedBroker(folder) as broker:
            client = AsyncClient(broker.socket_path)
            connecting = asyncio.create_task(client.connect())
            connection = await asyncio.to_thread(broker.welcome)
            await connecting
            claim = asyncio.create_task(client.claim(wait=60))
            request = await asyncio.to_thread(connection.next, "claim")
            claim.cancel()
            with pytest.raises(asyncio.CancelledError):
                await claim
            withdrawal = await asyncio.to_thread(connection.next, "withdraw")
            assert withdrawal.withdraw.claim_id == request.id
            connection.reply(request, claimed=pb.Claimed(jobs=[pb.Job(**JOB, attempt=3)]))
            release = await asyncio.to_thread(connection.next, "release")
            assert (release.release.id, release.release.attempt) == (JOB["id"], 3)
            await client.close()
            connection.close()

    asyncio.run(main())


def test_a_cancelled_claim_takes_no_job_any_more(broker: Broker) -> None:
    async def main() -> None:
        async with AsyncClient(broker.socket_path) as client:
            claim = asyncio.create_task(client.claim(wait=60))
            while (await client.stats()).waiting_claims == 0:
                pass
            claim.cancel()
            with pytest.raises(asyncio.CancelledError):
                await claim
            while (await client.stats()).waiting_claims > 0:
                pass
            created = (await client.create("ingest")).job
            assert [(job.id, job.attempt) for job in await client.claim()] == [(created.id, 1)]

    asyncio.run(main())


def test_waiting_for_the_end_of_a_job(broker: Broker) -> None:
    async def main() -> None:
        async with AsyncClient(broker.socket_path) as client:
            job = (await client.create("ingest")).job
            with pytest.raises(TimeoutError):
                await client.finished(job.id, timeout=0.01)
            waiting = asyncio.create_task(client.finished(job.id))
            await client.complete(job.id, {"a": 1})
            assert (await waiting).result == {"a": 1}

    asyncio.run(main())


def test_a_cancellation_reaches_the_holder(broker: Broker) -> None:
    async def main() -> None:
        async with AsyncClient(broker.socket_path) as client:
            await client.create("ingest")
            (job,) = await client.claim()
            with client.hold(job) as held:
                await client.cancel(job.id)
                await held.cancelled.wait()
                assert held.revocation is not None and held.revocation.status is JobStatus.CANCELLED
                with pytest.raises(JobCancelled):
                    held.report(progress=1)

    asyncio.run(main())


def test_a_waiting_claim_survives_a_crash_of_the_broker(broker: Broker) -> None:
    async def main() -> None:
        async with AsyncClient(broker.socket_path, backoff=QUICK) as client:
            claim = asyncio.create_task(client.claim(wait=60))
            while (await client.stats()).waiting_claims == 0:
                pass
            broker.kill()
            create = asyncio.create_task(client.create("ingest"))
            await asyncio.to_thread(broker.start)
            created = (await create).job
            assert [job.id for job in await claim] == [created.id]

    asyncio.run(main())


def test_it_says_that_it_is_not_connected_and_leaves_nothing_behind(broker: Broker) -> None:
    async def main() -> None:
        client = AsyncClient(broker.socket_path)
        assert client.is_closed
        with pytest.raises(Unavailable, match="not connected"):
            await client.ping()
        files = open_files()
        async with client:
            await client.ping()
        with pytest.raises(Unavailable, match="closed"):
            await client.ping()
        assert len(os.listdir("/proc/self/fd")) == files

    asyncio.run(main())


def test_connecting_twice_is_connecting_once(broker: Broker) -> None:
    async def main() -> None:
        files = open_files()
        async with await AsyncClient(broker.socket_path).connect() as client:
            assert await client.connect() is client
            assert (await client.stats()).connections == 1
        assert len(os.listdir("/proc/self/fd")) == files
        # One that was closed begins anew.
        async with client:
            await client.ping()

    asyncio.run(main())


def test_whoever_connects_waits_for_the_welcome(folder: str) -> None:
    async def main() -> None:
        with ScriptedBroker(folder) as broker:
            client = AsyncClient(broker.socket_path)
            first, second, third = (asyncio.create_task(client.connect()) for _ in range(3))
            connection = await asyncio.to_thread(broker.accept)
            hello = await asyncio.to_thread(connection.next, "hello")
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            connection.reply(hello, welcome=pb.Welcome(protocol_version=1, server="scripted", max_frame=1 << 20))
            assert await second is await third is client
            assert client.welcome.server == "scripted"
            await client.close()
            connection.close()

    asyncio.run(main())


def test_connecting_ends_when_nobody_waits_for_it(folder: str) -> None:
    async def main() -> None:
        with ScriptedBroker(folder) as broker:
            client = AsyncClient(broker.socket_path)
            callers = [asyncio.create_task(client.connect()) for _ in range(2)]
            connection = await asyncio.to_thread(broker.accept)
            await asyncio.to_thread(connection.next, "hello")
            for caller in callers:
                caller.cancel()
            await asyncio.wait(callers)
            assert client.is_closed
            assert await asyncio.to_thread(connection.is_closed_by_client)
            connection.close()

    asyncio.run(main())


def test_whoever_connects_hears_why_it_failed(folder: str) -> None:
    async def main() -> None:
        client = AsyncClient(f"{folder}/nobody")
        outcomes = await asyncio.gather(client.connect(), client.connect(), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Unavailable] * 2

    asyncio.run(main())


def test_a_client_closed_before_it_has_begun_to_connect_says_so(folder: str) -> None:
    async def main() -> None:
        client = AsyncClient(f"{folder}/nobody")
        connecting = asyncio.create_task(client.connect())
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(Unavailable):
            await connecting

    asyncio.run(main())


async def use_on_another_loop(client: AsyncClient) -> None:
    assert client.is_closed
    with pytest.raises(Unavailable, match="not connected"):
        await client.ping()
    await client.connect()
    # The old connection has ended, or is about to.
    while (await client.stats()).connections > 1:
        pass


def test_a_client_that_nobody_closed_connects_anew_on_another_event_loop(broker: Broker) -> None:
    client = AsyncClient(broker.socket_path)
    asyncio.run(use_on_another_loop(client))
    asyncio.run(use_on_another_loop(client))
    assert client.welcome.server.startswith("jobbrokerd/")
    asyncio.run(client.close())
    asyncio.run(use_on_another_loop(client))
    asyncio.run(client.close())


@pytest.mark.parametrize("is_closed", [False, True])
def test_what_waits_on_the_event_loop_that_a_client_left_does_not_keep_it_from_connecting(
    broker: Broker, is_closed: bool
) -> None:
    async def begin() -> asyncio.Task[tuple[Job, ...]]:
        await client.connect()
        claim = asyncio.create_task(client.claim(wait=60))
        while (await client.stats()).waiting_claims == 0:
            pass
        return claim

    client, loop = AsyncClient(broker.socket_path), asyncio.new_event_loop()
    claim = loop.run_until_complete(begin())
    if is_closed:
        loop.close()
        asyncio.run(use_on_another_loop(client))
    else:
        # It has to run, for what is its own is not for another's thread.
        with ThreadPoolExecutor(1) as threads:
            use = threads.submit(asyncio.run, use_on_another_loop(client))
            with pytest.raises(Unavailable, match="closed"):
                loop.run_until_complete(claim)
            use.result()
        loop.close()
    asyncio.run(client.close())


def test_without_a_broker_the_error_says_what_to_do(folder: str) -> None:
    async def main() -> None:
        with pytest.raises(Unavailable, match="start one with: jobbrokerd --socket"):
            await AsyncClient(f"{folder}/nobody").connect()

    asyncio.run(main())

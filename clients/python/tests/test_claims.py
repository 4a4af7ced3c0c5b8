"""Claims that wait: how many at a time, and how long."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from benched import Bench, raised
from conftest import QUICK, Broker

from jobbroker import AsyncClient, Client, Job, JobStatus, NewJob, Unavailable
from jobbroker._core import calls
from jobbroker._proto import jobbroker_pb2 as pb

MANY = 200
"""Claims, more than requests may be in flight."""
SHARE = 112
"""So many of them wait at the broker."""
PATIENCE = 5.0
"""Seconds until a call that is held up fails its test."""


# ---------------------------------------------------------------------------------------------- a real broker


async def claims_that_wait(client: AsyncClient) -> list[asyncio.Task[tuple[Job, ...]]]:
    """More of them than there are places, begun."""
    claims = [asyncio.create_task(client.claim(["late"], wait=60)) for _ in range(MANY)]
    while (await client.stats()).waiting_claims < SHARE:
        pass
    return claims


def test_claims_that_wait_do_not_hold_up_heartbeats(broker: Broker) -> None:
    # The client ends first, and with it the calls of the threads.
    with ThreadPoolExecutor(MANY) as threads, Client(broker.socket_path, timeout=PATIENCE) as client:
        client.create("ingest")
        (job,) = client.claim(["ingest"], lease=2)
        with Client(broker.socket_path) as observer, client.hold(job, lease=2) as held:
            claims = [threads.submit(client.claim, ["late"], wait=60) for _ in range(MANY)]
            while observer.stats().waiting_claims < SHARE:
                pass
            before = now = observer.get(job.id)
            assert before is not None and before.lease_expires_at is not None
            while now is not None and now.updated_at < before.lease_expires_at:
                now = observer.get(job.id)
            assert now is not None and now.status is JobStatus.PROCESSING and not held.cancelled.is_set()
            client.ping()
            observer.create_many([NewJob("late") for _ in range(MANY)])
            assert len({claim.result()[0].id for claim in claims}) == MANY


def test_claims_that_wait_hold_up_no_task(broker: Broker) -> None:
    async def main() -> None:
        async with AsyncClient(broker.socket_path, timeout=PATIENCE) as client:
            claims = await claims_that_wait(client)
            assert (await client.stats()).waiting_claims == SHARE
            await client.create_many([NewJob("late") for _ in range(MANY)])
            assert len({job.id for jobs in await asyncio.gather(*claims) for job in jobs}) == MANY

    asyncio.run(main())


def test_claims_in_line_can_be_cancelled(broker: Broker) -> None:
    async def main() -> None:
        async with AsyncClient(broker.socket_path, timeout=PATIENCE) as client:
            claims = await claims_that_wait(client)
            for claim in claims[SHARE:]:
                claim.cancel()
            await asyncio.wait(claims[SHARE:])
            await client.create_many([NewJob("late") for _ in range(MANY)])
            assert len({job.id for jobs in await asyncio.gather(*claims[:SHARE]) for job in jobs}) == SHARE
            (late,) = (await client.stats()).types
            assert (late.pending, late.processing) == (MANY - SHARE, SHARE)

    asyncio.run(main())


def test_closing_ends_claims_in_line(broker: Broker) -> None:
    async def main() -> None:
        client = await AsyncClient(broker.socket_path, timeout=PATIENCE).connect()
        claims = await claims_that_wait(client)
        await client.close()
        for outcome in await asyncio.gather(*claims, return_exceptions=True):
            assert isinstance(outcome, Unavailable)

    asyncio.run(main())


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_claims_in_line_survive_the_brokers_end(broker: Broker, end: str) -> None:
    async def main() -> None:
        async with AsyncClient(broker.socket_path, timeout=PATIENCE, backoff=QUICK) as client:
            claims = await claims_that_wait(client)
            await asyncio.to_thread(getattr(broker, end))
            await asyncio.to_thread(broker.start)
            while (await client.stats()).waiting_claims < SHARE:
                pass
            assert (await client.stats()).waiting_claims == SHARE
            await client.create_many([NewJob("late") for _ in range(MANY)])
            assert len({job.id for jobs in await asyncio.gather(*claims) for job in jobs}) == MANY

    asyncio.run(main())


# ---------------------------------------------------------------------------------------------- places


def claim() -> Any:
    return calls.claim([], 1, 60, 30)


def operations(bench: Bench) -> list[str | None]:
    return [request.WhichOneof("operation") for request in bench.sent()]


def test_claims_that_wait_leave_places_to_other_requests() -> None:
    bench = Bench()
    waiting = [bench.submit(claim()) for _ in range(3)]
    ping = bench.submit(calls.ping())
    first, other = bench.connect(max_in_flight=4).sent()
    assert [first.id, other.id] == [waiting[0].id, ping.id]
    bench.reply(other, pong=pb.Pong())
    assert operations(bench) == []
    for following in waiting[1:]:
        bench.reply(first, claimed=pb.Claimed())
        (first,) = bench.sent()
        assert first.id == following.id


def test_a_claim_has_a_place_where_there_is_only_one() -> None:
    bench = Bench().connect(max_in_flight=1)
    bench.submit(claim()), bench.submit(claim()), bench.submit(calls.ping())
    order = []
    for request in iter(lambda: next(iter(bench.sent()), None), None):
        order.append(request.WhichOneof("operation"))
        if order[-1] == "claim":
            bench.reply(request, claimed=pb.Claimed())
    assert order == ["claim", "claim", "ping"]


def test_a_claim_that_does_not_wait_is_a_request_as_any_other() -> None:
    bench = Bench().connect(max_in_flight=4)
    bench.submit(claim()), bench.submit(claim()), bench.submit(calls.claim([], 1, 0, 30))
    assert [request.claim.wait_ms for request in bench.sent()] == [60_000, 0]


def test_a_claim_that_came_later_does_not_go_before_those_in_line() -> None:
    bench = Bench().connect(max_in_flight=4)
    first, second, third = (bench.submit(claim()) for _ in range(3))
    bench.reply(bench.sent()[0], claimed=pb.Claimed())
    assert first.is_done and [request.id for request in bench.sent()] == [second.id]
    fourth = bench.submit(claim())
    bench.session.abandon(third, "gone")
    bench.reply(pb.Request(id=second.id), claimed=pb.Claimed())
    assert [request.id for request in bench.sent()] == [fourth.id]


def test_the_place_of_an_abandoned_claim_is_free_once_it_is_answered() -> None:
    bench = Bench().connect(max_in_flight=4)
    first, second = bench.submit(claim()), bench.submit(claim())
    (request,) = bench.sent()
    bench.session.abandon(first, "gone")
    assert operations(bench) == ["withdraw"]
    bench.reply(request, claimed=pb.Claimed())
    assert [request.id for request in bench.sent()] == [second.id]


def test_a_claim_in_line_that_is_to_wait_no_longer_has_found_nothing() -> None:
    bench = Bench().connect(max_in_flight=4)
    bench.submit(claim())
    in_line = bench.submit(claim())
    bench.session.withdraw(in_line)
    assert in_line.result() == ()
    assert operations(bench) == ["claim"]


def test_claims_in_line_are_there_for_the_next_connection_in_their_order() -> None:
    bench = Bench().connect(max_in_flight=4)
    waiting = [bench.submit(claim()) for _ in range(4)]
    assert operations(bench) == ["claim"]
    bench.session.lost("gone")
    again = bench.reconnect(max_in_flight=12).sent()
    assert [request.id for request in again] == [call.id for call in waiting[:3]]
    bench.session.close()
    assert all(isinstance(raised(call), Unavailable) for call in waiting)


# ---------------------------------------------------------------------------------------------- time


def test_the_time_that_a_claim_spends_in_line_counts() -> None:
    bench = Bench().connect(max_in_flight=4)
    bench.submit(claim()), bench.submit(claim()), bench.submit(calls.claim([], 1, 5, 30))
    (first,) = bench.sent()
    bench.now += 20
    bench.reply(first, claimed=pb.Claimed())
    (second,) = bench.sent()
    assert second.claim.wait_ms == 40_000
    bench.reply(second, claimed=pb.Claimed())
    assert [request.claim.wait_ms for request in bench.sent()] == [0]


def test_a_claim_that_finds_no_place_in_time_is_given_up() -> None:
    bench = Bench().connect(max_in_flight=4)
    bench.submit(claim())
    in_line = bench.submit(claim())
    assert in_line.deadline == bench.now + 90
    bench.session.expire(in_line)
    assert isinstance(raised(in_line), Unavailable)
    assert operations(bench) == ["claim"]

"""Claims that are kept alive: their heartbeats, which nothing else may hold up, reports and revocations."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from benched import Bench
from conftest import Broker

from jobbroker import AsyncClient, Changed, Client, InvalidArgument, NewJob, new_job_id
from jobbroker._core import calls
from jobbroker._core.claims import ClaimKeeper, Hold, Report
from jobbroker._core.frames import frame
from jobbroker._core.watches import Feed
from jobbroker._proto import jobbroker_pb2 as pb
from jobbroker.models import Revocation

JOB: dict[str, Any] = {"id": bytes(range(16)), "type": "ingest", "status": pb.PROCESSING, "attempt": 1}


def operations(bench: Bench) -> list[str | None]:
    return [request.WhichOneof("operation") for request in bench.sent()]


class Held:
    """A claim that is kept alive on a bench."""

    def __init__(self, bench: Bench, attempt: int = 1, just_claimed: bool = True) -> None:
        call = bench.submit(calls.claim([], 1, 0, 30))
        bench.reply(bench.sent()[-1], claimed=pb.Claimed(jobs=[pb.Job(**{**JOB, "attempt": attempt})]))
        self.keeper = bench.session.claims
        self.job = call.result()[0]
        self.over: list[Revocation] = []
        self.hold = self.again(just_claimed=just_claimed)

    def again(self, **how: Any) -> Hold:
        """Holds it once more."""
        hold = Hold(self.job, 30, self.over.append, **how)
        self.keeper.hold(hold)
        return hold


def test_a_held_claim_is_heartbeat_every_third_of_its_lease() -> None:
    bench = Bench().connect()
    Held(bench)
    assert bench.sent() == []
    started = bench.now
    for beat in (1, 2):
        bench.sleep_until_timer()
        assert bench.now == started + 10 * beat
        (request,) = bench.sent()
        assert request.update == pb.Update(id=JOB["id"], attempt=1)
        bench.reply(request, job=pb.Job(**JOB))


def test_a_claim_that_may_not_be_new_is_heartbeat_at_once() -> None:
    bench = Bench().connect()
    Held(bench, just_claimed=False)
    (request,) = bench.sent()
    assert request.update == pb.Update(id=JOB["id"], attempt=1)


def test_to_hold_a_claim_is_a_sign_of_life(client: Client) -> None:
    client.create("ingest")
    (job,) = client.claim(lease=3600)
    with client.watch(ids=[job.id]) as watch:
        watch.next()
        with client.hold(job, lease=3600):
            assert isinstance(watch.next(timeout=30), Changed)


def test_a_claim_that_is_held_while_the_broker_is_away_is_heartbeat_once() -> None:
    bench = Bench().connect()
    held = Held(bench)
    held.keeper.drop(held.hold)
    bench.session.lost("gone")
    held.again()
    assert operations(bench.reconnect()) == ["update"]


def test_a_claim_that_is_held_twice_is_one() -> None:
    bench = Bench().connect()
    held = Held(bench)
    inner = held.again()
    assert bench.sent() == []
    held.keeper.drop(inner)
    held.keeper.drop(inner)
    held.keeper.report(inner, Report("over"))
    held.keeper.report(held.hold, Report("a"))
    (request,) = bench.sent()
    assert request.update.stage == "a"
    held.again(just_claimed=True)
    bench.reply(request, error=pb.Error(code=pb.STALE_CLAIM, message="stale"))
    assert [revocation.reason for revocation in held.over] == ["stale"] * 2
    assert bench.session.next_timer() is None


def test_a_claim_is_left_alone_when_nobody_holds_it_any_more() -> None:
    bench = Bench().connect()
    held = Held(bench)
    inner = held.again()
    held.keeper.drop(held.hold)
    assert bench.session.next_timer() is not None
    held.keeper.drop(inner)
    assert bench.session.next_timer() is None


def test_reports_are_merged_while_one_is_under_way() -> None:
    bench = Bench().connect()
    held = Held(bench)
    for report in (Report("a", 1), Report(progress=2), Report("b"), Report(progress=3)):
        bench.session.claims.report(held.hold, report)
    (first,) = bench.sent()
    assert (first.update.stage, first.update.progress) == ("a", 1)
    bench.reply(first, job=pb.Job(**JOB))
    (second,) = bench.sent()
    assert (second.update.stage, second.update.progress) == ("b", 3)


@pytest.mark.parametrize(
    "report",
    [{"stage": "\udcff"}, {"stage": "a\0b"}, {"stage": "é" * 129}, {"progress": 101}, {"progress": float("nan")}],
)
def test_a_report_that_makes_no_sense_is_refused(report: Any) -> None:
    with pytest.raises(InvalidArgument):
        Report(**report)


def test_a_new_connection_begins_with_the_heartbeats_and_carries_the_lost_report() -> None:
    bench = Bench().connect()
    held = Held(bench)
    bench.session.claims.report(held.hold, Report("a"))
    bench.sent()
    ping = bench.submit(calls.ping())
    bench.session.lost("gone")
    first, second = bench.reconnect().sent()
    assert first.update.stage == "a"
    assert second.id == ping.id


def test_a_heartbeat_that_was_in_line_goes_first_on_the_next_connection() -> None:
    bench = Bench().connect(max_in_flight=1)
    held = Held(bench)
    pings = [bench.submit(calls.ping()) for _ in range(2)]
    bench.session.claims.report(held.hold, Report("a"))
    assert [request.id for request in bench.sent()] == [pings[0].id]
    bench.session.lost("gone")
    (first,) = bench.reconnect(max_in_flight=1).sent()
    assert first.update.stage == "a"
    bench.reply(first, job=pb.Job(**JOB))
    for ping in pings:
        (request,) = bench.sent()
        assert request.id == ping.id
        bench.reply(request, pong=pb.Pong())
    assert bench.sent() == []


def test_all_heartbeats_go_before_what_is_in_line() -> None:
    bench = Bench().connect()
    holds = [Held(bench, attempt) for attempt in (1, 2, 3)]
    bench.session.watches.open(Feed(calls.watch([], []), lambda: None))
    for _ in range(4):
        bench.submit(calls.ping())
    bench.session.lost("gone")
    bench.session.claims.report(holds[0].hold, Report("a"))
    sent = bench.reconnect(max_in_flight=8).sent()
    assert [request.WhichOneof("operation") for request in sent[:3]] == ["update"] * 3
    assert sorted(request.update.attempt for request in sent[:3]) == [1, 2, 3]
    assert sorted(str(request.WhichOneof("operation")) for request in sent[3:]) == ["ping", "watch"]


def test_a_revoked_claim_is_over_even_if_the_notice_came_first() -> None:
    bench = Bench().connect()
    revoked = pb.Revoked(id=JOB["id"], attempt=1, status=pb.CANCELLED, reason="cancelled")
    bench.session.received(frame(pb.Response(id=0, revoked=revoked).SerializeToString()))
    held = Held(bench)
    assert [revocation.reason for revocation in held.over] == ["cancelled"]
    assert bench.session.next_timer() is None


def test_a_heartbeat_that_is_refused_ends_the_claim() -> None:
    bench = Bench().connect()
    held = Held(bench)
    bench.sleep_until_timer()
    bench.reply(bench.sent()[0], error=pb.Error(code=pb.STALE_CLAIM, message="stale"))
    assert [revocation.reason for revocation in held.over] == ["stale"]
    assert bench.session.next_timer() is None


def test_closing_ends_the_held_claims() -> None:
    bench = Bench().connect()
    held = Held(bench)
    bench.session.close()
    assert len(held.over) == 1


# ---------------------------------------------------------------------------------------------- unanswered requests


def test_unanswered_requests_leave_places_to_heartbeats_and_withdrawals() -> None:
    bench = Bench().connect()
    held, claim = Held(bench), bench.submit(calls.claim([], 1, 60, 30))
    bench.sent()
    for _ in range(128):
        bench.submit(calls.create([NewJob("ingest")]))
    assert operations(bench) == ["create"] * 119
    bench.session.claims.report(held.hold, Report("a"))
    bench.session.abandon(claim, "gone")
    assert operations(bench) == ["update", "withdraw"]


def test_large_unanswered_requests_leave_the_broker_reading() -> None:
    bench = Bench().connect()
    held, result = Held(bench), {"text": "x" * (1 << 18)}
    for _ in range(40):
        bench.submit(calls.complete(new_job_id(), result, 1))
    sent = bench.sent()
    assert len(sent) == 32
    bench.session.claims.report(held.hold, Report("a"))
    assert operations(bench) == ["update"]
    bench.reply(sent[0], job=pb.Job(**JOB))
    assert operations(bench) == ["complete"]
    bench.session.lost("gone")
    assert operations(bench.reconnect()) == ["update"] + ["complete"] * 32


def test_a_heartbeat_is_answered_while_the_broker_can_commit_nothing(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        answered, answer = asyncio.Event(), ClaimKeeper._answered

        def answering(keeper: ClaimKeeper, *arguments: Any) -> None:
            answer(keeper, *arguments)
            answered.set()

        monkeypatch.setattr(ClaimKeeper, "_answered", answering)
        async with AsyncClient(broker.socket_path) as client:
            await client.create("ingest")
            (job,) = await client.claim(["ingest"])
            with closing(sqlite3.connect(broker.database, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                creates = [asyncio.create_task(client.create("other")) for _ in range(200)]
                await asyncio.wait(creates, timeout=0)
                with client.hold(job) as held:
                    held.report(progress=5)
                    heartbeat = asyncio.create_task(answered.wait())
                    done, _ = await asyncio.wait({heartbeat, *creates}, return_when=asyncio.FIRST_COMPLETED)
                    assert done == {heartbeat} and not held.cancelled.is_set()
            await asyncio.gather(*creates)

    asyncio.run(main())

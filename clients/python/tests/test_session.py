"""The protocol's state machine."""

from __future__ import annotations

from typing import Any, Callable

import pytest
from benched import Bench, raised

from jobbroker import InvalidArgument, Unavailable, UnknownOutcome, new_job_id
from jobbroker._core import calls
from jobbroker._core.call import Call
from jobbroker._proto import jobbroker_pb2 as pb
from jobbroker.models import NewJob

JOB: dict[str, Any] = {"id": bytes(range(16)), "type": "ingest", "status": pb.PROCESSING, "attempt": 1}


REPEATABLE: dict[str, Callable[[], Call[Any]]] = {
    "ping": lambda: calls.ping(),
    "create": lambda: calls.create([NewJob("ingest")]),
    "get": lambda: calls.get(new_job_id()),
    "update under an attempt": lambda: calls.update(new_job_id(), attempt=1, progress=5),
    "complete under an attempt": lambda: calls.complete(new_job_id(), {"a": 1}, 1),
    "fail under an attempt": lambda: calls.fail(new_job_id(), "e", True, 1),
    "release under an attempt": lambda: calls.release(new_job_id(), 0, 1),
    "claim": lambda: calls.claim(["ingest"], 1, 0, 30),
    "cancel": lambda: calls.cancel(new_job_id()),
    "pause": lambda: calls.pause("ingest"),
}
NOT_REPEATABLE: dict[str, Callable[[], Call[Any]]] = {
    "update": lambda: calls.update(new_job_id(), progress=5),
    "complete": lambda: calls.complete(new_job_id(), None, None),
    "fail": lambda: calls.fail(new_job_id(), "e", False, None),
    "release": lambda: calls.release(new_job_id(), 0, None),
    "retry": lambda: calls.retry(new_job_id()),
    "delete": lambda: calls.delete(new_job_id()),
    "reap": lambda: calls.reap(1, None),
    "prune": lambda: calls.prune(1, None, None),
    "backup": lambda: calls.backup("/tmp/x"),
}


@pytest.mark.parametrize("name", REPEATABLE)
def test_what_may_be_repeated_is_sent_again_with_the_same_content(name: str) -> None:
    bench = Bench().connect()
    call = bench.submit(REPEATABLE[name]())
    (first,) = bench.sent()
    bench.session.lost("gone")
    assert not call.is_done
    (second,) = bench.reconnect().sent()
    assert second == first


@pytest.mark.parametrize("name", NOT_REPEATABLE)
def test_what_may_not_be_repeated_has_an_unknown_outcome(name: str) -> None:
    bench = Bench().connect()
    sent, queued = bench.submit(NOT_REPEATABLE[name]()), None
    bench.session.lost("gone")
    queued = bench.submit(NOT_REPEATABLE[name]())
    assert isinstance(raised(sent), UnknownOutcome)
    assert [request.id for request in bench.reconnect().sent()] == [queued.id]


def test_requests_wait_for_a_connection_in_their_order() -> None:
    bench = Bench()
    ids = [bench.submit(calls.ping()).id for _ in range(3)]
    assert [request.id for request in bench.connect().sent()] == ids


def test_no_more_requests_are_in_flight_than_the_broker_allows() -> None:
    bench = Bench().connect(max_in_flight=4)
    ids = [bench.submit(calls.ping()).id for _ in range(3)]
    first, second = bench.sent()
    assert [first.id, second.id] == ids[:2]
    bench.reply(second, pong=pb.Pong())
    assert [request.id for request in bench.sent()] == ids[2:]


def test_a_waiting_claim_waits_only_for_the_rest_of_its_time_when_sent_again() -> None:
    bench = Bench().connect()
    bench.submit(calls.claim([], 1, 60, 30))
    assert bench.sent()[0].claim.wait_ms == 60_000
    bench.session.lost("gone")
    assert bench.reconnect().sent()[0].claim.wait_ms == 50_000


def test_a_claim_that_a_draining_broker_refuses_is_tried_again() -> None:
    bench = Bench().connect()
    claim = bench.submit(calls.claim([], 1, 60, 30))
    bench.reply(bench.sent()[0], error=pb.Error(code=pb.UNAVAILABLE, message="draining"))
    assert not claim.is_done and bench.sent() == []
    bench.sleep_until_timer()
    bench.reply(bench.sent()[0], claimed=pb.Claimed(jobs=[pb.Job(**JOB)]))
    assert claim.result()[0].attempt == 1


def test_a_claim_that_is_given_up_while_it_rests_is_not_tried_again() -> None:
    bench = Bench().connect()
    call = bench.submit(calls.claim([], 1, 60, 30))
    bench.reply(bench.sent()[0], error=pb.Error(code=pb.UNAVAILABLE, message="draining"))
    bench.session.abandon(call, "the caller has gone")
    bench.sleep_until_timer()
    assert bench.sent() == []


def test_a_call_that_took_too_long_is_given_up_and_its_late_reply_ignored() -> None:
    bench = Bench().connect(max_in_flight=1)
    call, retry = bench.submit(calls.ping()), calls.retry(new_job_id())
    assert call.deadline == bench.now + 30
    (request,) = bench.sent()
    bench.session.expire(call)
    assert "no reply within 30.0 s" in raised(call).message
    bench.submit(retry)
    # It is in flight still: the broker will answer it.
    assert bench.sent() == []
    bench.reply(request, pong=pb.Pong())
    (request,) = bench.sent()
    bench.session.expire(retry)
    assert isinstance(raised(retry), UnknownOutcome)


@pytest.mark.parametrize("answered", [False, True])
def test_the_jobs_of_a_claim_whose_caller_has_gone_are_given_back(answered: bool) -> None:
    bench = Bench().connect()
    claim = bench.submit(calls.claim([], 1, 60, 30))
    (request,) = bench.sent()
    if not answered:
        bench.session.abandon(claim, "gone")
    bench.reply(request, claimed=pb.Claimed(jobs=[pb.Job(**JOB)]))
    if answered:
        bench.session.abandon(claim, "gone")
    release = bench.sent()[-1]
    assert (release.release.id, release.release.attempt) == (JOB["id"], 1)


@pytest.mark.parametrize("gone", ["the caller", "its time"])
def test_a_waiting_claim_whose_caller_has_gone_is_withdrawn(gone: str) -> None:
    bench = Bench().connect()
    claim = bench.submit(calls.claim([], 1, 60, 30))
    (request,) = bench.sent()
    if gone == "the caller":
        bench.session.abandon(claim, "gone")
    else:
        bench.session.expire(claim)
    assert [sent.withdraw.claim_id for sent in bench.sent()] == [request.id]


def test_a_withdrawal_goes_before_what_is_in_line() -> None:
    bench = Bench().connect(max_in_flight=4)
    claim, _, waiting = (bench.submit(call) for call in (calls.claim([], 1, 60, 30), calls.ping(), calls.ping()))
    _, ping = bench.sent()
    bench.session.abandon(claim, "gone")
    bench.reply(ping, pong=pb.Pong())
    assert [request.WhichOneof("operation") for request in bench.sent()] == ["withdraw"]
    assert not waiting.is_done


def test_a_claim_that_is_to_wait_no_longer_is_done_with_what_it_found() -> None:
    bench = Bench().connect()
    claim = bench.submit(calls.claim([], 1, 60, 30))
    (request,) = bench.sent()
    bench.session.withdraw(claim)
    assert not claim.is_done
    bench.reply(request, claimed=pb.Claimed(jobs=[pb.Job(**JOB)]))
    assert [job.attempt for job in claim.result()] == [1]
    bench.session.withdraw(claim)
    assert [sent.WhichOneof("operation") for sent in bench.sent()] == ["withdraw"]


def test_a_withdrawn_claim_is_not_made_again() -> None:
    bench = Bench().connect()
    drained, lost = (bench.submit(calls.claim([], 1, 60, 30)) for _ in range(2))
    (request, _) = bench.sent()
    for claim in (drained, lost):
        bench.session.withdraw(claim)
    bench.reply(request, error=pb.Error(code=pb.UNAVAILABLE, message="draining"))
    bench.session.lost("gone")
    assert isinstance(raised(drained), Unavailable) and isinstance(raised(lost), Unavailable)
    queued = bench.submit(calls.claim([], 1, 60, 30))
    bench.session.withdraw(queued)
    assert queued.result() == ()


def test_an_abandoned_request_that_was_not_sent_never_is() -> None:
    bench = Bench()
    call = bench.submit(calls.delete(new_job_id()))
    bench.session.abandon(call, "gone")
    assert isinstance(raised(call), Unavailable)
    assert bench.connect().sent() == []


def test_a_request_that_is_too_large_is_refused_here() -> None:
    bench = Bench().connect(max_frame=100)
    call = bench.submit(calls.create([NewJob("ingest", {"a": "b" * 200})]))
    assert isinstance(raised(call), InvalidArgument)
    bench.submit(calls.ping())
    assert len(bench.sent()) == 1


def test_without_a_broker_opening_ends_or_waits() -> None:
    bench = Bench()
    bench.session.dial_failed(FileNotFoundError(2, "No such file or directory"))
    assert "jobbrokerd --socket /s" in raised(bench.session.hello).message
    bench = Bench(wait_for_broker=True)
    bench.session.dial_failed(FileNotFoundError(2, "No such file or directory"))
    assert not bench.session.hello.is_done and not bench.session.wants_dial
    bench.sleep_until_timer()
    bench.connect()
    assert bench.session.hello.is_done


def test_a_busy_broker_is_dialled_again_and_then_given_up() -> None:
    bench = Bench()
    for _ in range(10):
        bench.session.dial_failed(BlockingIOError(11, "busy"))
        assert not bench.session.hello.is_done
        bench.sleep_until_timer()
    bench.session.dial_failed(BlockingIOError(11, "busy"))
    assert isinstance(raised(bench.session.hello), Unavailable)


def test_a_broker_that_does_not_answer_the_hello_is_given_up() -> None:
    bench = Bench()
    bench.session.connected()
    bench.sleep_until_timer()
    assert not bench.session.has_connection
    assert "hello" in raised(bench.session.hello).message


def test_without_reconnecting_the_first_loss_is_the_end() -> None:
    bench = Bench(reconnect=False).connect()
    call = bench.submit(calls.ping())
    bench.session.lost("gone")
    assert isinstance(raised(call), Unavailable)
    assert isinstance(raised(bench.submit(calls.ping())), Unavailable)


def test_closing_ends_every_call() -> None:
    bench = Bench().connect()
    ping, retry = bench.submit(calls.ping()), bench.submit(calls.retry(new_job_id()))
    bench.session.close()
    assert "closed" in raised(ping).message
    assert isinstance(raised(retry), UnknownOutcome)

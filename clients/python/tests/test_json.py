"""JSON that Python's reader or writer does not take."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest

from jobbroker import Client, Internal, InvalidArgument, Job, Unsupported
from jobbroker._core import calls
from jobbroker._core.call import Call
from jobbroker._core.ids import new_id_bytes
from jobbroker._proto import jobbroker_pb2 as pb

DEPTH = 200_000
"""More than the broker allows, for it is to be too much for any Python."""


def with_text(client: Client, text: str) -> Job:
    """A job that another client gave this metadata and result."""
    request = pb.Request()
    request.create.jobs.add(id=new_id_bytes(), type="ingest", metadata=text)
    made: Call[Any] = Call("create", request, "created", lambda reply: None, repeatable=True)
    client._run(made)
    (job,) = client.claim()
    client._run(calls.complete_with_text(job.id, text, job.attempt))
    done = client.get(job.id)
    assert done is not None
    return done


@pytest.mark.skipif(not hasattr(sys, "get_int_max_str_digits"), reason="this Python has no such limit")
def test_an_integer_longer_than_python_reads_is_unsupported(client: Client) -> None:
    text = '{"a":' + "9" * 5000 + "}"
    job = with_text(client, text)
    with pytest.raises(Unsupported, match=f"metadata of job {job.id} .*digits.*metadata_json"):
        job.metadata  # noqa: B018
    with pytest.raises(Unsupported, match="result_json"):
        job.result  # noqa: B018
    assert job.metadata_json == job.result_json == text


def test_json_nested_deeper_than_python_reads_is_unsupported(client: Client) -> None:
    job = replace(client.create("ingest").job, metadata_json='{"a":' + "[" * DEPTH + "]" * DEPTH + "}")
    with pytest.raises(Unsupported, match=f"metadata of job {job.id} .*metadata_json"):
        job.metadata  # noqa: B018


def test_what_is_no_json_is_a_fault_of_the_broker(client: Client) -> None:
    job = replace(client.create("ingest").job, result_json='{"a":')
    with pytest.raises(Internal, match=r"result of job .* is no JSON"):
        job.result  # noqa: B018


@pytest.mark.skipif(not hasattr(sys, "get_int_max_str_digits"), reason="this Python has no such limit")
def test_an_integer_longer_than_python_writes_is_an_invalid_argument(client: Client) -> None:
    with pytest.raises(InvalidArgument, match="digits"):
        client.create("ingest", {"a": 10**5000})


def test_json_nested_deeper_than_python_writes_is_an_invalid_argument(client: Client) -> None:
    deep: dict[str, Any] = {}
    for _ in range(DEPTH):
        deep = {"a": deep}
    try:
        with pytest.raises(InvalidArgument):
            client.create("ingest", deep)
    finally:
        # As a whole it would be taken apart as deep as it is nested.
        while deep:
            deep = deep["a"]

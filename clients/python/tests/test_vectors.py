"""proto/vectors: the codec on the frames, and the sessions against the real broker."""

from __future__ import annotations

import json
import random
import sys
from typing import Any

import pytest
from conftest import CLIENT, Broker

sys.path[:0] = [str(CLIENT / "conformance"), str(CLIENT.parent)]

from codec import answer  # noqa: E402
from harness.frames import read_request, wrong_response, wrong_stream  # noqa: E402
from harness.sessions import run_session  # noqa: E402
from harness.vectors import FOLDER, Pattern, load  # noqa: E402

from jobbroker._core.frames import BadFrame, FrameReader  # noqa: E402


def vectors(*names: str) -> list[Any]:
    return [pytest.param(vector, id=vector["name"]) for name in names for vector in load(f"frames/{name}.json")]


@pytest.mark.parametrize("vector", vectors("requests"))
def test_requests_are_written(vector: Any) -> None:
    written = answer(f"request {vector['hex']} {json.dumps(vector['message'])}")
    assert Pattern().mismatch(vector["message"], read_request(written)) is None


@pytest.mark.parametrize(
    "vector",
    [vector for vector in vectors("responses", "hostile") if vector.values[0]["direction"] == "response"],
)
def test_responses_are_read_or_refused(vector: Any) -> None:
    assert wrong_response(vector, json.loads(answer(f"response {vector['hex']}"))) is None


@pytest.mark.parametrize("vector", vectors("streams"))
def test_streams_are_cut_byte_by_byte(vector: Any) -> None:
    assert wrong_stream(vector, json.loads(answer(f"stream {vector['stream']}"))) is None


@pytest.mark.parametrize("vector", vectors("streams"))
def test_streams_are_cut_in_pieces_of_any_size(vector: Any) -> None:
    stream, choose = bytes.fromhex(vector["stream"]), random.Random(7)
    for _ in range(50):
        reader, bodies, at = FrameReader(), [], 0
        try:
            while at < len(stream):
                size = choose.randint(1, len(stream))
                bodies += [body.hex() for body in reader.feed(stream[at : at + size])]
                at += size
        except BadFrame:
            assert vector["refused"]
        else:
            assert not vector["refused"]
            assert reader.has_partial_frame == vector["partial"]
            assert bodies == vector["bodies"]


class InProcess:
    """The adapter, without a process of its own."""

    def ask(self, *words: str) -> str:
        return answer(" ".join(words))


SESSIONS = [
    pytest.param(session, id=f"{path.stem}: {session['name']}")
    for path in sorted((FOLDER / "sessions").glob("*.json"))
    for session in json.loads(path.read_text())
]


@pytest.mark.parametrize("session", SESSIONS)
def test_sessions(session: Any, broker: Broker) -> None:
    class Harness:
        socket = broker.socket_path

    assert run_session(session["steps"], Harness(), InProcess()) is None

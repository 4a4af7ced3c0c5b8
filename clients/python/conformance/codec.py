"""The client's codec, on the vectors: writes requests, reads responses, cuts streams into frames."""

from __future__ import annotations

import json
import math
import sys
from typing import Any, Callable

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from jobbroker import JobBrokerError
from jobbroker._core import replies
from jobbroker._core.frames import PREFIX, BadFrame, FrameReader, frame
from jobbroker._proto import jobbroker_pb2 as pb

_READERS: dict[str, Callable[[Any], object]] = {
    "error": replies.read_error,
    "welcome": replies.read_welcome,
    "created": replies.read_created,
    "job": replies.read_job,
    "jobs": replies.read_page,
    "claimed": lambda claimed: replies.read_jobs(claimed.jobs),
    "position": replies.read_position,
    "snapshot": lambda snapshot: replies.read_jobs(snapshot.jobs),
    "event": replies.read_event,
    "revoked": replies.read_revocation,
    "stats": replies.read_stats,
    "workers": replies.read_workers,
}
"""Those of the replies that can be refused."""


def frames() -> None:
    """Answers the lines on stdin, one by one."""
    for line in sys.stdin:
        print(answer(line.rstrip("\n")))


def answer(line: str) -> str:
    """The answer to one line."""
    # A hexadecimal text may be empty.
    verb, text, *_ = line.split(" ", 2)
    data = bytes.fromhex(text)
    if verb == "request":
        return frame(pb.Request.FromString(data[PREFIX:]).SerializeToString()).hex()
    return json.dumps(_response(data) if verb == "response" else _stream(data))


def _response(data: bytes) -> Any:
    (body,) = FrameReader().feed(data)
    try:
        response = pb.Response.FromString(body)
    except (DecodeError, ValueError):
        return {"fatal": True}
    kind = response.WhichOneof("reply")
    try:
        if kind is None:
            raise replies.missing(response)
        if kind in _READERS:
            _READERS[kind](getattr(response, kind))
    except JobBrokerError:
        return {"fatal": False, "id": response.id}
    return _json(response)


def _stream(data: bytes) -> Any:
    reader = FrameReader()
    bodies: list[str] = []
    refused = False
    try:
        for byte in data:
            bodies += [body.hex() for body in reader.feed(bytes([byte]))]
    except BadFrame:
        refused = True
    return {"bodies": bodies, "partial": reader.has_partial_frame, "refused": refused}


def _json(message: Message) -> dict[str, Any]:
    """A message as proto/vectors/README.md writes it."""
    return {
        field.name: _value(field, value)
        if isinstance(value, (str, bytes, int, float, Message))
        else [_value(field, item) for item in value]
        for field, value in message.ListFields()
    }


def _value(field: FieldDescriptor, value: Any) -> Any:
    if isinstance(value, Message):
        return _json(value)
    if isinstance(value, bytes):
        return value.hex()
    if field.enum_type is not None:
        return field.enum_type.values_by_number[value].name
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    return value

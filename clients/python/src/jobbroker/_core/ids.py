"""Job ids: the 16 bytes of a UUID."""

from __future__ import annotations

import os
import time
from uuid import UUID

from ..errors import InvalidArgument
from ..models import JobId

_VERSION, _VARIANT = 0x7 << 76, 0x2 << 62
_FIXED = 0xF << 76 | 0x3 << 62
"""The bits that hold them."""


def new_job_id() -> UUID:
    """A new id of version 7 (RFC 9562 §5.7): the present millisecond, then 74 random bits. Ids made later sort
    later, so neighbouring jobs are neighbours on the broker's disk."""
    return UUID(bytes=new_id_bytes())


def new_id_bytes() -> bytes:
    """The bytes of ``new_job_id()``."""
    bits = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    return (bits & ~_FIXED | _VERSION | _VARIANT).to_bytes(16, "big")


def id_bytes(job_id: JobId) -> bytes:
    """The bytes of an id given as a UUID or as its text.

    :raises InvalidArgument: the text is no UUID.
    """
    if isinstance(job_id, UUID):
        return job_id.bytes
    try:
        return UUID(job_id).bytes
    except ValueError:
        raise InvalidArgument(f"{job_id!r} is no job id: a UUID is 32 hexadecimal digits") from None

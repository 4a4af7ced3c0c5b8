"""What a handler came to."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Union

from .._core.calls import json_object
from ..errors import JobCancelled, PermanentFailure, RetryableFailure

logger = logging.getLogger("jobbroker.worker")

_ERROR_LIMIT = 16 << 10


@dataclass(frozen=True)
class Done:
    """It returned; the result is a JSON object as text."""

    result: str | None


@dataclass(frozen=True)
class Failed:
    """It raised, or returned what is no result."""

    error: str
    retryable: bool


@dataclass(frozen=True)
class Stopped:
    """It ended because it was told to."""


Ending = Union[Done, Failed, Stopped]


def ending_of_result(result: Mapping[str, Any] | None) -> Ending:
    """What a handler's result comes to."""
    if result is None:
        return Done(None)
    try:
        return Done(json_object(result))
    except (TypeError, ValueError, RecursionError) as error:
        return Failed(_error_text(f"the handler's result is no JSON object: {_text(error)}"), retryable=False)


def ending_of_exception(error: BaseException) -> Ending:
    """What a handler's exception comes to. Most errors that no one foresaw do not last, so they are retryable."""
    if isinstance(error, JobCancelled):
        return Stopped()
    if isinstance(error, (PermanentFailure, RetryableFailure)):
        return Failed(_error_text(_text(error)), isinstance(error, RetryableFailure))
    logger.error("the handler raised", exc_info=error)
    return Failed(_error_text(f"{type(error).__name__}: {_text(error)}"), retryable=True)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:
        return "an exception whose text can't be had"


def _error_text(text: str) -> str:
    """What the protocol takes as an error's text: UTF-8 without NUL, and no longer than its limit."""
    data = text.replace("\0", " ").encode("utf-8", "backslashreplace")
    return data[:_ERROR_LIMIT].decode("utf-8", "ignore")

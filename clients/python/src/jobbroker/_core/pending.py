"""The requests that have no reply yet."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from .call import Call, Stage

_PLACES_KEPT = 8
_UNANSWERED_LIMIT = 8 << 20
"""Bytes of the requests in flight beyond which only urgent ones are sent. The broker stops reading at twice as many."""


def _most_of(places: int) -> int:
    """Those that long requests may take, so that short ones need not wait for them. Of few, half are kept."""
    return places - min(_PLACES_KEPT, places // 2)


class Pending:
    """The requests of a session that have no reply yet: in line, or in flight, as many as the broker allows.

    Ordinary requests leave some places to the urgent ones: while the broker can't commit, it answers these alone. And
    the claims that may wait leave some of their places to the other ordinary ones.
    """

    def __init__(self) -> None:
        self.places = 1
        """How many may be in flight."""
        self._calls: dict[int, Call[Any]] = {}
        self._urgent: OrderedDict[int, Call[Any]] = OrderedDict()
        """Those that wait to be sent before the ordinary ones."""
        self._ordinary: OrderedDict[int, Call[Any]] = OrderedDict()
        self._aside: OrderedDict[int, Call[Any]] = OrderedDict()
        """Claims whose turn came while there was no place for one that waits. They are the first when there is."""
        self._in_flight = 0
        self._waiting = 0
        """Claims in flight that may wait."""
        self._unanswered = 0
        """Bytes in flight."""

    def add(self, call: Call[Any], *, first: bool = False) -> None:
        """Puts a call into line; ``first``: before the others."""
        call.stage = Stage.QUEUED
        line = self._urgent if first else self._ordinary
        self._calls[call.id] = line[call.id] = call

    def park(self, call: Call[Any]) -> None:
        """Keeps a call that has been answered out of the line until it is added again."""
        call.stage = Stage.PARKED
        self._calls[call.id] = call

    def forget(self, call: Call[Any]) -> None:
        """Drops a call that is not in flight."""
        for calls in (self._calls, self._urgent, self._ordinary, self._aside):
            calls.pop(call.id, None)

    def next(self) -> Call[Any] | None:
        """The next call to send, now in flight; None when there is none, or no place for it."""
        call = self._next_urgent() or self._next_ordinary()
        if call is not None:
            call.stage = Stage.SENT
            call.size = 0
            self._in_flight += 1
            self._waiting += call.may_wait
        return call

    def _next_urgent(self) -> Call[Any] | None:
        return _take(self._urgent) if self._in_flight < self.places else None

    def _next_ordinary(self) -> Call[Any] | None:
        if self._in_flight >= _most_of(self.places) or self._unanswered >= _UNANSWERED_LIMIT:
            return None
        can_wait = self._waiting < _most_of(_most_of(self.places))
        if can_wait and self._aside:
            return _take(self._aside)
        while (call := _take(self._ordinary)) is not None and call.may_wait and not can_wait:
            self._aside[call.id] = call
        return call

    def weigh(self, call: Call[Any], size: int) -> None:
        """A call was sent as so many bytes."""
        call.size = size
        self._unanswered += size

    def find(self, call_id: int) -> Call[Any] | None:
        """The call of that id."""
        return self._calls.get(call_id)

    def remove_sent(self, call: Call[Any]) -> None:
        """A call is no longer in flight: it was answered, or could not be written."""
        del self._calls[call.id]
        self._in_flight -= 1
        self._waiting -= call.may_wait
        self._unanswered -= call.size

    def lose_connection(self, resend: bool) -> list[Call[Any]]:
        """Puts into line, in their order, what is to be sent on the next connection; returns the rest.

        :param resend: whether what was sent may be sent again.
        """
        calls, lost = self.take_all(), []
        for call in calls:
            if call.stage is Stage.SENT:
                goes_on = resend and call.resend and not call.is_done
            else:
                goes_on = not call.is_of_its_connection
            if goes_on:
                self.add(call)
            else:
                lost.append(call)
        return lost

    def take_all(self) -> list[Call[Any]]:
        """All calls, in their order, none of which is pending any more."""
        calls = sorted(self._calls.values(), key=lambda call: call.id)
        for queue in (self._calls, self._urgent, self._ordinary, self._aside):
            queue.clear()
        self._in_flight = self._waiting = self._unanswered = 0
        return calls


def _take(line: OrderedDict[int, Call[Any]]) -> Call[Any] | None:
    """The first of a line, taken out."""
    return line.popitem(last=False)[1] if line else None

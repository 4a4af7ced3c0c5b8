"""The requests that have no reply yet."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from .call import Call, Stage

_PLACES_FOR_OTHERS = 16
"""Claims may wait long, so they leave some places among the requests in flight to others: of few places, half."""


class Pending:
    """The requests of a session that have no reply yet: in line, or in flight, as many as the broker allows."""

    def __init__(self) -> None:
        self.limit = 1
        """How many may be in flight."""
        self._calls: dict[int, Call[Any]] = {}
        self._line: OrderedDict[int, Call[Any]] = OrderedDict()
        """Those that wait to be sent."""
        self._aside: OrderedDict[int, Call[Any]] = OrderedDict()
        """Claims whose turn came while there was no place for one that waits. They are the first when there is."""
        self._in_flight = 0
        self._waiting = 0
        """Claims in flight that may wait."""

    def add(self, call: Call[Any], *, first: bool = False) -> None:
        """Puts a call into line; ``first``: before the others."""
        call.stage = Stage.QUEUED
        self._calls[call.id] = self._line[call.id] = call
        if first:
            self._line.move_to_end(call.id, last=False)

    def park(self, call: Call[Any]) -> None:
        """Keeps a call that has been answered out of the line until it is added again."""
        call.stage = Stage.PARKED
        self._calls[call.id] = call

    def forget(self, call: Call[Any]) -> None:
        """Drops a call that is not in flight."""
        for calls in (self._calls, self._line, self._aside):
            calls.pop(call.id, None)

    def next(self) -> Call[Any] | None:
        """The next call to send, now in flight; None when there is none, or no place for it."""
        while self._in_flight < self.limit:
            if self._aside and self._has_place_to_wait:
                _, call = self._aside.popitem(last=False)
            elif self._line:
                _, call = self._line.popitem(last=False)
            else:
                break
            if call.may_wait:
                if not self._has_place_to_wait:
                    self._aside[call.id] = call
                    continue
                self._waiting += 1
            call.stage = Stage.SENT
            self._in_flight += 1
            return call
        return None

    @property
    def _has_place_to_wait(self) -> bool:
        return self._waiting < self.limit - min(_PLACES_FOR_OTHERS, self.limit // 2)

    def find(self, call_id: int) -> Call[Any] | None:
        """The call of that id."""
        return self._calls.get(call_id)

    def remove_sent(self, call: Call[Any]) -> None:
        """A call is no longer in flight: it was answered, or could not be written."""
        del self._calls[call.id]
        self._in_flight -= 1
        self._waiting -= call.may_wait

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
        for queue in (self._calls, self._line, self._aside):
            queue.clear()
        self._in_flight = self._waiting = 0
        return calls

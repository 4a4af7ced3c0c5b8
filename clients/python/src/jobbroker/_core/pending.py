"""The requests that have no reply yet."""

from __future__ import annotations

from collections import deque
from typing import Any

from .call import Call, Stage


class Pending:
    """The requests of a session that have no reply yet: in line, or in flight, as many as the broker allows."""

    def __init__(self) -> None:
        self.limit = 1
        """How many may be in flight."""
        self._calls: dict[int, Call[Any]] = {}
        self.line: deque[Call[Any]] = deque()
        """Those that wait to be sent; some may have been forgotten."""
        self._in_flight = 0

    def add(self, call: Call[Any], *, first: bool = False) -> None:
        """Puts a call into line; ``first``: before the others."""
        call.stage = Stage.QUEUED
        self._calls[call.id] = call
        if first:
            self.line.appendleft(call)
        else:
            self.line.append(call)

    def park(self, call: Call[Any]) -> None:
        """Keeps a call that has been answered out of the line until it is added again."""
        call.stage = Stage.PARKED
        self._calls[call.id] = call

    def forget(self, call: Call[Any]) -> None:
        """Drops a call that is not in flight."""
        self._calls.pop(call.id, None)

    def next(self) -> Call[Any] | None:
        """The next call to send, now in flight; None when there is none, or no place for it."""
        while self.line and self._in_flight < self.limit:
            call = self.line.popleft()
            # It may have been forgotten.
            if call.stage is Stage.QUEUED and call.id in self._calls:
                call.stage = Stage.SENT
                self._in_flight += 1
                return call
        return None

    def find(self, call_id: int) -> Call[Any] | None:
        """The call of that id."""
        return self._calls.get(call_id)

    def remove_sent(self, call: Call[Any]) -> None:
        """A call is no longer in flight: it was answered, or could not be written."""
        del self._calls[call.id]
        self._in_flight -= 1

    def lose_connection(self, resend: bool) -> list[Call[Any]]:
        """Puts into line, in their order, what is to be sent on the next connection; returns the rest.

        :param resend: whether what was sent may be sent again.
        """
        calls, lost = self.take_all(), []
        for call in calls:
            if call.stage is not Stage.SENT or (resend and call.resend and not call.is_done):
                self.add(call)
            else:
                lost.append(call)
        return lost

    def take_all(self) -> list[Call[Any]]:
        """All calls, in their order, none of which is pending any more."""
        calls = sorted(self._calls.values(), key=lambda call: call.id)
        self._calls.clear()
        self.line.clear()
        self._in_flight = 0
        return calls

"""Things to do later, by a clock that somebody else watches."""

from __future__ import annotations

import heapq
import itertools
from typing import Callable


class Timer:
    """Something to do at a time, unless it is cancelled."""

    __slots__ = ("action", "when")

    def __init__(self, when: float, action: Callable[[], None] | None) -> None:
        self.when = when
        self.action = action

    def cancel(self) -> None:
        self.action = None


class Timers:
    """Timers in the order of their times."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()

    def at(self, when: float, action: Callable[[], None]) -> Timer:
        timer = Timer(when, action)
        heapq.heappush(self._heap, (when, next(self._order), timer))
        return timer

    def next(self) -> float | None:
        """When the next one is due."""
        while self._heap and self._heap[0][2].action is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def run(self, now: float) -> None:
        """Does what is due."""
        while True:
            due = self.next()
            if due is None or due > now:
                return
            action = heapq.heappop(self._heap)[2].action
            assert action is not None
            action()

    def clear(self) -> None:
        self._heap.clear()

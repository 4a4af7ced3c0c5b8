"""Watches of the asyncio client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType

from ._core.call import Call
from ._core.watches import Feed
from ._tasks import AsyncSession
from .errors import JobBrokerError, Unavailable
from .models import WatchEvent


class AsyncWatch:
    """The jobs a watch covers, as they change: first a snapshot, then every change, with no gap between. An
    asynchronous iterator, for one reader, begun by ``async with``. Made by ``AsyncClient.watch``."""

    def __init__(self, tasks: AsyncSession, request: Call[None]) -> None:
        self._tasks = tasks
        self._arrival = asyncio.Event()
        self._feed = Feed(request, self._arrival.set)
        self._is_closed = False

    async def __aenter__(self) -> AsyncWatch:
        try:
            await self._tasks.run(self._feed.request, start=lambda: self._tasks.session.watches.open(self._feed))
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def next(self) -> WatchEvent:
        """The next event.

        :raises JobBrokerError: there will be no more; Unavailable when client or watch were closed.
        """
        while True:
            event = self._tasks.do(lambda: self._tasks.session.watches.read(self._feed))
            if isinstance(event, JobBrokerError):
                raise event
            if event is not None:
                return event
            self._arrival.clear()
            await self._arrival.wait()

    async def close(self) -> None:
        """Ends the watch, and its reader's iteration."""
        self._is_closed = True
        self._tasks.do(lambda: self._tasks.session.watches.close(self._feed))

    def __aiter__(self) -> AsyncIterator[WatchEvent]:
        return self

    async def __anext__(self) -> WatchEvent:
        try:
            return await self.next()
        except Unavailable:
            if self._is_closed:
                raise StopAsyncIteration from None
            raise

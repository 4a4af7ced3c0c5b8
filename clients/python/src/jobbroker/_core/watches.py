"""Watches: what comes for them, until somebody reads it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Callable

from .._proto import jobbroker_pb2 as pb
from ..errors import InvalidArgument, JobBrokerError, Unavailable
from ..models import Interrupted, Job, Snapshot, WatchEvent
from . import calls, replies
from .call import Call

if TYPE_CHECKING:
    from .session import Session

CAPACITY = 10_000
"""Jobs of a snapshot, and events that may wait for their reader."""


class Feed:
    """What came for a watch and was not read yet. Bounded: a reader that falls behind by more than the capacity, and
    perhaps an interruption, is told that it missed something, and gets a new snapshot once it has caught up."""

    def __init__(self, request: Call[None], on_event: Callable[[], None]) -> None:
        self.request = request
        """The watch's request, sent anew with each connection."""
        self.on_event = on_event
        """Called when there is something to read."""
        self.events: deque[WatchEvent] = deque()
        self.overflowed = False
        self.ending: JobBrokerError | None = None
        self.snapshot: list[Job] = []
        """The frames of a snapshot that is not whole yet."""
        self.is_open = False
        """The first snapshot came."""

    @property
    def has_news(self) -> bool:
        """Whether reading it comes to something."""
        return self.overflowed or bool(self.events) or self.ending is not None

    def append(self, event: WatchEvent) -> bool:
        """Adds an event; False when there is no room, which drops all that is unread."""
        if len(self.events) >= CAPACITY:
            self.events.clear()
            self.overflowed = True
        else:
            self.events.append(event)
        self.on_event()
        return not self.overflowed

    def interrupt(self) -> None:
        """Tells the reader that it misses something, unless that is the last thing it was told."""
        told = self.overflowed or bool(self.events and isinstance(self.events[-1], Interrupted))
        if not told:
            # Even where there is no room: its watch goes on, which one that has overflowed must not.
            self.events.append(Interrupted())
            self.on_event()

    def end(self, error: JobBrokerError) -> None:
        """Nothing more will come; what is unread stays readable."""
        self.ending = error
        self.on_event()


class Watches:
    """The watches of a session. They stand outside of the limit on requests in flight: they are answered at once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._feeds: dict[int, Feed] = {}
        self._last_stopped = 0

    def open(self, feed: Feed) -> None:
        """Begins a watch; its request is done with the first snapshot."""
        if self._session.options.timeout is not None:
            feed.request.deadline = self._session.clock() + self._session.options.timeout
        self._begin(feed)

    def read(self, feed: Feed) -> WatchEvent | JobBrokerError | None:
        """The next event, or why there will be no more; None when there is none yet."""
        if self._session.disowned is not None:
            return self._session.disowned
        if feed.overflowed:
            feed.overflowed = False
            if feed.ending is None:
                self._begin(feed)
            return Interrupted()
        if feed.events:
            return feed.events.popleft()
        return feed.ending

    def close(self, feed: Feed) -> None:
        """Nobody is to read it any more; whoever still waits for it is told so."""
        if self._session.disowned is not None:
            return
        for watch_id, other in list(self._feeds.items()):
            if other is feed:
                self._stop(watch_id)
        feed.end(Unavailable("the watch is closed"))

    def interrupt(self) -> None:
        """The connection is gone: the readers learn that they will miss something."""
        for feed in self._feeds.values():
            feed.snapshot = []
            if feed.is_open:
                feed.interrupt()

    def reopen(self) -> None:
        """There is a new connection. New ids, so that nothing old is mistaken for theirs."""
        feeds, self._feeds = self._feeds, {}
        for feed in feeds.values():
            self._begin(feed)

    def end(self, error: JobBrokerError) -> None:
        feeds, self._feeds = self._feeds, {}
        for feed in feeds.values():
            self._finish(feed, error)

    def receive(self, response: pb.Response) -> bool:
        """Takes a response if it is a watch's, or may have crossed the end of one: then it is nobody's."""
        feed = self._feeds.get(response.id)
        if feed is None:
            kind = response.WhichOneof("reply")
            return kind in ("snapshot", "event") or (kind == "error" and 0 < response.id <= self._last_stopped)
        try:
            self._take(response, feed)
        except JobBrokerError as error:
            self._stop(response.id)
            self._finish(feed, error)
        return True

    def _take(self, response: pb.Response, feed: Feed) -> None:
        kind = response.WhichOneof("reply")
        if kind == "snapshot":
            self._take_snapshot(response, feed)
        elif kind == "event":
            event = replies.read_event(response.event)
            if isinstance(event, Interrupted):
                feed.interrupt()
                self._stop(response.id)
                self._begin(feed)
            elif not feed.append(event):
                self._stop(response.id)
        elif kind == "error":
            del self._feeds[response.id]
            self._finish(feed, replies.read_error(response.error))
        else:
            self._session.violated("it answers a watch with a reply of another kind")

    def _take_snapshot(self, response: pb.Response, feed: Feed) -> None:
        feed.snapshot.extend(replies.read_jobs(response.snapshot.jobs))
        if len(feed.snapshot) > CAPACITY:
            feed.snapshot = []
            return self._session.violated(f"a snapshot of more than {CAPACITY} jobs")
        if response.snapshot.more:
            return None
        self._session.succeeded()
        snapshot, feed.snapshot = Snapshot(tuple(feed.snapshot), response.snapshot.truncated), []
        feed.is_open = True
        if not feed.append(snapshot):
            self._stop(response.id)
        feed.request.finish(response)
        return None

    def _begin(self, feed: Feed) -> None:
        if self._session.ending is not None:
            return self._finish(feed, self._session.ending)
        watch_id = self._session.new_id()
        self._feeds[watch_id] = feed
        feed.request.request.id = watch_id
        if self._session.is_ready:
            try:
                self._session.transmit(feed.request)
            except InvalidArgument as error:
                del self._feeds[watch_id]
                self._finish(feed, error)
        return None

    def _stop(self, watch_id: int) -> None:
        if self._feeds.pop(watch_id, None) is None:
            return
        self._last_stopped = max(self._last_stopped, watch_id)
        if self._session.is_ready:
            unwatch: Call[Any] = calls.unwatch(watch_id)
            self._session.submit(unwatch)

    def _finish(self, feed: Feed, error: JobBrokerError) -> None:
        feed.end(error)
        feed.request.finish(error)

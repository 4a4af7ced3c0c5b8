"""The protocol as a state machine: the requests of one client and the connection that carries them.

Knows no socket, no thread and no event loop. Its owner

- reports what happens: ``connected``, ``dial_failed``, ``received``, ``lost``;
- after each of these, and after every other call, does what is wanted: writes ``output``, dials when ``wants_dial``,
  closes the connection when it no longer ``has_connection``, calls ``run_timers`` at ``next_timer``.

Outcomes come back through each call's ``on_done``. Nothing here locks: one thread at a time.
"""

from __future__ import annotations

import enum
import itertools
import logging
from typing import Any, Callable

from google.protobuf.message import DecodeError

from .._proto import jobbroker_pb2 as pb
from ..errors import Internal, InvalidArgument, JobBrokerError, ResourceExhausted, Unavailable, no_broker
from ..models import Welcome
from ..options import Options
from . import calls, replies
from .call import Call, Stage
from .claims import ClaimKeeper
from .frames import MAX_FRAME, PROTOCOL_VERSION, BadFrame, FrameReader, frame
from .pending import Pending
from .timers import Timer, Timers
from .watches import Watches

_TRIES_AT_BUSY_BROKER = 10

logger = logging.getLogger("jobbroker.client")


class State(enum.Enum):
    AWAY = 1
    """No connection; the next try is under way or scheduled."""
    GREETING = 2
    """Connected; the broker has not answered the hello."""
    READY = 3
    CLOSED = 4


class Session:
    """See the module's text."""

    def __init__(self, options: Options, clock: Callable[[], float]) -> None:
        self.options = options
        self.clock = clock
        self.state = State.AWAY
        self.ending: JobBrokerError | None = None
        """Why every further call will fail."""
        self.disowned: Unavailable | None = None
        """Why that is, if whose session it is, is elsewhere or gone."""
        self.welcome: Welcome | None = None
        self.watches = Watches(self)
        self.claims = ClaimKeeper(self)
        self._timers = Timers()
        self._ids = itertools.count(1)
        self.hello = calls.hello(options)
        """Done when the broker said welcome for the first time, or will not; begun by ``open``."""
        self._opening = False
        self._wants_dial = False
        self._greeting_timer: Timer | None = None
        self._failures = 0
        self._parting: JobBrokerError | None = None
        """Why the broker is about to end the connection, when it said so."""
        self._frames = FrameReader()
        self._output: list[bytes] = []
        self._pending = Pending()
        self._max_frame = MAX_FRAME

    # ------------------------------------------------------------------------------------------ what is wanted

    @property
    def has_connection(self) -> bool:
        return self.state is State.READY or self.state is State.GREETING

    @property
    def is_ready(self) -> bool:
        return self.state is State.READY

    @property
    def wants_dial(self) -> bool:
        return self._wants_dial and self.state is State.AWAY

    def output(self) -> bytes:
        """What to write to the connection now."""
        chunks = self._output
        if not chunks:
            return b""
        self._output = []
        return b"".join(chunks)

    def next_timer(self) -> float | None:
        """When to call ``run_timers``, by the clock."""
        return self._timers.next()

    def run_timers(self) -> None:
        self._timers.run(self.clock())

    def after(self, delay: float, action: Callable[[], None]) -> Timer:
        """Does something later."""
        return self._timers.at(self.clock() + delay, action)

    def new_id(self) -> int:
        """A request id that was not used before."""
        return next(self._ids)

    # ------------------------------------------------------------------------------------------ connecting

    def open(self) -> None:
        """Begins."""
        self._opening = self._wants_dial = True

    def dial_failed(self, error: OSError) -> None:
        self._wants_dial = False
        reason = error.strerror or str(error)
        # EAGAIN: a broker is there, but more clients than it has room for are at its door (connect(2)).
        is_busy = isinstance(error, BlockingIOError) and self._failures < _TRIES_AT_BUSY_BROKER
        self._dial_later(no_broker(self.options.socket_path, reason), is_busy)

    def connected(self) -> None:
        self._wants_dial = False
        self.state = State.GREETING
        self._parting = None
        self._frames = FrameReader()
        self._output = []
        self.hello.request.id = self.new_id()
        self._output.append(frame(self.hello.request.SerializeToString()))
        patience = 30.0 if self.options.timeout is None else self.options.timeout
        self._greeting_timer = self.after(patience, lambda: self.lost("the broker did not answer the hello"))

    def _dial_later(self, error: JobBrokerError, is_busy: bool = False) -> None:
        goes_on = self.options.wait_for_broker if self._opening else self.options.reconnect
        if not goes_on and not is_busy:
            return self.close(error)
        delay = self._back_off()
        logger.debug("dialling again in %.3f s: %s", delay, error)
        self.after(delay, self._dial)
        return None

    def _dial(self) -> None:
        self._wants_dial = True

    def _back_off(self) -> float:
        self._failures += 1
        return self.options.backoff.delay(self._failures)

    def succeeded(self) -> None:
        """The broker did something for this client: the next failure is the first again."""
        self._failures = 0

    def _greeted(self, response: pb.Response) -> None:
        assert self._greeting_timer is not None
        self._greeting_timer.cancel()
        kind = response.WhichOneof("reply")
        if kind == "error":
            error = replies.readable_error(response.error)
            if not isinstance(error, (Unavailable, ResourceExhausted)):
                return self.close(error)
            self._parting = error
            return self.lost(error.message)
        if kind != "welcome" or response.id != self.hello.request.id:
            return self.violated("it does not answer the hello")
        if response.welcome.protocol_version != PROTOCOL_VERSION:
            return self.close(replies.other_version(response.welcome))
        try:
            self.welcome = replies.read_welcome(response.welcome)
        except JobBrokerError as error:
            return self.violated(error.message)
        self._pending.places = max(1, self.welcome.max_in_flight)
        self._max_frame = self.welcome.max_frame or MAX_FRAME
        # The claims come first: the broker gives away those it does not hear of within its reconnect grace. So they are
        # in line, all of them, before anything is sent.
        self.claims.renew_all()
        self.state = State.READY
        logger.debug("connected to %s at %s", self.welcome.server, self.options.socket_path)
        self._opening = False
        self.hello.finish(response)
        self.send_line()
        self.watches.reopen()
        return None

    # ------------------------------------------------------------------------------------------ requests

    def submit(self, call: Call[Any], *, first: bool = False) -> None:
        """Sends a request as soon as there is a connection and a place for it. ``first``: before the others."""
        if self.ending is not None:
            return call.finish(self.ending)
        now = self.clock()
        call.id = call.request.id = self.new_id()
        if self.options.timeout is not None:
            call.deadline = now + call.wait + self.options.timeout
        if call.may_wait:
            call.wait_ends = now + call.wait
        self._pending.add(call, first=first)
        return self.send_line()

    def abandon(self, call: Call[Any], reason: str) -> None:
        """Nobody waits for a call any more. A claim waits no longer, and what it brought, or still brings, is given
        back."""
        if call.is_done:
            if isinstance(call.outcome, pb.Response):
                self._give_back(call.outcome)
            return
        if call.stage is not Stage.SENT:
            self._pending.forget(call)
        elif call.may_wait:
            self.submit(calls.withdraw(call.id), first=True)
        call.finish(call.interruption(reason))

    def withdraw(self, claim: Call[Any]) -> None:
        """A claim is to wait no longer; it is done with what it has found, mostly nothing."""
        if claim.is_done:
            return
        claim.resend = False
        if claim.stage is Stage.SENT:
            self.submit(calls.withdraw(claim.id), first=True)
        else:
            self._pending.forget(claim)
            claim.finish(pb.Response(claimed=pb.Claimed()))

    def expire(self, call: Call[Any]) -> None:
        """A call's deadline has passed."""
        if not call.is_done:
            self.abandon(call, f"no reply within {self.options.timeout} s")

    def send_line(self) -> None:
        """Sends what is in line, as far as the broker's limit on requests in flight allows."""
        while self.state is State.READY:
            call = self._pending.next()
            if call is None:
                return
            self._send(call)

    def _send(self, call: Call[Any]) -> None:
        if call.wait_ends is not None:
            call.request.claim.wait_ms = calls.milliseconds(max(0.0, call.wait_ends - self.clock()))
        try:
            self._pending.weigh(call, self.transmit(call))
        except InvalidArgument as error:
            self._pending.remove_sent(call)
            call.finish(error)

    def transmit(self, call: Call[Any]) -> int:
        """Puts a request into the output; says how many bytes it has.

        :raises InvalidArgument: it is larger than the broker takes.
        """
        body = call.request.SerializeToString()
        if len(body) > self._max_frame:
            raise InvalidArgument(
                f"{call.name}: the request has {len(body)} bytes; at most {self._max_frame} are allowed"
            )
        self._output.append(frame(body))
        return len(body)

    def _park(self, call: Call[Any]) -> None:
        """A draining broker refused this claim: tries again later, on this connection or the next."""
        self._pending.park(call)

        def unpark() -> None:
            if call.stage is Stage.PARKED and not call.is_done:
                self._pending.add(call)
                self.send_line()

        self.after(self._back_off(), unpark)

    def _give_back(self, response: pb.Response) -> None:
        """Jobs came for a claim whose caller has gone."""
        if response.WhichOneof("reply") != "claimed":
            return
        for job in response.claimed.jobs:
            operation = pb.Release(id=job.id, attempt=job.attempt)
            self.submit(Call("release", pb.Request(release=operation), "job", lambda _: None, repeatable=True))

    # ------------------------------------------------------------------------------------------ replies

    def received(self, data: bytes) -> None:
        """Bytes came from the connection."""
        try:
            for body in self._frames.feed(data):
                # A frame may have ended the connection; the rest is nobody's.
                if not self.has_connection:
                    return
                self._receive(body)
        except BadFrame as error:
            self.violated(str(error))

    def _receive(self, body: bytes) -> None:
        try:
            response = pb.Response.FromString(body)
        except (DecodeError, ValueError):
            return self.violated("it sent a frame that is no protobuf message")
        if self.state is State.GREETING:
            return self._greeted(response)
        call = self._pending.find(response.id)
        if call is None:
            return self._receive_unasked(response)
        if call.stage is not Stage.SENT:
            return self.violated(f"it answers request {call.id} before it was sent")
        self._pending.remove_sent(call)
        self._answer(call, response)
        self.send_line()
        return None

    def _answer(self, call: Call[Any], response: pb.Response) -> None:
        kind = response.WhichOneof("reply")
        if kind is None:
            call.finish(replies.missing(response))
        elif kind == "error":
            error = replies.readable_error(response.error)
            draining = isinstance(error, Unavailable) and call.name == "claim"
            if draining and self.options.reconnect and call.resend and not call.is_done:
                self._park(call)
            else:
                call.finish(error)
        else:
            self.succeeded()
            if call.is_done:
                self._give_back(response)
            elif kind != call.reply:
                call.finish(Internal(f"the broker answered {call.name} with a reply of another kind"))
            else:
                call.finish(response)

    def _receive_unasked(self, response: pb.Response) -> None:
        """What answers no pending request: watches, notices, and what should not be."""
        if self.watches.receive(response):
            return
        kind = response.WhichOneof("reply")
        if kind == "revoked":
            try:
                self.claims.revoke(replies.read_revocation(response.revoked))
            except JobBrokerError as error:
                self.violated(error.message)
        elif kind == "error" and response.id == 0:
            self._parting = replies.readable_error(response.error)
        else:
            self.violated(f"it answers request {response.id}, which nobody made")

    # ------------------------------------------------------------------------------------------ loss and end

    def violated(self, what: str) -> None:
        """The peer does not speak the protocol. What it was sent is not sent again: it would answer no better."""
        reason = f"the peer at {self.options.socket_path} is not a broker, or out of step: {what}"
        logger.error("%s", reason)
        self.lost(reason, resend=False)

    def lost(self, reason: str, resend: bool = True) -> None:
        """The connection is gone: what was under way goes back into line, or ends."""
        if not self.has_connection:
            return None
        if self._parting is not None and self._parting.message != reason:
            reason = f"{reason}: {self._parting.message}"
        if self._greeting_timer is not None:
            self._greeting_timer.cancel()
        was_greeting = self.state is State.GREETING
        self.state = State.AWAY
        self._output = []
        if was_greeting:
            return self._dial_later(self._parting or no_broker(self.options.socket_path, reason))
        logger.info("connection lost: %s", reason)
        if not self.options.reconnect:
            return self.close(Unavailable(reason))
        for call in self._pending.lose_connection(resend):
            garbled = not resend and call.repeatable
            call.finish(Internal(reason) if garbled else call.interruption(reason))
        self.watches.interrupt()
        self._dial_later(Unavailable(reason))
        return None

    def close(self, error: JobBrokerError | None = None) -> None:
        """The end: of the connection, and of every call. What was put out before may still be written."""
        if self.state is State.CLOSED:
            return
        error = error or Unavailable("the client is closed")
        self.state = State.CLOSED
        self.ending = error
        self._timers.clear()
        self.hello.finish(error)
        for call in self._pending.take_all():
            interruption = call.interruption(error.message)
            call.finish(error if isinstance(interruption, Unavailable) else interruption)
        self.watches.end(error)
        self.claims.end()

    def disown(self, reason: str) -> None:
        """Whose session it is, is elsewhere or gone: forgets it, and tells nobody."""
        self.state = State.CLOSED
        self.ending = self.disowned = Unavailable(reason)
        self._pending.take_all()
        self._timers.clear()
        self._output = []

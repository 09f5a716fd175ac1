"""One client's connection: uvicorn's protocol over httptools, with bounds on what the client sends and how long it takes.

httptools has no bound on a request's head, and uvicorn none on bodies, slow clients and connections. A refusal is an answer
with a sentence; after it the connection reads on for a moment, so that a client that still sends does not meet a reset
before it has read the answer, and then closes.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import math
from typing import Any, Final

import httptools
import orjson
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from penstock.http.limits import HttpLimits

__all__ = ["Connection", "Traffic"]

_log = logging.getLogger(__name__)
#: Seconds that a refused client may go on sending.
_LINGER: Final = 5.0
#: Bytes on the wire for a body of the largest size, in times that size: chunk sizes, chunk extensions and trailers count.
_OVERHEAD: Final = 2
#: Requests that may wait on one connection for the answer to an earlier one.
_MAX_PIPELINED: Final = 64


class _Phase(enum.Enum):
    """The part of a request that the connection is reading."""

    #: The next request has not begun, or its head is not complete.
    HEAD = "head"
    #: The head has come, the body not yet.
    BODY = "body"
    #: The request has come whole; it is being answered.
    ANSWER = "answer"
    #: A request was refused; what still comes is thrown away.
    REFUSED = "refused"


class _RefusedError(Exception):
    """Stops the parser; the connection has the reason."""


class _Trailers(list[Any]):
    """Takes the headers that come after a chunked body, and keeps none."""

    def append(self, _item: Any) -> None:
        return None


_TRAILERS: Final = _Trailers()


class _BodyOnly:
    """The listener of a parser that parses the body of a request whose head was parsed before."""

    def __init__(self, connection: Connection) -> None:
        self.on_body = connection.on_body
        self.on_message_complete = connection.on_message_complete


class Traffic:
    """The state that the connections of one server share. Lives on the event loop's thread, so it needs no lock."""

    def __init__(self, limits: HttpLimits) -> None:
        self.limits = limits
        self.open: set[Connection] = set()
        #: Connections without a request at work, in the order in which they began to wait.
        self.waiting: dict[Connection, None] = {}
        #: Bytes of bodies whose requests are not answered yet.
        self.body_bytes = 0

    def sweep(self, now: float) -> None:
        """Close or refuse every connection that takes too long. `now` is the event loop's time."""
        for connection in list(self.open):
            connection.check_time(now)

    def make_room(self) -> bool:
        """Close the connection that waits longest for its request. Return False if every one has a request at work."""
        for connection in self.waiting:
            del self.waiting[connection]
            connection.close()
            return True
        return False


class Connection(HttpToolsProtocol):
    """The parser calls the ``on_…`` methods while `data_received` feeds it."""

    def __init__(
        self, traffic: Traffic, config: Config, server_state: ServerState, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(config, server_state, {}, loop)
        self._traffic = traffic
        self._limits = traffic.limits
        self._phase = _Phase.HEAD
        #: The times of the loop at which the phase began, data came last, and the client stopped to take data.
        self._since = self._last_data = loop.time()
        self._blocked_since: float | None = None
        self.url, self.headers = b"", []
        #: Bytes received of the head, and of the body with its chunk sizes; both may count what stands before and after.
        self._head_bytes = self._wire_bytes = 0
        #: Bytes of the data in which the head began, which may have begun with the rest of another request.
        self._first_bytes = 0
        #: Bytes of the data that is being parsed.
        self._chunk = 0
        #: Whether a part of a head has come.
        self._begun = False
        #: Bytes of the body, and those of them that `Traffic.body_bytes` has.
        self._body_bytes = self._held = 0
        #: The headers that announce a body; of the request at work.
        self._announced: bytes = b""
        #: Whether the parser at work knows the body only.
        self._after_upgrade = False
        self._refusal: tuple[int, str] | None = None
        #: The request that is being answered; uvicorn's `cycle` is the one that came last.
        self._answering: RequestResponseCycle | None = None

    # --- the transport calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        traffic = self._traffic
        full = len(traffic.open) >= self._limits.max_connections and not traffic.make_room()
        traffic.open.add(self)
        if full:
            limit = f"{self._limits.max_connections_key}={self._limits.max_connections}"
            self.refuse(
                503, f"There are as many connections as {limit} allows, and each has a request at work; try again"
            )
        else:
            traffic.waiting[self] = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._traffic.open.discard(self)
        self._traffic.waiting.pop(self, None)
        self._release_body()
        self.pipeline.clear()
        if self._answering is not None:
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._last_data = self.loop.time()
        if self._phase is _Phase.REFUSED:
            return
        self._feed(data)
        if self._head_bytes - self._first_bytes > self._limits.max_head:
            self.refuse(*self._too_large_head())

    def pause_writing(self) -> None:
        self._blocked_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._blocked_since = None
        super().resume_writing()

    # --- the server calls

    def close(self) -> None:
        """Close without an answer; what was written is still sent."""
        if not self.transport.is_closing():
            self.transport.close()

    def shutdown(self) -> None:
        if self._phase is _Phase.REFUSED:
            self.transport.close()
        else:
            super().shutdown()

    def check_time(self, now: float) -> None:
        """Act on what takes too long: a head, a pause in a body, a body that drips, a client that takes no data."""
        timeout = self._limits.timeout
        if self._blocked_since is not None and now - self._blocked_since > timeout:
            self.transport.abort()
        elif self._phase is _Phase.REFUSED:
            if now - self._since > _LINGER:
                self.transport.abort()
        elif self._phase is _Phase.HEAD:
            if now - self._since > timeout:
                self._end_wait()
        elif self._phase is _Phase.BODY and not self.flow.read_paused:
            allowed = timeout + self._body_bytes / self._limits.min_rate
            if now - self._last_data > timeout or now - self._since > allowed:
                self.refuse(
                    408, f"The request's body did not come: {self._body_bytes} bytes in {now - self._since:.0f} s"
                )

    def _end_wait(self) -> None:
        if self._begun:
            self.refuse(408, f"The request's head did not come within {self._limits.timeout:g} s")
        else:
            self.close()

    # --- the parser calls

    def on_message_begin(self) -> None:
        self._begun = True
        self._head_bytes = self._first_bytes = self._chunk
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._refusal = self._head_problem()
        if self._refusal is not None:
            raise _RefusedError
        super().on_headers_complete()
        self.headers = _TRAILERS
        self._traffic.waiting.pop(self, None)
        self._begun, self._phase = False, _Phase.BODY
        self._since = self._last_data
        self._wire_bytes = self._head_bytes = self._first_bytes = self._body_bytes = 0

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > self._limits.max_body:
            self._refusal = self._too_large_body()
            raise _RefusedError
        if not self.cycle.response_complete:
            self._held += len(body)
            self._traffic.body_bytes += len(body)
            if self._traffic.body_bytes > self._limits.max_bodies:
                self._refusal = self._too_many_bodies()
                raise _RefusedError
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._announced and self.parser.should_upgrade():
            return  # httptools takes the body for another protocol's; see `_ignore_upgrade`
        self._phase = _Phase.ANSWER
        super().on_message_complete()
        if self._after_upgrade:
            self._after_upgrade = False
            self._renew_parser()
        if self.cycle.response_complete:
            self._wait()

    def on_response_complete(self) -> None:
        """Go on with the next request, as uvicorn does; without its timer, since `check_time` looks after idle connections."""
        if self._held:
            self._release_body()
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        if self._phase is _Phase.ANSWER and self.cycle.response_complete:
            self._wait()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _wait(self) -> None:
        """Begin to wait for the next request."""
        self._phase = _Phase.HEAD
        self._since = self.loop.time()
        self._traffic.waiting[self] = None

    # --- parsing

    def _feed(self, data: bytes) -> None:
        self._chunk = len(data)
        if self._phase is _Phase.BODY:
            self._wire_bytes += len(data)
        else:
            self._head_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as error:
            self._ignore_upgrade(data[error.args[0] :])
        except httptools.HttpParserError as error:
            self._refuse_unreadable(error)
            return
        if self._phase is _Phase.BODY and self._wire_bytes > _OVERHEAD * self._limits.max_body + self._limits.max_head:
            self.refuse(*self._too_large_body())

    def _refuse_unreadable(self, error: httptools.HttpParserError) -> None:
        status, sentence = self._refusal or (400, f"This is no HTTP request: {error}")
        if self._refusal is None and isinstance(error, httptools.HttpParserCallbackError):
            sentence = "This is no HTTP request: its target cannot be read"
        self.refuse(status, sentence)

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Go on in HTTP/1.1, as a server may that does not know the protocol a client would rather speak: Java's client
        asks for HTTP/2 that way. The parser has given up, and takes the body for the other protocol's: one that knows of
        nothing but the body takes its place, and a fresh one the place of that."""
        if self._announced:
            self._after_upgrade = True
            self.parser = httptools.HttpRequestParser(_BodyOnly(self))
            self.parser.feed_data(b"POST / HTTP/1.1\r\n" + self._announced + b"\r\n\r\n")
        else:
            self._renew_parser()
        if rest:
            self._feed(rest)

    def _renew_parser(self) -> None:
        self._announced = b""
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def _unsupported_upgrade_warning(self) -> None:
        return None

    def _head_problem(self) -> tuple[int, str] | None:
        """Return what is wrong with a head that was received whole: status and sentence; None if nothing is."""
        limits = self._limits
        if len(self.url) > limits.max_target or len(self.headers) > limits.max_headers:
            return self._too_large_head()
        if self._head_bytes > limits.max_head:  # no less than the head has, so most heads need no counting
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > limits.max_head:
                return self._too_large_head()
        if len(self.pipeline) >= _MAX_PIPELINED:
            return 503, f"More than {_MAX_PIPELINED} requests came before the answer to the first"
        self._announced = b""
        if self.parser.get_method() == b"GET":
            return None  # a body that it has all the same is counted as it comes
        hosts = 0
        for name, value in self.headers:
            if name == b"host":
                hosts += 1
            elif name == b"content-length":
                self._announced = b"content-length: " + value
                if int(value) > limits.max_body:
                    return self._too_large_body()
                if self._traffic.body_bytes + int(value) > limits.max_bodies:
                    return self._too_many_bodies()
            elif name == b"transfer-encoding":
                self._announced = b"transfer-encoding: " + value
        if hosts > 1:
            return 400, "The request has more than one Host header"
        return None

    def _too_large_head(self) -> tuple[int, str]:
        limits = self._limits
        if len(self.url) > limits.max_target:
            return 414, f"The request's path and query are longer than {limits.max_target} bytes"
        if len(self.headers) > limits.max_headers:
            return 431, f"The request has more than {limits.max_headers} headers"
        return 431, f"The request's headers are larger than {limits.max_head} bytes"

    def _too_large_body(self) -> tuple[int, str]:
        return 413, f"The request is larger than {self._limits.max_body_key}={self._limits.max_body} bytes"

    def _too_many_bodies(self) -> tuple[int, str]:
        return 503, f"Requests of more than {self._limits.max_bodies} bytes are at work together; try again"

    # --- refusing

    def refuse(self, status: int, sentence: str) -> None:
        """Answer with `sentence` if the request at hand can still be answered, and close the connection soon."""
        if self._phase is _Phase.REFUSED or self.transport.is_closing():
            return
        cycle, earlier = self.cycle, self._phase is not _Phase.BODY
        self._phase = _Phase.REFUSED
        self._since = self.loop.time()
        self._traffic.waiting.pop(self, None)
        _log.debug("Refused a request from %s with %d: %s", self.client, status, sentence)
        if cycle is not None and not cycle.response_complete:
            if earlier or cycle.response_started:
                # The answer at work is another request's, or has begun: it is the last one of this connection.
                cycle.keep_alive = False
                self._since = math.inf
                return
            cycle.disconnected = True
            cycle.message_event.set()
            self._release_body()
        elif cycle is not None and not earlier:
            self.transport.close()  # answered already, only its body was still coming
            return
        self._write_refusal(status, sentence)

    def _write_refusal(self, status: int, sentence: str) -> None:
        body = orjson.dumps({"error_code": status, "message": sentence})
        lines = [b"%s: %s\r\n" % pair for pair in self.server_state.default_headers]
        lines.append(b"content-type: %s\r\n" % self._limits.media_type.encode())
        if status == 503:
            lines.append(b"retry-after: 1\r\n")
        lines.append(b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body))
        self.transport.write(STATUS_LINE[status] + b"".join(lines) + body)
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _release_body(self) -> None:
        self._traffic.body_bytes -= self._held
        self._held = 0

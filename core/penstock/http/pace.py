"""REST takes turns with the tasks: CPython runs one thread at a time, and a dashboard must not slow a pipeline down.

While the rest of the process is busy, answering GETs may use less than a tenth of the CPU that the rest gets; those beyond
it wait. What changes something, and ``/health``, never waits. An idle worker answers as fast as it can.
"""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from penstock.http.asgi import App, Receive, Scope, Send

__all__ = ["Pace", "metered"]

#: Seconds of CPU for each that the rest of the process uses: of CPU, not of time, since the machine has other work.
_SHARE: Final = 0.07
#: Seconds of CPU that may be used at once after a quiet while.
_BURST: Final = 0.1
#: The rest of the process counts as busy from so many seconds of CPU a second on, looked at over so many seconds.
_BUSY: Final = 0.08
_WINDOW: Final = 1.0
#: The longest one request waits, so that none meets its client's patience.
_LONGEST: Final = 2.0
_NEVER_WAITS: Final = frozenset({"/health", "/"})

_F = TypeVar("_F", bound=Callable[..., Any])


class _Meter:
    """CPU that handlers used in threads of their own. Process-wide, as threads are."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds = 0.0

    def add(self, seconds: float) -> None:
        with self._lock:
            self._seconds += seconds

    def read(self) -> float:
        with self._lock:
            return self._seconds


_handlers = _Meter()


def metered(handler: _F) -> _F:
    """`handler`, its CPU counted as REST's."""

    @functools.wraps(handler)
    def counted(*arguments: Any, **named: Any) -> Any:
        before = time.thread_time()
        try:
            return handler(*arguments, **named)
        finally:
            _handlers.add(time.thread_time() - before)

    return counted  # type: ignore[return-value]  # wraps keeps the signature, which FastAPI reads


class Pace:
    """In front of everything; on the event loop's thread alone. The clocks are arguments for tests."""

    def __init__(
        self,
        app: App,
        clock: Callable[[], float] = time.monotonic,
        own_cpu: Callable[[], float] = lambda: time.thread_time() + _handlers.read(),
        all_cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self._app = app
        self._clock, self._own_cpu, self._all_cpu = clock, own_cpu, all_cpu
        #: Seconds of CPU left to use; below zero, what has to be waited for.
        self._left = _BURST
        self._seen: tuple[float, float] | None = None  # own CPU and all of it
        self._window = (clock(), 0.0, 0.0)
        self._busy = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and scope["path"] not in _NEVER_WAITS:
            wait = self.wait()
            if wait > 0:
                await asyncio.sleep(wait)
        await self._app(scope, receive, send)

    def wait(self) -> float:
        """Seconds that the request which has come now should wait."""
        now, own, everything = self._clock(), self._own_cpu(), self._all_cpu()
        if self._seen is None:
            self._window = (now, own, everything)
        else:
            own_before, all_before = self._seen
            used = own - own_before
            others = max(0.0, everything - all_before - used)
            self._left = min(_BURST, self._left + others * _SHARE - used)
        self._seen = own, everything
        self._measure_load(now, own, everything)
        if not self._busy:
            self._left = max(self._left, 0.0)
        return min(-self._left / _SHARE, _LONGEST) if self._left < 0 else 0.0

    def _measure_load(self, now: float, own: float, everything: float) -> None:
        """Measure whether anything but REST is at work."""
        began, own_then, all_then = self._window
        if now - began >= _WINDOW:
            self._busy = (everything - all_then) - (own - own_then) >= _BUSY * (now - began)
            self._window = (now, own, everything)

"""A record of what the worker called and of what the plugin asked for in turn."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from penstock.api import ErrantRecordReporter, SinkTaskContext, SourceTask, TopicPartition

__all__ = ["Call", "CallLog", "WatchedSinkContext", "watched"]

_Plugin = TypeVar("_Plugin")
#: The methods of connectors and tasks whose calls are kept; `commit_record` only where a task has its own, since the
#: worker looks for that.
_METHODS: Final = (
    "start",
    "task_configs",
    "poll",
    "open",
    "put",
    "pre_commit",
    "commit",
    "commit_record",
    "close",
    "stop",
)


@dataclass(slots=True)
class Call:
    """One call of a plugin's method, or one request of a task's to its context."""

    #: ``put``; ``connector.start``; ``context.pause``.
    name: str
    #: Lists and mappings among them are copies, made before the call.
    arguments: tuple[Any, ...]
    #: The time on the harness's clock when the call began.
    at: float
    result: Any = None
    error: BaseException | None = None


class CallLog:
    """The calls in the order in which they began. Safe from any thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._begun: dict[str, threading.Event] = {}
        self._thread = threading.local()

    @property
    def is_inside(self) -> bool:
        """Return whether this thread is inside a plugin's method: what it calls there, it calls itself."""
        return bool(getattr(self._thread, "inside", False))

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Mark this thread as being inside a plugin's method."""
        self._thread.inside = True
        try:
            yield
        finally:
            self._thread.inside = False

    def __len__(self) -> int:
        with self._lock:
            return len(self._calls)

    def since(self, start: int = 0) -> list[Call]:
        """Return the calls behind the first `start`."""
        with self._lock:
            return self._calls[start:]

    def begun(self, name: str) -> threading.Event:
        """Return an event that is set when the next call of `name` begins."""
        with self._lock:
            return self._begun.setdefault(name, threading.Event())

    @contextmanager
    def call(self, name: str, arguments: Sequence[Any]) -> Iterator[Call]:
        """Note a call. Whoever runs it puts the result in; an error that it raises is kept."""
        made = Call(name, tuple(map(_copied, arguments)), self._clock())
        with self._lock:
            self._calls.append(made)
            begun = self._begun.pop(name, None)
        if begun is not None:
            begun.set()
        try:
            yield made
        except BaseException as error:
            made.error = error
            raise


def _copied(argument: Any) -> Any:
    if isinstance(argument, Mapping):
        return dict(argument)
    return list(argument) if isinstance(argument, list) else argument


def watched(
    kind: type[_Plugin], log: CallLog, prefix: str = "", context: Callable[[Any], Any] | None = None
) -> type[_Plugin]:
    """Return a subclass of `kind` that notes its calls in `log` and does what `kind` does. `context` makes the context that
    it is initialized with out of the worker's."""
    own = {name: _noted(kind, name, prefix + name, log) for name in _METHODS if _is_of_use(kind, name)}
    if context is not None:
        own["initialize"] = _given_context(kind, context)
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    return type(kind.__name__, (kind,), {**names, **own})


def _is_of_use(kind: type, name: str) -> bool:
    method = getattr(kind, name, None)
    return method is not None and (name != "commit_record" or method is not SourceTask.commit_record)


def _noted(kind: type, name: str, shown: str, log: CallLog) -> Callable[..., Any]:
    inner = getattr(kind, name)

    def method(self: Any, *arguments: Any) -> Any:
        if log.is_inside:
            return inner(self, *arguments)
        with log.call(shown, arguments) as call, log.inside():
            call.result = inner(self, *arguments)
        return call.result

    return method


def _given_context(kind: Any, context: Callable[[Any], Any]) -> Callable[..., None]:
    def initialize(self: Any, given: Any) -> None:
        kind.initialize(self, context(given))

    return initialize


class WatchedSinkContext:
    """The worker's own context of a sink task, with a note of each request. Implements `penstock.api.SinkTaskContext`."""

    def __init__(self, context: SinkTaskContext, log: CallLog) -> None:
        self._context, self._log = context, log
        #: The partitions that the task has paused.
        self.paused: set[TopicPartition] = set()

    def configs(self) -> Mapping[str, str]:
        return self._context.configs()

    def offset(self, offsets: Mapping[TopicPartition, int]) -> None:
        with self._log.call("context.offset", [offsets]):
            self._context.offset(offsets)

    def timeout(self, timeout_ms: int) -> None:
        with self._log.call("context.timeout", [timeout_ms]):
            self._context.timeout(timeout_ms)

    def assignment(self) -> frozenset[TopicPartition]:
        return self._context.assignment()

    def pause(self, *partitions: TopicPartition) -> None:
        with self._log.call("context.pause", partitions):
            self._context.pause(*partitions)
        self.paused.update(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        with self._log.call("context.resume", partitions):
            self._context.resume(*partitions)
        self.paused.difference_update(partitions)

    def request_commit(self) -> None:
        with self._log.call("context.request_commit", ()):
            self._context.request_commit()

    @property
    def errant_record_reporter(self) -> ErrantRecordReporter | None:
        return self._context.errant_record_reporter

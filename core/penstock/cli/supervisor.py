"""Several workers of one group on one machine: a process each, started again when one ends (``--workers N``).

CPython runs one thread at a time; a machine's cores are used by several processes, and the group spreads the tasks.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from penstock.errors import ConfigError
from penstock.http.listeners import parse_listener
from penstock.rest.server import DEFAULT_PORT

__all__ = ["Supervisor", "registry_url", "worker_environment"]

_log: Final = logging.getLogger(__name__)
#: Seconds: a worker that ran so long was well; one that ends sooner is started again after longer and longer pauses.
_WELL: Final = 30.0
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
_STOP: Final = 60.0
_MAIN: Final = "import sys; from penstock.cli import main; sys.exit(main())"
_REGISTRY_LISTENERS: Final = "http://127.0.0.1:8081"


def worker_environment(props: Mapping[str, str], number: int) -> dict[str, str]:
    """Return what differs for worker `number` (0 is as the file says), as environment variables."""
    changed: dict[str, str] = {}
    for key in ("listeners", "admin.listeners"):
        text = props.get(key, "http://:8083" if key == "listeners" else "")
        listeners = [parse_listener(part, DEFAULT_PORT, key) for part in text.split(",") if part.strip()]
        if any(listener.port == 0 for listener in listeners):
            continue  # every worker gets a free one
        if listeners:
            changed[key] = ",".join(str(x._replace(port=x.port + number)) for x in listeners)
    if (port := props.get("rest.advertised.port", "").strip()).isdecimal():
        changed["rest.advertised.port"] = str(int(port) + number)
    if number > 0 and props.get("schema.registry.embedded", "").strip().lower() == "true":
        changed["schema.registry.embedded"] = "false"
    return {_variable(key): value for key, value in changed.items()}


def _variable(key: str) -> str:
    return "CONNECT_" + key.replace("_", "__").replace("-", "___").replace(".", "_").upper()


def registry_url(props: Mapping[str, str]) -> str | None:
    """Return the address of the registry that the first worker serves; None if it serves none."""
    if props.get("schema.registry.embedded", "").strip().lower() != "true":
        return None
    listener = parse_listener(
        props.get("registry.listeners", _REGISTRY_LISTENERS).split(",")[0], None, "registry.listeners"
    )
    if listener.port == 0:
        raise ConfigError(
            "registry.listeners",
            props["registry.listeners"],
            "with --workers the registry needs a port of its own choosing",
        )
    host = "127.0.0.1" if listener.host in ("", "0.0.0.0", "::") else listener.host  # noqa: S104 - compared, not bound
    return str(listener._replace(host=host))


@dataclass(slots=True)
class _Child:
    number: int
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = _FIRST_PAUSE
    due: float = 0.0


class Supervisor:
    """Starts and watches the workers. For one thread. Workers end by themselves when this process is gone (``--parent``)."""

    def __init__(
        self,
        file: Path,
        props: Mapping[str, str],
        workers: int,
        options: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file, self._props, self._options, self._clock = file, props, list(options), clock
        self._registry_url = registry_url(props)
        self._children = [_Child(number) for number in range(workers)]
        #: The folder in which the workers tell each other their addresses, each in a file named as its number.
        self._addresses = tempfile.TemporaryDirectory(prefix="penstock-workers-")

    @property
    def pids(self) -> list[int | None]:
        return [None if child.process is None else child.process.pid for child in self._children]

    def start(self) -> None:
        for child in self._children:
            self._start(child)

    def look(self) -> None:
        """Start again what has ended, once its pause is over. Call often."""
        for child in self._children:
            if child.process is None:
                if self._clock() >= child.due:
                    self._start(child)
            elif (code := child.process.poll()) is not None:
                self._ended(child, code)

    def stop(self) -> None:
        """Send SIGTERM to all, then SIGKILL to those that are still there after a while."""
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        deadline = self._clock() + _STOP
        for process in running:
            try:
                process.wait(max(0.0, deadline - self._clock()))
            except subprocess.TimeoutExpired:
                _log.error("worker process %d did not stop within %g s and is killed", process.pid, _STOP)
                process.kill()
                process.wait()
        self._addresses.cleanup()

    def _start(self, child: _Child) -> None:
        arguments = [sys.executable, "-c", _MAIN, "worker", str(self._file), *self._options]
        arguments += [
            "--parent",
            str(os.getpid()),
            "--address-file",
            str(Path(self._addresses.name, str(child.number))),
        ]
        if self._registry_url is not None and child.number > 0:
            arguments += ["--registry-url", self._registry_url]
        environ = {**os.environ, **worker_environment(self._props, child.number)}
        child.process = subprocess.Popen(arguments, env=environ)  # noqa: S603 - our own program
        child.started = self._clock()
        _log.info("worker %d of %d is process %d", child.number + 1, len(self._children), child.process.pid)

    def _ended(self, child: _Child, code: int) -> None:
        child.process = None
        if self._clock() - child.started >= _WELL:
            child.pause = _FIRST_PAUSE
        child.due = self._clock() + child.pause
        _log.error("worker %d ended with %d; it is started again in %g s", child.number + 1, code, child.pause)
        child.pause = min(child.pause * 2, _LONGEST_PAUSE)

"""A real Kafka broker for tests: one KRaft node on 127.0.0.1, run from the jars of a Kafka distribution (its ``libs`` folder).

A broker's data lies in a temporary folder, and its process cannot outlive the one that started it, not even when that one
is killed with SIGKILL.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

__all__ = ["BrokerError", "JvmError", "KafkaBroker", "find_java", "find_tool", "free_ports", "watch"]

_INSTALL_HINT = "install them (Debian, Ubuntu: apt-get install openjdk-17-jdk-headless maven), or set PENSTOCK_TEST_BOOTSTRAP=host:port to use a running broker"

# Below the range that Linux takes for outgoing connections, so that nobody takes the port while a broker is down in an outage test.
_PORTS = range(20_000, 32_000)
_JVM = ("-Xms128m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.awt.headless=true")
_LOG4J = """status = error
appender.out.type = Console
appender.out.name = OUT
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = OUT
"""


class JvmError(RuntimeError):
    """A part of the JVM could not be fetched or started; the message says what to do or shows the end of its log."""


class BrokerError(JvmError):
    """The test broker could not be started; the message shows the end of its log."""


class KafkaBroker:
    """One single-node KRaft broker on 127.0.0.1.

    `start` blocks until the broker answers; `stop` and `kill` end it, keep its data and port, and `start` takes both up again.
    `close` ends it and removes its data; it is also called at interpreter exit.  `properties` are laid over the broker's own.
    Not thread-safe: one owner starts and stops it.  A child process: needs Linux or macOS.
    """

    def __init__(self, jars: Path, properties: Mapping[str, str] | None = None) -> None:
        self._jars = jars
        self._properties = dict(properties or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._ports = free_ports(2)
        self.folder = Path(tempfile.mkdtemp(prefix="penstock-kafka-"))
        atexit.register(self.close)

    @property
    def bootstrap(self) -> str:
        """Return the value for ``bootstrap.servers``."""
        return f"127.0.0.1:{self._ports[0]}"

    @property
    def pid(self) -> int | None:
        """Process id of the running broker (benchmarks read its CPU time), None while it is down."""
        return self._process.pid if self._process else None

    def start(self, timeout: float = 90) -> KafkaBroker:
        """Start the broker and wait until it answers; BrokerError with the end of its log if it does not within `timeout` seconds."""
        if self._process is not None:
            raise BrokerError(f"the broker at {self.bootstrap} is running already")
        if not (self.folder / "data").exists():
            self._format()
        with (self.folder / "broker.log").open("ab") as log:
            self._process = self._run("kafka.Kafka", str(self.folder / "server.properties"), output=log)
        self._watchdog = watch(self._process.pid, self.folder)
        try:
            self._await(time.monotonic() + timeout)
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self) -> None:
        """Shut the broker down cleanly (SIGTERM, then SIGKILL after 30 s). Nothing happens when it is down already."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the broker at once with SIGKILL, as a crash would."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let the broker hang: its sockets stay open, nothing answers. `thaw` lets it go on."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen broker go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End the broker and remove its data. May be called again."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.close)

    def log_tail(self, lines: int = 30) -> str:
        """Return the last lines of the broker's log; empty if it has none."""
        with contextlib.suppress(FileNotFoundError):
            return "\n".join((self.folder / "broker.log").read_text(errors="replace").splitlines()[-lines:])
        return ""

    def __enter__(self) -> KafkaBroker:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _signal(self, number: int) -> None:
        if self._process is None:
            raise BrokerError(f"the broker at {self.bootstrap} is not running")
        self._process.send_signal(number)

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        watchdog, self._watchdog = self._watchdog, None
        if watchdog is not None:  # first, so that it can never meet a process id that was given to somebody else
            watchdog.kill()
            watchdog.wait()
            assert watchdog.stdin is not None
            watchdog.stdin.close()
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _format(self) -> None:
        (self.folder / "server.properties").write_text(
            "".join(f"{key}={value}\n" for key, value in self._settings().items())
        )
        (self.folder / "log4j2.properties").write_text(_LOG4J)
        with (self.folder / "format.log").open("ab") as log:
            code = self._run(
                "kafka.tools.StorageTool",
                "format",
                "-t",
                _cluster_id(),
                "-c",
                str(self.folder / "server.properties"),
                output=log,
            ).wait(120)
        if code:
            shutil.rmtree(self.folder / "data", ignore_errors=True)
            raise BrokerError(
                f"formatting the broker's storage failed:\n{(self.folder / 'format.log').read_text(errors='replace')[-3000:]}"
            )

    def _run(self, main: str, *arguments: str, output: IO[bytes]) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl-C at the terminal ends the tests first, and they end the broker.
        command = [
            find_java(),
            *_JVM,
            f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}",
            "-cp",
            f"{self._jars}/*",
            main,
            *arguments,
        ]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)  # noqa: S603 - ours

    def _await(self, deadline: float) -> None:
        client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 200})
        assert self._process is not None
        while True:
            if self._process.poll() is not None:
                raise BrokerError(f"the broker at {self.bootstrap} ended while starting:\n{self.log_tail()}")
            with contextlib.suppress(KafkaException):
                if client.list_topics(timeout=0.5).brokers:
                    return
            if time.monotonic() > deadline:
                raise BrokerError(f"the broker at {self.bootstrap} did not answer in time:\n{self.log_tail()}")

    def _settings(self) -> dict[str, str]:
        broker, controller = (f"127.0.0.1:{port}" for port in self._ports)
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{controller}",
            "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{broker}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self.folder / "data"),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "500",  # tests of dead members do not wait six seconds
            "broker.session.timeout.ms": "2000",  # after a kill the controller waits this long before it lets the broker in again
            "broker.heartbeat.interval.ms": "300",
            "num.partitions": "1",
            "num.network.threads": "2",
            "num.io.threads": "4",
            "log.cleaner.dedupe.buffer.size": "8000000",  # the default of 128 MB does not fit the small heap
            **self._properties,
        }


def watch(pid: int, folder: Path) -> subprocess.Popen[bytes]:
    """Start a shell that ends process `pid` and removes `folder` when this process is gone: its standard input then ends."""
    script = 'cat >/dev/null; kill -9 "$1" 2>/dev/null; sleep 0.2; rm -rf -- "$2"'
    command = ["/bin/sh", "-c", script, "sh", str(pid), str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603 - the script is ours


def _cluster_id() -> str:
    return (
        base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")
    )  # Kafka refuses ids that start with '-'


def free_ports(count: int) -> list[int]:
    """Return ports on 127.0.0.1 that are free now, below those that the system gives to outgoing connections.

    A process that is to listen there later, or again, finds no connection of somebody else's in its place.
    """
    with contextlib.ExitStack() as held:
        return [held.enter_context(listener).getsockname()[1] for listener in _listeners(count)]


def _listeners(count: int) -> Iterator[socket.socket]:
    found = 0
    for port in random.sample(_PORTS, len(_PORTS)):
        listener = socket.socket()
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            listener.close()
            continue
        yield listener
        found += 1
        if found == count:
            return
    raise BrokerError(f"no {count} free ports between {_PORTS.start} and {_PORTS.stop} on 127.0.0.1")


def find_java() -> str:
    """The path of a ``java`` that is new enough; `JvmError` with what to install."""
    java = find_tool("java", "Java 17 or newer")
    banner = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603 - found on PATH
    version = re.search(r'version "(\d+)', banner)
    if version is None or int(version[1]) < 17:
        raise JvmError(
            f"the test broker needs Java 17 or newer, '{java}' is {banner.splitlines()[:1]}; {_INSTALL_HINT}"
        )
    return java


def find_tool(name: str, title: str) -> str:
    """Return the path of the program `name`. Raises `JvmError`, with what to install, if it is not on PATH."""
    found = shutil.which(name)
    if found is None:
        raise JvmError(f"the test broker needs {title}: no '{name}' on PATH; {_INSTALL_HINT}")
    return found

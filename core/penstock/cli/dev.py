"""``penstock dev``: everything in one process, for a first try and for tests of connectors."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from penstock.cli.common import add_common_arguments, discover_plugins, set_up_logging, stop_signal, tune_collector
from penstock.cli.standalone import start_connector
from penstock.cli.wiring import StandaloneProcess, config_transformer, resolved_properties
from penstock.config.properties import load_connector, load_file
from penstock.config.worker import WorkerConfig
from penstock.errors import ConnectError
from penstock.herder.interface import ConnectorStateInfo
from penstock.kafka.embedded import EMBEDDED_CLIENT_SETTINGS, EmbeddedBroker
from penstock.runtime.admission import UnreadLimit
from penstock.runtime.sink import WorkerSinkTask
from penstock.runtime.source import WorkerSourceTask
from penstock.runtime.status import State
from penstock.storage import MemoryOffsetStore

__all__ = ["add_parser", "run"]

_log: Final = logging.getLogger(__name__)
_LIMITS: Final = """\
The embedded broker is for trying things out: records stay in memory and only about 5 MB of each partition, topics
appear on the first record with 4 partitions, there are no admin calls and no exactly-once. A source waits while a sink
of this process has 3 MB of a topic unread. --bootstrap-servers puts a real broker in its place."""
_TICK_S: Final = 0.05


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "dev",
        help="broker, registry, worker and REST in one process",
        description="Run connectors with nothing else installed: an embedded broker, an embedded schema registry, a standalone worker and its REST API, until interrupted. "
        + _LIMITS,
    )
    parser.add_argument(
        "connectors", metavar="connector", type=Path, nargs="*", help="connectors to start with (.json or .properties)"
    )
    parser.add_argument(
        "--once",
        action="store_true",
        help="end when the sources are read to their end and the sinks have everything; exit status 1 if something is missing",
    )
    parser.add_argument(
        "--bootstrap-servers", metavar="HOST:PORT", help="a real Kafka cluster instead of the embedded broker"
    )
    parser.add_argument("--worker", metavar="FILE", type=Path, help="further worker settings (.properties or .toml)")
    parser.add_argument(
        "--rest-port",
        metavar="PORT",
        type=int,
        default=8083,
        help="port of the REST API on 127.0.0.1 (8083; 0: any free one)",
    )
    parser.add_argument(
        "--registry-port",
        metavar="PORT",
        type=int,
        default=8081,
        help="port of the schema registry on 127.0.0.1 (8081; 0: any free one)",
    )
    add_common_arguments(parser)
    parser.set_defaults(run=run, log_level="WARNING")


def run(arguments: argparse.Namespace) -> int:
    set_up_logging(arguments.log_level)
    stop = stop_signal()
    connectors = [load_connector(path) for path in arguments.connectors]
    broker = None if arguments.bootstrap_servers else EmbeddedBroker()
    if broker is not None:
        print(_LIMITS + "\n", file=sys.stderr)
    servers = arguments.bootstrap_servers or (broker.bootstrap_servers if broker else "")
    plugins = discover_plugins(arguments)
    props = _worker_properties(arguments, servers, embedded=broker is not None)
    transformer = config_transformer(props, plugins)
    config = WorkerConfig.parse(resolved_properties(props, transformer), "standalone")
    unread = UnreadLimit()
    process = StandaloneProcess(config, plugins, transformer, MemoryOffsetStore(), unread, embedded=broker is not None)
    process.start()
    tune_collector()
    try:
        _say("Kafka broker", servers + (" (embedded)" if broker else ""))
        _say("REST API", process.rest.advertised.url)
        if process.registry is not None:
            _say("schema registry", ", ".join(process.registry.urls))
        # Sinks first: what they read counts as unread from the first record on.
        for connector in sorted(connectors, key=lambda c: not ({"topics", "topics.regex"} & c.config.keys())):
            if broker is not None:
                _refuse_topic_creation(connector.name, connector.config)
            start_connector(process, connector)
        if not arguments.once:
            stop.wait()
            return 0
        return _run_once(process, [c.name for c in connectors], unread, stop)
    finally:
        process.stop()
        if broker is not None:
            broker.stop()


def _worker_properties(arguments: argparse.Namespace, servers: str, embedded: bool) -> dict[str, str]:
    props = {
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
        "offset.flush.interval.ms": "1000",
        "offset.storage.file.filename": "",
        "schema.registry.embedded": "true",
        "registry.store": "memory",
        "registry.listeners": f"http://127.0.0.1:{arguments.registry_port}",
        "listeners": f"http://127.0.0.1:{arguments.rest_port}",
    }
    if embedded:
        # Short of what it promised, a sink says so rather than skip: the broker may have dropped what was not read.
        props |= {f"consumer.{k}": v for k, v in EMBEDDED_CLIENT_SETTINGS.items()}
    if arguments.worker is not None:
        props |= load_file(arguments.worker)
    return props | {"bootstrap.servers": servers}


def _refuse_topic_creation(name: str, config: Mapping[str, Any]) -> None:
    for key in config:
        if key.startswith("topic.creation."):
            raise ConnectError(
                f"connector {name}: {key} needs admin calls, which the embedded broker does not answer; take it out, or use --bootstrap-servers"
            )


def _say(what: str, text: str) -> None:
    print(f"{what + ':':<18}{text}", flush=True)


def _run_once(process: StandaloneProcess, names: list[str], unread: UnreadLimit, stop: threading.Event) -> int:
    """Wait until everything that can be read has gone through, then compare counts."""
    _wait_until(lambda: stop.is_set() or _failed(process, names) or _drained(process, names, unread), stop)
    failed = _failed(process, names)
    tasks = process.worker.tasks()
    sources = [t for t in tasks if isinstance(t, WorkerSourceTask)]
    sinks = [t for t in tasks if isinstance(t, WorkerSinkTask)]
    process.worker.stop_tasks(process.worker.task_ids())  # flushes and commits
    _print_schemas(process)
    polled, written = sum(t.polled for t in sources), sum(t.written for t in sources)
    read, sent = sum(t.read for t in sinks), sum(t.sent for t in sinks)
    _say("records", f"{polled} from the sources, {written} to Kafka, {read} from Kafka, {sent} to the sinks")
    for text in failed:
        print(f"penstock: {text}", file=sys.stderr)
    if failed or stop.is_set():
        return 1
    if sinks and not (written == read == sent):
        print(
            f"penstock: counts differ: {written} records were written to Kafka, {read} read back, {sent} given to the sinks",
            file=sys.stderr,
        )
        return 1
    return 0


def _wait_until(condition: Callable[[], object], stop: threading.Event) -> None:
    while not condition():
        time.sleep(_TICK_S)


def _statuses(process: StandaloneProcess, names: list[str]) -> list[ConnectorStateInfo]:
    return [process.herder.connector_status(name) for name in names]


def _failed(process: StandaloneProcess, names: list[str]) -> list[str]:
    """What failed, in words."""
    found = []
    for status in _statuses(process, names):
        if status.connector.state is State.FAILED:
            found.append(f"connector {status.name} failed: {status.connector.trace}")
        for task in status.tasks:
            if task.state is State.FAILED:
                found.append(f"task {task.id.task} of connector {status.name} failed: {task.trace}")
    return found


def _drained(process: StandaloneProcess, names: list[str], unread: UnreadLimit) -> bool:
    statuses = _statuses(process, names)
    tasks = process.worker.tasks()
    if not tasks or any(not s.tasks for s in statuses) or len(tasks) < sum(len(s.tasks) for s in statuses):
        return False
    return (
        all(t.exhausted for t in tasks if isinstance(t, WorkerSourceTask))
        and unread.unread == 0
        and all(t.idle for t in tasks if isinstance(t, WorkerSinkTask))
    )


def _print_schemas(process: StandaloneProcess) -> None:
    """The newest schema of each subject, as the registry gives it over HTTP."""
    if process.registry is None:
        return
    url = process.registry.urls[0].rstrip("/")
    for subject in _get(f"{url}/subjects"):
        latest = _get(f"{url}/subjects/{subject}/versions/latest")
        _say("schema", f"{subject} version {latest['version']}, id {latest['id']}: {latest['schema']}")


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - an http URL of this process's own
        return json.load(answer)

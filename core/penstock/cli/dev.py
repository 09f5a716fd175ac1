"""``penstock dev``: everything in one process, for a first try and for tests of connectors."""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from penstock.cli.common import add_common_arguments, discover_plugins, set_up_logging, stop_signal, tune_memory
from penstock.cli.dev_once import run_once, say
from penstock.cli.standalone import start_connector
from penstock.cli.wiring import StandaloneProcess, config_transformer, resolved_properties
from penstock.config.files import load_connector, load_file
from penstock.config.worker import WorkerConfig
from penstock.errors import ConnectError
from penstock.kafka.embedded import EMBEDDED_CLIENT_SETTINGS, EmbeddedBroker
from penstock.runtime.admission import UnreadLimit
from penstock.storage import MemoryOffsetStore

__all__ = ["add_parser", "run"]

_LIMITS: Final = """\
The embedded broker is for trying things out: records stay in memory and only about 5 MB of each partition, topics
appear on the first record with 4 partitions, there are no admin calls and no exactly-once. A source waits while a sink
of this process has 3 MB of a topic unread. --bootstrap-servers puts a real broker in its place."""


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
    set_up_logging(arguments.log_level, arguments.log_format)
    stop = stop_signal()
    connectors = [load_connector(path) for path in arguments.connectors]
    for option in ("--rest-port", "--registry-port"):
        _require_free_port(getattr(arguments, option[2:].replace("-", "_")), option)
    broker = None if arguments.bootstrap_servers else EmbeddedBroker()
    if broker is not None:
        print(_LIMITS + "\n", file=sys.stderr)
    servers = arguments.bootstrap_servers or (broker.bootstrap_servers if broker else "")
    plugins = discover_plugins(arguments)
    props = _worker_properties(arguments, servers, embedded=broker is not None)
    transformer = config_transformer(props, plugins)
    config = WorkerConfig.parse(resolved_properties(props, transformer), "standalone", props)
    unread = UnreadLimit()
    process = StandaloneProcess(config, plugins, transformer, MemoryOffsetStore(), unread, embedded=broker is not None)
    process.start()
    tune_memory()
    try:
        say("Kafka broker", servers + (" (embedded)" if broker else ""))
        say("REST API", process.rest.advertised.url)
        if process.registry is not None:
            say("schema registry", ", ".join(process.registry.urls))
        # Sinks first: what they read counts as unread from the first record on.
        for connector in sorted(connectors, key=lambda c: not ({"topics", "topics.regex"} & c.config.keys())):
            if broker is not None:
                _refuse_topic_creation(connector.name, connector.config)
            start_connector(process, connector)
        if not arguments.once:
            stop.wait()
            return 0
        return run_once(process, [c.name for c in connectors], unread, stop)
    finally:
        process.stop()
        if broker is not None:
            broker.stop()


def _require_free_port(port: int, option: str) -> None:
    """Raise `ConnectError` if `port` of this machine is taken; 0 means any. `option` is where the user chooses it."""
    if port == 0:
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConnectError(
                f"Port {port} of 127.0.0.1 cannot be taken: {reason}. Stop what uses it, or choose another with {option} "
                "(0: any free one)"
            ) from None


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
        # A sink that would have to skip records says so: the broker may have dropped what was not read.
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

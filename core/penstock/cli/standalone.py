"""``penstock standalone``: one worker, offsets in a file."""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path
from typing import Any, Final

from penstock.cli.common import add_common_arguments, discover_plugins, set_up_logging, stop_signal, tune_memory
from penstock.cli.wiring import StandaloneProcess, config_transformer, resolved_properties
from penstock.config.files import ConnectorFile, from_environment, load_connector, load_file
from penstock.config.worker import WorkerConfig
from penstock.runtime.status import TargetState
from penstock.storage import FileOffsetStore

__all__ = ["add_parser", "run", "start_connector"]

_log: Final = logging.getLogger(__name__)


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "standalone",
        help="one worker, offsets in a file",
        description="Run one Connect worker by itself. Connectors come from the files given and over REST; source offsets are kept in the file that offset.storage.file.filename names.",
    )
    parser.add_argument(
        "worker", metavar="worker.properties", type=Path, help="the worker's settings (.properties or .toml)"
    )
    parser.add_argument(
        "connectors", metavar="connector", type=Path, nargs="*", help="connectors to start with (.properties or .json)"
    )
    add_common_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    set_up_logging(arguments.log_level, arguments.log_format)
    stop = stop_signal()
    plugins = discover_plugins(arguments)
    props = {**load_file(arguments.worker), **from_environment(os.environ)}
    connectors = [load_connector(path) for path in arguments.connectors]
    transformer = config_transformer(props, plugins)
    config = WorkerConfig.parse(resolved_properties(props, transformer), "standalone", props)
    process = StandaloneProcess(config, plugins, transformer, FileOffsetStore(config["offset.storage.file.filename"]))
    with config.looked_up.guard():
        process.start()
    tune_memory()
    try:
        _log.info("Kafka Connect REST API at %s", process.rest.advertised.url)
        if process.registry is not None:
            _log.info("schema registry at %s", ", ".join(process.registry.urls))
        for connector in connectors:
            start_connector(process, connector)
        stop.wait()
    finally:
        process.stop()
    return 0


_INITIAL: Final = {"RUNNING": TargetState.STARTED, "PAUSED": TargetState.PAUSED, "STOPPED": TargetState.STOPPED}


def start_connector(process: StandaloneProcess, connector: ConnectorFile) -> None:
    process.herder.put_connector_config(
        connector.name, connector.config, _INITIAL[connector.initial_state or "RUNNING"]
    )
    _log.info("connector %s created", connector.name)

"""``penstock worker``: one worker of a group, or several on one machine."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from penstock.cli.common import add_common_arguments, discover_plugins, set_up_logging, stop_signal, tune_memory
from penstock.cli.supervisor import Supervisor
from penstock.cli.wiring import DistributedProcess, config_transformer, resolved_properties
from penstock.config.files import from_environment, load_file
from penstock.config.worker import WorkerConfig
from penstock.rest.siblings import Siblings

__all__ = ["add_parser", "run"]

_log: Final = logging.getLogger(__name__)


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "worker",
        help="one worker of a group, its state in Kafka",
        description="Run a Connect worker that shares its connectors with all workers of the same group.id. Configurations, source offsets and states are kept in the topics that the settings name. Environment variables CONNECT_A_B set a.b.",
    )
    parser.add_argument(
        "worker", metavar="worker.properties", type=Path, help="the worker's settings (.properties or .toml)"
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=_count,
        default=1,
        help="run N workers on this machine, a process each; ports are counted up from those in listeners, and a worker that ends is started again",
    )
    # A supervisor tells its workers of the registry that the first one serves, and whose workers they are.
    parser.add_argument("--registry-url", metavar="URL", help=argparse.SUPPRESS)
    parser.add_argument("--parent", metavar="PID", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--address-file", metavar="FILE", type=Path, help=argparse.SUPPRESS)
    add_common_arguments(parser)
    parser.set_defaults(run=run)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of workers; expected 1 or more")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    set_up_logging(arguments.log_level, arguments.log_format)
    props = {**load_file(arguments.worker), **from_environment(os.environ)}
    if arguments.workers > 1:
        return _supervise(arguments, props)
    return _run_one(arguments, props)


def _run_one(arguments: argparse.Namespace, props: Mapping[str, str]) -> int:
    stop = stop_signal()
    plugins = discover_plugins(arguments)
    transformer = config_transformer(props, plugins)
    config = WorkerConfig.parse(resolved_properties(props, transformer), "distributed", props)
    process = DistributedProcess(config, plugins, transformer, arguments.registry_url)
    if arguments.address_file is not None:
        process.rest.siblings = Siblings(arguments.address_file)
    with config.looked_up.guard():
        process.start()
    tune_memory()
    try:
        _log.info("Kafka Connect REST API at %s", process.rest.advertised.url)
        while not stop.wait(0.5):
            if process.herder.failure is not None:
                raise process.herder.failure
            if arguments.parent not in (None, os.getppid()):
                _log.error("the process that started this worker is gone; stopping")
                break
    finally:
        process.stop()
    return 0


def _supervise(arguments: argparse.Namespace, props: Mapping[str, str]) -> int:
    stop = stop_signal()
    options = ["--log-level", arguments.log_level, "--log-format", arguments.log_format]
    if arguments.plugins is not None:
        options += ["--plugins", str(arguments.plugins)]
    supervisor = Supervisor(arguments.worker, props, arguments.workers, options)
    supervisor.start()
    try:
        while not stop.wait(0.2):
            supervisor.look()
    finally:
        supervisor.stop()
    return 0

"""``penstock registry``: the schema registry alone."""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path
from typing import Any, Final

from penstock.api import HasMeasurements
from penstock.cli.common import add_common_arguments, discover_plugins, set_up_logging, stop_signal, tune_memory
from penstock.cli.services import config_transformer, log_registry, resolved_properties, start_registry
from penstock.config.disclosure import LookedUpValues
from penstock.config.files import from_environment, load_file
from penstock.telemetry.service import Telemetry, telemetry_of

__all__ = ["add_parser", "run"]

_log: Final = logging.getLogger(__name__)
#: The prefix of the registry's settings in Confluent's container image.
_ENVIRONMENT_PREFIX: Final = "SCHEMA_REGISTRY_"


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "registry",
        help="the schema registry alone",
        description="Run a schema registry with Confluent's HTTP API. Without a file it listens at port 8081 and keeps schemas in memory. Environment variables SCHEMA_REGISTRY_A_B set a.b.",
    )
    parser.add_argument(
        "properties",
        metavar="registry.properties",
        type=Path,
        nargs="?",
        help="the registry's settings (.properties or .toml)",
    )
    add_common_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    set_up_logging(arguments.log_level, arguments.log_format)
    stop = stop_signal()
    plugins = discover_plugins(arguments)
    from_file = load_file(arguments.properties) if arguments.properties is not None else {}
    props = {**from_file, **from_environment(os.environ, _ENVIRONMENT_PREFIX)}
    resolved = resolved_properties(props, config_transformer(props, plugins))
    service = start_registry(plugins, resolved)
    tune_memory()
    telemetry: Telemetry | None = None
    try:
        log_registry(service, LookedUpValues(props, resolved))
        measure = service.measurements if isinstance(service, HasMeasurements) else tuple
        telemetry = telemetry_of(os.environ, service.urls[0], measure)
        if telemetry is not None:
            telemetry.start()
        print(f"schema registry at {', '.join(service.urls)}", flush=True)
        stop.wait()
    finally:
        if telemetry is not None:
            telemetry.finish()
        service.stop()
        if telemetry is not None:
            telemetry.stop()
    return 0

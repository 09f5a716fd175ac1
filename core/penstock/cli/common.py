"""What several commands share: arguments, logging, signals."""

from __future__ import annotations

import argparse
import gc
import logging
import signal
import sys
import threading
from pathlib import Path

from penstock.plugins import Plugins
from penstock.plugins.settings import PluginSettings

__all__ = ["add_common_arguments", "discover_plugins", "set_up_logging", "stop_signal", "tune_collector"]

_FORMAT = "%(asctime)s %(levelname)-5s %(threadName)s %(message)s (%(name)s)"


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--plugins", metavar="FILE", type=Path, help="a plugins.toml laid over the default (or PENSTOCK_PLUGINS)"
    )
    parser.add_argument(
        "--log-level",
        metavar="LEVEL",
        default="INFO",
        choices=["DEBUG", "INFO", "WARNING", "ERROR"],
        help="DEBUG, INFO (default), WARNING or ERROR",
    )


def set_up_logging(level: str) -> None:
    """To standard error, one line a record; the thread says whose it is (``[connector|task-0]``, KIP-449)."""
    logging.basicConfig(level=level, format=_FORMAT, stream=sys.stderr, force=True)
    for library in ("httpx", "httpx2", "httpcore"):  # a line for every request
        logging.getLogger(library).setLevel(max(logging.getLevelName(level), logging.WARNING))
    logging.getLogger("penstock.kafka.librdkafka").setLevel(max(logging.getLevelName(level), logging.WARNING))
    # What the group client does is told by ours.
    logging.getLogger("kafka").setLevel(max(logging.getLevelName(level), logging.WARNING))


def discover_plugins(arguments: argparse.Namespace) -> Plugins:
    return Plugins.discover(PluginSettings.load(arguments.plugins))


def tune_collector() -> None:
    """Call once everything is imported. Records are acyclic and die with their batch: looking for cycles after every
    700 new objects, through all the modules of the process, costs a tenth of the record's path and finds nothing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def stop_signal() -> threading.Event:
    """Set by SIGINT or SIGTERM. A second SIGINT ends the process at once."""
    stop = threading.Event()

    def handle(number: int, _: object) -> None:
        if stop.is_set():
            signal.signal(signal.SIGINT, signal.default_int_handler)
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop

"""Parts that several commands share: arguments, logging, signals."""

from __future__ import annotations

import argparse
import ctypes
import gc
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.logs import SUMMARY
from penstock.plugins import Plugins
from penstock.plugins.settings import PluginSettings
from penstock.runtime.disclosure import DisclosingFilter

__all__ = ["add_common_arguments", "discover_plugins", "set_up_logging", "stop_signal", "tune_memory"]

#: Loggers of the libraries that penstock and its plugins stand on, and of librdkafka, whose news the clients tell.
_QUIET = (
    "asyncio", "botocore", "concurrent", "confluent_kafka", "fastavro", "google", "grpc", "httpcore", "httpx", "httpx2",
    "hvac", "kafka", "multipart", "opentelemetry", "penstock.kafka.librdkafka", "python_multipart", "requests",
    "sqlalchemy", "urllib3", "uvicorn", "watchfiles",
)  # fmt: skip
_log = logging.getLogger(__name__)
#: ``M_MMAP_THRESHOLD`` of malloc.h, and the bytes of a block that is large: more than a batch of Kafka's client has.
_M_MMAP_THRESHOLD = -3
_LARGE = 2 * 1024 * 1024
_FORMAT = "%(asctime)s %(levelname)-5s %(whose)s%(message)s (%(name)s)"


#: Control characters but tab and line feed, other line ends, and marks that turn the direction of text.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def _tame(text: str) -> str:
    """Return `text` so that names and values from outside can neither begin a line of the log nor command a terminal."""
    if text.isprintable():
        return text
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text).replace("\n", "\n\t")


class _Formatter(logging.Formatter):
    """Puts the thread's name before a message, unless the message begins with it. Further lines begin with a tab, those of
    a summary too."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        thread = record.threadName or ""
        record.whose = "" if record.message.startswith(thread) else f"{thread} "
        lines: Mapping[str, str] = getattr(record, SUMMARY, {})
        return "\n\t".join(map(_tame, [super().formatMessage(record), *(f"{k}: {v}" for k, v in lines.items())]))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's own name
        return _tame(super().formatException(ei))


def _json_formatter() -> logging.Formatter:
    """Return what makes one JSON object of a record. Characters that are not ASCII are escaped: none commands a terminal."""
    from pythonjsonlogger.json import JsonFormatter

    names = {"levelname": "level", "threadName": "context", "name": "logger", "exc_info": "exception"}
    fields = "%(levelname)s %(threadName)s %(message)s %(name)s"
    return JsonFormatter(fields, rename_fields=names, timestamp="time", json_ensure_ascii=True)


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
    parser.add_argument(
        "--log-format",
        metavar="FORMAT",
        default="text",
        choices=["text", "json"],
        help="text (default), or json: an object a line, with time, level, context, message and logger",
    )


def set_up_logging(level: str, form: str = "text") -> None:
    """Log to standard error, one line a record; the thread says whose it is (``[connector|task-0]``, KIP-449).

    `level` is for penstock and for plugins. Libraries below them warn at most, whatever the level: a line for each
    request or packet would bury the rest. ``PUT /admin/loggers/NAME`` lets one of them speak. `form` is ``text`` or ``json``.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(_FORMAT) if form == "text" else _json_formatter())
    handler.addFilter(DisclosingFilter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for library in _QUIET:
        logging.getLogger(library).setLevel(max(logging.getLevelName(level), logging.WARNING))


def discover_plugins(arguments: argparse.Namespace) -> Plugins:
    return Plugins.discover(PluginSettings.load(arguments.plugins))


def tune_memory() -> None:
    """Call once everything is imported, in a process that will run for long.

    Records are acyclic and die with their batch: looking for cycles after every 700 new objects, through all the modules of
    the process, costs a tenth of the record's path and finds nothing. And glibc keeps what large requests had, up to twice
    32 MB in each of its arenas, unless the size from which memory is given back at once is fixed.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:  # glibc's; other C libraries give large blocks back by themselves
        mallopt(_M_MMAP_THRESHOLD, _LARGE)


def stop_signal() -> threading.Event:
    """Return an event that SIGINT and SIGTERM set. A second of either ends the process at once."""
    stop = threading.Event()

    def handle(number: int, _: object) -> None:
        if stop.is_set():
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        stop.set()
        _log.info("%s: stopping, as running tasks allow; the same again ends at once", signal.Signals(number).name)

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop

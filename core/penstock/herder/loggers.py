"""Logger levels over REST (KIP-495), in Java's words over Python's logging."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from penstock.herder.interface import LoggerLevel

__all__ = ["LEVELS", "Loggers"]

#: Java's names. Python has no OFF, TRACE and ALL of its own; any number is a level to it.
LEVELS: Final[Mapping[str, int]] = {
    "OFF": logging.CRITICAL + 50,
    "FATAL": logging.CRITICAL,
    "ERROR": logging.ERROR,
    "WARN": logging.WARNING,
    "INFO": logging.INFO,
    "DEBUG": logging.DEBUG,
    "TRACE": logging.DEBUG - 5,
    "ALL": 1,
}
#: Packages whose logger people turn up by habit, and where the same code lives here.
_PYTHON_NAMES: Final[Mapping[str, str]] = {
    "org.apache.kafka.connect": "penstock",
    "org.apache.kafka.connect.runtime": "penstock.runtime",
    "org.apache.kafka.connect.runtime.rest": "penstock.rest",
    "org.apache.kafka.connect.runtime.distributed": "penstock.herder",
    "org.apache.kafka.connect.runtime.standalone": "penstock.herder",
    "org.apache.kafka.connect.runtime.isolation": "penstock.plugins",
    "org.apache.kafka.connect.storage": "penstock.storage",
    "org.apache.kafka.connect.transforms": "penstock_transforms",
    "org.apache.kafka.connect.file": "penstock_connectors.files",
    "org.apache.kafka.clients": "penstock.kafka",
    "io.confluent.connect": "penstock_converters",
    "io.confluent.kafka.schemaregistry": "penstock_registry",
}
ROOT: Final = "root"


class Loggers:
    """Reads and sets levels. Safe from any thread."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._modified: dict[str, int] = {}

    def all(self) -> dict[str, LoggerLevel]:
        with self._lock:
            described = {name: self._describe(name) for name in [ROOT, *sorted(_logger_names())]}
            return {name: found for name, found in described.items() if found.level != "OFF"}

    def get(self, name: str) -> LoggerLevel | None:
        """Return a logger's level; None for a logger that nothing has used or set yet."""
        name = _root_or(name)
        with self._lock:
            return self._describe(name) if name == ROOT or name in _logger_names() else None

    def set_level(self, namespace: str, level: str) -> list[str]:
        """Set the loggers whose names begin with `namespace`; the names of those that changed.

        The name of a Java package of Connect's sets the Python package that does its work, too.
        """
        namespace = _root_or(namespace)
        with self._lock:
            wanted = {namespace, _PYTHON_NAMES.get(namespace, namespace)}
            # Names are matched by their text alone, as Java's (``Log4jLoggers.loggers``): a part of a package's name will do.
            below = (namespace, *(f"{name}." for name in wanted))
            names = {*wanted, *(n for n in _logger_names() if namespace == ROOT or n.startswith(below))}
            return [name for name in sorted(names) if self._set(name, LEVELS[level])]

    def _set(self, name: str, level: int) -> bool:
        logger = _logger(name)
        if logger.getEffectiveLevel() == level:
            return False
        logger.setLevel(level)
        self._modified[name] = int(self._clock() * 1000)
        return True

    def _describe(self, name: str) -> LoggerLevel:
        return LoggerLevel(_java_name(_logger(name).getEffectiveLevel()), self._modified.get(name))


def _root_or(name: str) -> str:
    """The root logger goes by several names (``Loggers.VALID_ROOT_LOGGER_NAMES``)."""
    return ROOT if name.lower() in ("", ROOT) else name


def _logger(name: str) -> logging.Logger:
    return logging.getLogger(None if name == ROOT else name)


def _logger_names() -> list[str]:
    registered = list(logging.root.manager.loggerDict.items())
    return [name for name, logger in registered if isinstance(logger, logging.Logger)]


def _java_name(level: int) -> str:
    """The Java level that lets the same messages through; a level between two counts as the stricter."""
    return min((name for name, number in LEVELS.items() if number >= level), key=LEVELS.__getitem__, default="OFF")

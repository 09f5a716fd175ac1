"""The forms of what is logged: of a failure its sentence always and its trace only if somebody needs it; summaries."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from penstock.errors import ConnectError

__all__ = ["SUMMARY", "log_failure", "log_summary", "no_wire_logs"]

#: The attribute of a log record with the lines of a summary.
SUMMARY: Final = "summary"


def log_summary(logger: logging.Logger, title: str, lines: Mapping[str, str]) -> None:
    """Log `title` at INFO with `lines` under it: what each is about, and what it says. As JSON they are one object of the
    record, ``summary``."""
    logger.info("%s", title, extra={SUMMARY: dict(lines)})


def log_failure(
    logger: logging.Logger, error: BaseException, message: str, *arguments: object, level: int = logging.ERROR
) -> None:
    """Log `message` with `arguments` at `level`, and the trace of `error` where it helps.

    A `ConnectError` explains itself in its sentence, so its trace follows at DEBUG only. Any other error is a fault in
    somebody's code: its trace goes with the message.
    """
    if isinstance(error, ConnectError):
        logger.log(level, message, *arguments)
        logger.debug("The trace of the failure above", exc_info=error)
    else:
        logger.log(level, message, *arguments, exc_info=error)


class _NoDetails(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.INFO


def no_wire_logs(*names: str) -> None:
    """Keep a library's loggers from telling at DEBUG what it sends and receives, secrets among it, whatever level somebody
    sets. `names` are those of the loggers themselves: what is below them goes on."""
    for name in names:
        logger = logging.getLogger(name)
        if not any(isinstance(known, _NoDetails) for known in logger.filters):
            logger.addFilter(_NoDetails())

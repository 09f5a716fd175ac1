"""The form of a failure in the log: its sentence always, its trace only if somebody needs it."""

from __future__ import annotations

import logging

from penstock.errors import ConnectError

__all__ = ["log_failure"]


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

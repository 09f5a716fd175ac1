"""The values that config providers looked up for each connector, kept out of its errors and log lines.

One register a process, as logging is: a plugin logs where it likes, in threads that carry its connector's name.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from penstock.config.disclosure import LookedUpValues

__all__ = ["DisclosingFilter", "disclosed_text", "looked_up_values", "remember_looked_up"]

#: The logger that has the lines of librdkafka (`penstock.kafka.clients`).
LIBRARY_LOGGER: Final = "penstock.kafka.librdkafka"
_NOTHING: Final = LookedUpValues({}, {})
_lock: Final = threading.Lock()
_known_values: dict[str, LookedUpValues] = {}


def remember_looked_up(connector: str, values: LookedUpValues) -> None:
    """Keep `values` as those of `connector`, in place of what was known. Safe from any thread."""
    with _lock:
        if values:
            _known_values[connector] = values
        else:
            _known_values.pop(connector, None)


def looked_up_values(connector: str) -> LookedUpValues:
    """Return the values looked up for `connector`; safe from any thread."""
    with _lock:
        return _known_values.get(connector, _NOTHING)


def disclosed_text(connector: str, text: str) -> str:
    """Return `text` with what the user wrote in place of values that were looked up for `connector`."""
    return looked_up_values(connector).shown(text)


class DisclosingFilter(logging.Filter):
    """Keeps looked-up values out of the log lines of a connector and its tasks: those of their threads, and those that
    begin with ``[connector|``; and out of all lines of the client library, which come in whichever thread polls a client.
    For handlers."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _known_values:
            for values in _values_behind(record):
                if values:
                    _disclose(record, record.getMessage(), values)
        return True


def _values_behind(record: logging.LogRecord) -> list[LookedUpValues]:
    """Return the values that a line may show."""
    if record.name == LIBRARY_LOGGER:
        with _lock:
            return list(_known_values.values())
    return [looked_up_values(_connector_of(text)) for text in (record.threadName or "", record.getMessage())]


def _connector_of(text: str) -> str:
    """Return the connector that ``[connector|task-0] ...`` names, or an empty text."""
    return text[1:].split("|", 1)[0].split("]", 1)[0] if text[:1] == "[" else ""


def _disclose(record: logging.LogRecord, message: str, values: LookedUpValues) -> None:
    record.msg, record.args = values.shown(message), ()
    if record.exc_info and record.exc_info[1] is not None:
        error = values.disclosed(record.exc_info[1])
        record.exc_info, record.exc_text = (type(error), error, error.__traceback__), None

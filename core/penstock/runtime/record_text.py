"""A record in words, for the log (``errors.log.include.messages``): where it is, and what is in it."""

from __future__ import annotations

from typing import Any, Final

from penstock.data import ConnectRecord, SourceRecord
from penstock.java.text import well_formed

__all__ = ["record_text"]

#: A part that is longer is cut: a log line is read by people.
_MAX_PART: Final = 1000


def record_text(record: Any) -> str:
    """Return topic, place, timestamp, headers, key and value of a source record, a sink record or a consumed message.

    Bytes are shown as text where they are text. The answer can always be written to a log.
    """
    if isinstance(record, SourceRecord):
        parts = {
            "source partition": dict(record.source_partition),
            "source offset": dict(record.source_offset or {}),
            **_common(record),
        }
    elif isinstance(record, ConnectRecord):
        parts = _common(record)
        parts["offset"] = getattr(record, "original_offset", None)
    elif callable(getattr(record, "offset", None)):
        parts = {
            "topic": record.topic(),
            "partition": record.partition(),
            "offset": record.offset(),
            "timestamp": record.timestamp()[1],
            "headers": record.headers() or [],
            "key": record.key(),
            "value": record.value(),
        }
    else:
        parts = {"record": record}
    return "{" + ", ".join(f"{name}={_shown(value)}" for name, value in parts.items()) + "}"


def _common(record: ConnectRecord) -> dict[str, Any]:
    return {
        "topic": record.topic,
        "partition": record.partition,
        "timestamp": record.timestamp,
        "headers": [(header.key, header.value) for header in record.headers],
        "key": record.key,
        "value": record.value,
    }


def _shown(value: Any) -> str:
    if isinstance(value, list):
        text = "[" + ", ".join(f"{key}={_shown(item)}" for key, item in value) + "]"
    elif isinstance(value, bytes):
        try:
            text = repr(value.decode())
        except UnicodeDecodeError:
            text = repr(value)
    else:
        text = repr(value) if isinstance(value, str) else str(value)
    text = well_formed(text)
    return text if len(text) <= _MAX_PART else f"{text[:_MAX_PART]}… ({len(text)} characters)"

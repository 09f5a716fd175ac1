"""``TimestampRouter``: the topic's new name holds the record's timestamp."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from penstock import KAFKA_VERSION
from penstock.api import BoundTransform, Shape, Transform
from penstock.config import ConfigDef, ConfigType, Importance
from penstock.errors import DataError
from penstock_transforms.date_format import DateFormat
from penstock_transforms.record_text import record_text

__all__ = ["TimestampRouter"]

_CONFIG = (
    ConfigDef()
    .define(
        "topic.format",
        ConfigType.STRING,
        "${topic}-${timestamp}",
        importance=Importance.HIGH,
        doc="The new topic; ${topic} stands for the old one and ${timestamp} for the formatted timestamp.",
    )
    .define(
        "timestamp.format",
        ConfigType.STRING,
        "yyyyMMdd",
        importance=Importance.HIGH,
        doc="How the timestamp is written, in UTC: a java.text.SimpleDateFormat pattern.",
    )
)


class TimestampRouter(Transform):
    """A record without timestamp is an error."""

    version = KAFKA_VERSION

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _CONFIG

    def configure(self, configs: Mapping[str, Any]) -> None:
        config = _CONFIG.parse(configs)
        self._topic_format: str = config["topic.format"]
        self._format = DateFormat(config["timestamp.format"])

    def bind(self, shape: Shape) -> BoundTransform:
        name = self._names(shape.topic)

        def route(record: Any) -> Any:
            millis = record.timestamp
            if millis is None:
                raise DataError(f"Timestamp missing on record: {record_text(record)}")
            record.topic = name(millis)
            return record

        # The topic depends on each record's timestamp, so there is no one shape afterwards.
        return BoundTransform(route, None, writes=frozenset({"record"}))

    def _names(self, topic: str) -> Callable[[int], str]:
        """The name for a timestamp. The last one is kept: most records lie in the same day (hour, second, ...)."""
        template = self._topic_format.replace("${topic}", topic)
        show, resolution = self._format.format, self._format.resolution
        last: tuple[int | None, str] = (None, "")

        def name(millis: int) -> str:
            nonlocal last
            unit = millis // resolution
            known, text = last
            if unit != known:
                text = template.replace("${timestamp}", show(millis))
                last = (unit, text)
            return text

        return name

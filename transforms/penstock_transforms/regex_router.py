"""``RegexRouter``: renames topics by a regular expression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock import KAFKA_VERSION
from penstock.api import BoundTransform, Shape, Transform
from penstock.config import ConfigDef, ConfigType, Importance
from penstock.java.regex import compile_regex
from penstock_transforms.operating import unchanged
from penstock_transforms.regex_replacement import replaced_whole
from penstock_transforms.settings import RegexValidator

__all__ = ["RegexRouter"]

_CONFIG = (
    ConfigDef()
    .define(
        "regex",
        ConfigType.STRING,
        validator=RegexValidator(),
        importance=Importance.HIGH,
        doc="Java regular expression that a topic's whole name has to match to be renamed.",
    )
    .define(
        "replacement",
        ConfigType.STRING,
        importance=Importance.HIGH,
        doc="The new name; $1 or ${name} stand for what the groups matched.",
    )
)


class RegexRouter(Transform):
    """Worked out once per topic. A topic that does not match keeps its name."""

    version = KAFKA_VERSION

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _CONFIG

    def configure(self, configs: Mapping[str, Any]) -> None:
        config = _CONFIG.parse(configs)
        self._pattern = compile_regex(config["regex"])
        self._replacement: str = config["replacement"]

    def bind(self, shape: Shape) -> BoundTransform:
        topic = replaced_whole(shape.topic, self._pattern, self._replacement)
        if topic is None:
            return BoundTransform(unchanged, shape)

        def route(record: Any) -> Any:
            record.topic = topic
            return record

        return BoundTransform(route, shape._replace(topic=topic), writes=frozenset({"record"}))

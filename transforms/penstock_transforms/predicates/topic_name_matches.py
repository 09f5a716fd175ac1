"""``TopicNameMatches``: does the topic's whole name match a pattern?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from penstock import KAFKA_VERSION
from penstock.api import Predicate
from penstock.config import CompositeValidator, ConfigDef, ConfigType, Importance, NonEmptyString
from penstock.java.regex import compile_regex
from penstock_transforms.settings import RegexValidator

__all__ = ["TopicNameMatches"]

_CONFIG = ConfigDef().define(
    "pattern",
    ConfigType.STRING,
    validator=CompositeValidator(NonEmptyString(), RegexValidator()),
    importance=Importance.MEDIUM,
    doc="Java regular expression that the whole name of the record's topic has to match.",
)


class TopicNameMatches(Predicate):
    """Decided once per topic, not per record."""

    version = KAFKA_VERSION
    decides_by_topic: ClassVar[bool] = True

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _CONFIG

    def configure(self, configs: Mapping[str, Any]) -> None:
        self._pattern = compile_regex(_CONFIG.parse(configs)["pattern"])

    def test(self, record: Any) -> bool:
        return self._pattern.matches(record.topic)

"""``HasHeaderKey``: is there a header of this name?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock import KAFKA_VERSION
from penstock.api import Predicate
from penstock.config import ConfigDef, ConfigType, Importance, NonEmptyString

__all__ = ["HasHeaderKey"]

_CONFIG = ConfigDef().define(
    "name",
    ConfigType.STRING,
    validator=NonEmptyString(),
    importance=Importance.MEDIUM,
    doc="Name of the header to look for; upper and lower case count.",
)


class HasHeaderKey(Predicate):
    """True where at least one header has the name."""

    version = KAFKA_VERSION

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _CONFIG

    def configure(self, configs: Mapping[str, Any]) -> None:
        self._name: str = _CONFIG.parse(configs)["name"]

    def test(self, record: Any) -> bool:
        name = self._name
        for header in record.headers:  # noqa: SIM110 - any() with a generator costs four times as much
            if header.key == name:
                return True
        return False

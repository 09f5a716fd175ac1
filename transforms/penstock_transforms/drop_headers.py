"""``DropHeaders``: removes headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock import KAFKA_VERSION
from penstock.api import BoundTransform, Shape, Transform
from penstock.config import ConfigDef, ConfigType, Importance, ValidList

__all__ = ["DropHeaders"]

_CONFIG = ConfigDef().define(
    "headers",
    ConfigType.LIST,
    validator=ValidList.any_non_duplicate_values(False, False),
    importance=Importance.HIGH,
    doc="Names of the headers to remove, every one of that name.",
)


class DropHeaders(Transform):
    """Names that no header has are ignored."""

    version = KAFKA_VERSION

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _CONFIG

    def configure(self, configs: Mapping[str, Any]) -> None:
        self._names = frozenset(_CONFIG.parse(configs)["headers"])

    def bind(self, shape: Shape) -> BoundTransform:
        names = self._names

        def drop(record: Any) -> Any:
            headers = record.headers
            if headers:
                headers[:] = [header for header in headers if header.key not in names]
            return record

        return BoundTransform(drop, shape, writes=frozenset({"headers"}))

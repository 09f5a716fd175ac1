"""``InsertHeader``: adds a header with a fixed value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock import KAFKA_VERSION
from penstock.api import BoundTransform, Shape, Transform
from penstock.config import ConfigDef, ConfigType, Importance, NonNullValidator
from penstock.data import Header
from penstock.data.parsing import parse_string

__all__ = ["InsertHeader"]

_CONFIG = (
    ConfigDef()
    .define(
        "header",
        ConfigType.STRING,
        validator=NonNullValidator(),
        importance=Importance.HIGH,
        doc="Name of the header to add. Headers of that name that are there already stay.",
    )
    .define(
        "value.literal",
        ConfigType.STRING,
        validator=NonNullValidator(),
        importance=Importance.HIGH,
        doc="The header's value. Numbers, booleans, dates, lists and maps are recognised; all else is a string.",
    )
)


class InsertHeader(Transform):
    """The value's type is inferred once, from its text (``Values.parseString``)."""

    version = KAFKA_VERSION

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _CONFIG

    def configure(self, configs: Mapping[str, Any]) -> None:
        config = _CONFIG.parse(configs)
        schema, value = _parsed(config["value.literal"])
        self._header = Header(config["header"], schema, value)

    def bind(self, shape: Shape) -> BoundTransform:
        header = self._header

        def insert(record: Any) -> Any:
            record.headers.append(header)
            return record

        return BoundTransform(insert, shape, writes=frozenset({"headers"}))


def _parsed(text: str) -> tuple[Any, Any]:
    parsed = parse_string(text)
    return parsed.schema, parsed.value

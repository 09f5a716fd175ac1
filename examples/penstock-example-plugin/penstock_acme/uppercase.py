"""A transform in the simple form: one method, called for every record."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from penstock.api import Transform
from penstock.config import ConfigDef, ConfigType, Importance, NonEmptyString
from penstock.errors import DataError
from penstock_acme import __version__

CONFIG_DEF = ConfigDef().define(
    "field",
    ConfigType.STRING,
    validator=NonEmptyString(),
    importance=Importance.HIGH,
    doc="The field to put in capital letters.",
)


class Uppercase(Transform):
    version = __version__

    @classmethod
    def config_def(cls) -> ConfigDef:
        return CONFIG_DEF

    def configure(self, configs: Mapping[str, Any]) -> None:
        self._field: str = CONFIG_DEF.parse(configs)["field"]

    def apply(self, record: Any) -> Any:
        if record.value is None:
            return record
        if not isinstance(record.value, dict):
            raise DataError(f"Uppercase expects a struct or a map, met {record.value!r}")
        text = record.value.get(self._field)
        if text is None:
            return record
        if not isinstance(text, str):
            raise DataError(f"Uppercase expects a string in the field {self._field}, met {text!r}")
        # The record and its value are not ours: change copies.
        changed = copy.copy(record)
        changed.value = record.value | {self._field: text.upper()}
        return changed

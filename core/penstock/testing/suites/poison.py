"""A transform that cannot stomach one record of many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from penstock.api import Transform
from penstock.config import ConfigDef, ConfigType, Importance
from penstock.errors import DataError
from penstock.testing.harness.given import path_of

__all__ = ["Poison", "settings_without_poison", "with_poison"]

_NAME: Final = "suitePoison"
_DEF: Final = ConfigDef().define(
    "number", ConfigType.INT, importance=Importance.HIGH, doc="Which record is refused, from 0."
)


class Poison(Transform):
    """Refuses one record, as often as it is asked about it, and passes all others on as they are."""

    version = "1"

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _DEF

    def configure(self, configs: Mapping[str, Any]) -> None:
        self._left = _DEF.parse(configs)["number"]
        self._last: Any = None
        self._refused: Any = None

    def apply(self, record: Any) -> Any:
        if record is not self._last:
            self._last = record
            if self._left == 0:
                self._refused = record
            self._left -= 1
        if record is self._refused:
            raise DataError("this record is poison to the suite")
        return record


def with_poison(settings: Mapping[str, str], number: int) -> dict[str, str]:
    """Return `settings` with a transform before all others that refuses the record of this number, counted from 0."""
    own = [name for name in [settings.get("transforms", "")] if name]
    return {
        **settings,
        "transforms": ",".join([_NAME, *own]),
        f"transforms.{_NAME}.type": path_of(Poison),
        f"transforms.{_NAME}.number": str(number),
    }


def settings_without_poison() -> dict[str, str]:
    """Return what is to be laid over the settings of `with_poison`, so that nothing is refused any more."""
    return {f"transforms.{_NAME}.number": "-1"}

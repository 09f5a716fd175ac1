"""The base of the registry converters' mapping options: each option is read from one setting of the converter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Self

from penstock_converters.precision import Precision

__all__ = ["DataOptions", "option"]

_SETTING: Final = "setting"


def option(setting: str, default: bool = False) -> Any:
    """A field of a `DataOptions` subclass: the value of the converter's boolean `setting`."""
    return field(default=default, metadata={_SETTING: setting})


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """The settings by which a converter maps schemas. A subclass has a field for each of its settings; see `option`."""

    #: penstock's own: how fine timestamps are
    precision: Precision = Precision.MILLISECONDS

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """The options that a converter's parsed settings ask for."""
        own = {f.name: values[f.metadata[_SETTING]] for f in fields(cls) if _SETTING in f.metadata}
        return cls(precision=Precision.of(values), **own)

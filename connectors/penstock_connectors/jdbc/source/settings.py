"""The settings of a source task, put together for its parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.config import Password
from penstock_connectors.jdbc.source import names
from penstock_connectors.jdbc.source.moments import Moments
from penstock_connectors.jdbc.source.rows import RowSettings
from penstock_connectors.jdbc.zones import time_zone

__all__ = ["is_masked", "moments_of", "numeric_mapping_of", "query_of", "row_settings_of"]


def query_of(config: Mapping[str, Any]) -> str | None:
    """Return the query, masked or not; None if tables are read."""
    return _masked(config) or config[names.QUERY] or None


def is_masked(config: Mapping[str, Any]) -> bool:
    """Return whether the query must be shown nowhere."""
    return bool(_masked(config))


def _masked(config: Mapping[str, Any]) -> str:
    value = config[names.QUERY_MASKED]
    return value.value if isinstance(value, Password) else value or ""


def numeric_mapping_of(config: Mapping[str, Any]) -> str:
    """Return the mapping that counts: ``numeric.mapping`` if set, else what the old setting says."""
    if config["numeric.mapping"] is not None:
        return str(config["numeric.mapping"]).lower()
    return "precision_only" if config["numeric.precision.mapping"] else "none"


def moments_of(config: Mapping[str, Any]) -> Moments:
    """Return the conversions of times."""
    return Moments(
        time_zone("db.timezone", config["db.timezone"]),
        config["timestamp.granularity"].lower(),
        config["date.calendar.system"] == "LEGACY",
    )


def row_settings_of(config: Mapping[str, Any], moments: Moments) -> RowSettings:
    """Return the settings that say what becomes of columns."""
    return RowSettings(
        moments,
        numeric_mapping_of(config),
        config[names.TYPE_FALLBACK],
        frozenset(config[names.COLUMNS_INCLUDE]),
        frozenset(config[names.COLUMNS_EXCLUDE]),
    )

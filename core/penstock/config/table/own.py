"""Settings that only penstock has."""

from __future__ import annotations

from typing import Final

from penstock.config.definition import ConfigType
from penstock.config.table.row import LOW, MEDIUM, Row, used

__all__ = ["OWN_ROWS"]

OWN_ROWS: Final[tuple[Row, ...]] = (
    used("schema.registry.embedded", ConfigType.BOOLEAN, False, MEDIUM,
         "Run a schema registry inside the worker; its settings follow under `registry.`, and converters use it by default."),
    used("rest.get.actions", ConfigType.BOOLEAN, True, LOW,
         "Let GET pause, resume and restart too, where no browser asks for it."),
)  # fmt: skip

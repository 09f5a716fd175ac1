"""One row of the table of worker settings."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from penstock.config.definition import NO_DEFAULT, ConfigType, Importance
from penstock.config.validators import Validator

__all__ = ["HIGH", "LOW", "MEDIUM", "Mode", "Row", "Treatment", "ignored", "refused", "used"]

Mode = Literal["standalone", "distributed"]
HIGH, MEDIUM, LOW = Importance.HIGH, Importance.MEDIUM, Importance.LOW


class Treatment(enum.Enum):
    """The treatment of a setting. The value is the word in the documentation."""

    USED = "used"
    #: The setting has nothing to act on here: the worker warns once and goes on.
    NO_EFFECT = "no effect here"
    #: The setting changes security or delivery in a way that is not supported: the worker does not start.
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    type: ConfigType
    default: Any
    importance: Importance
    doc: str
    validator: Validator | None = None
    treatment: Treatment = Treatment.USED
    #: The only mode that knows it; None for both.
    mode: Mode | None = None
    #: Brings a value to its one spelling, where letter case does not matter.
    normalize: Callable[[str], str] | None = None

    @property
    def required(self) -> bool:
        return self.default is NO_DEFAULT

    @property
    def default_text(self) -> str:
        """The default as one would write it into a file; empty if there is none."""
        if self.required or self.default is None:
            return ""
        if isinstance(self.default, bool):
            return str(self.default).lower()
        return str(self.default)


def used(
    name: str,
    type: ConfigType,  # noqa: A002 - Connect's word
    default: Any,
    importance: Importance,
    doc: str,
    validator: Validator | None = None,
    *,
    mode: Mode | None = None,
    normalize: Callable[[str], str] | None = None,
) -> Row:
    return Row(name, type, default, importance, doc, validator, Treatment.USED, mode, normalize)


def ignored(
    name: str,
    type: ConfigType,  # noqa: A002 - Connect's word
    default: Any,
    why: str,
    validator: Validator | None = None,
    *,
    importance: Importance = LOW,
) -> Row:
    return Row(name, type, default, importance, why, validator, Treatment.NO_EFFECT)


def refused(name: str, type: ConfigType, default: Any, why: str, validator: Validator | None = None) -> Row:  # noqa: A002 - Connect's word
    return Row(name, type, default, MEDIUM, why, validator, Treatment.REFUSED)

"""A check's verdict on one thing."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["Finding", "Level", "broken", "ok", "skipped", "warning"]


class Level(enum.StrEnum):
    """How bad a finding is."""

    OK = "ok"
    #: It works, but will not always, or not as somebody may expect.
    WARNING = "warning"
    #: The worker or the connector cannot do its work.
    BROKEN = "broken"
    #: It was not looked at; the message says why.
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `about` names the thing, `message` what was met, `advice` what to change; it holds no secret.

    `blocks` says that checks which need this one cannot say anything.
    """

    level: Level
    about: str
    message: str
    advice: str = ""
    blocks: bool = False


def ok(about: str, message: str, advice: str = "") -> Finding:
    return Finding(Level.OK, about, message, advice)


def warning(about: str, message: str, advice: str = "") -> Finding:
    return Finding(Level.WARNING, about, message, advice)


def broken(about: str, message: str, advice: str = "", *, blocks: bool = False) -> Finding:
    return Finding(Level.BROKEN, about, message, advice, blocks)


def skipped(about: str, message: str, advice: str = "") -> Finding:
    return Finding(Level.SKIPPED, about, message, advice)

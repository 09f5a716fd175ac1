"""Findings as a person reads them, and as a program does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from penstock.doctor.check import Result
from penstock.doctor.finding import Level

__all__ = ["as_json", "as_text", "exit_status", "summary"]

_MARKS: Final = {Level.OK: "ok     ", Level.WARNING: "WARNING", Level.BROKEN: "BROKEN ", Level.SKIPPED: "skipped"}


def as_text(results: Iterable[Result]) -> Iterator[str]:
    """Yield the lines of the report as the results come, the findings of a check under its name."""
    heading = ""
    for check, finding in results:
        if check != heading:
            heading = check
            yield f"{check}:"
        yield f"  {_MARKS[finding.level]}  {finding.about}: {_one_line(finding.message)}"
        if finding.advice:
            yield f"           -> {_one_line(finding.advice)}"


def as_json(results: Iterable[Result]) -> str:
    """Return a JSON object: ``healthy``, the ``count`` of each level, and ``findings``."""
    found = list(results)
    entries = [
        {
            "check": check,
            "level": finding.level.value,
            "about": finding.about,
            "message": finding.message,
            "advice": finding.advice or None,
        }
        for check, finding in found
    ]
    counts = {level.value: count for level, count in _counted(found).items()}
    return json.dumps({"healthy": not exit_status(found), "count": counts, "findings": entries}, indent=2)


def summary(results: Iterable[Result]) -> str:
    """Return the last line of the report."""
    counts = _counted(results)
    return ", ".join(f"{counts[level]} {level.value}" for level in Level)


def exit_status(results: Iterable[Result]) -> int:
    """Return 1 if something is broken, 0 otherwise."""
    return int(any(finding.level is Level.BROKEN for _, finding in results))


def _counted(results: Iterable[Result]) -> dict[Level, int]:
    counts = Counter(finding.level for _, finding in results)
    return {level: counts[level] for level in Level}


def _one_line(text: str) -> str:
    return " ".join(text.split())

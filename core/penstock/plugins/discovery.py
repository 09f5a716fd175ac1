"""The sources of hook modules: entry points of installed distributions, and folders beside pip.

Each is imported on its own, so that one that fails is reported with its distribution's name and stops nobody else.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import logging
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

__all__ = ["ENTRY_POINT_GROUP", "BrokenSource", "HookSource", "from_entry_points", "from_folders"]

ENTRY_POINT_GROUP: Final = "penstock"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HookSource:
    """An object with hooks, and whose it is."""

    distribution: str
    #: The module (or object) as a person would look it up.
    name: str
    hooks: object


@dataclass(frozen=True, slots=True)
class BrokenSource:
    """A distribution whose plugins, or some of them, could not be taken in."""

    distribution: str
    name: str
    error: str


def from_entry_points(
    disabled: frozenset[str], entry_points: Iterable[importlib.metadata.EntryPoint] | None = None
) -> Iterator[HookSource | BrokenSource]:
    """Return what installed distributions announce. A disabled distribution is not imported.

    Entry points are told apart by distribution *and* name: pluggy's own loader would skip the second of two
    distributions that use one name, without a word.
    """
    found = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP) if entry_points is None else entry_points
    for point in sorted(found, key=lambda p: (_distribution(p), p.name, p.value)):
        distribution = _distribution(point)
        if distribution not in disabled:
            yield _import(distribution, point.value)


def from_folders(paths: Mapping[str, Path], disabled: frozenset[str]) -> Iterator[HookSource | BrokenSource]:
    """Return what lies in folders: distributions unpacked there (``*.dist-info``), and packages ``penstock_*`` with a module
    ``plugin``. The folder goes to the end of ``sys.path``, so it cannot shadow what is installed."""
    for label, folder in paths.items():
        if label in disabled:
            continue
        if not folder.is_dir():
            yield BrokenSource(label, str(folder), f"the folder {folder} of [paths] {label!r} does not exist")
            continue
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
            importlib.invalidate_caches()
        announced: set[str] = set()
        for distribution in importlib.metadata.distributions(path=[str(folder)]):
            points = [p for p in distribution.entry_points if p.group == ENTRY_POINT_GROUP]
            announced.update(p.value for p in points)
            yield from from_entry_points(disabled, points)
        for package in sorted(folder.glob("penstock_*")):
            module = f"{package.name}.plugin"
            if (package / "plugin.py").is_file() and module not in announced:
                yield _import(label, module)


def _distribution(point: importlib.metadata.EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "unknown distribution"


def _import(distribution: str, value: str) -> HookSource | BrokenSource:
    module_name, _, attributes = value.partition(":")
    try:
        hooks: object = importlib.import_module(module_name.strip())
        for attribute in filter(None, attributes.strip().split(".")):
            hooks = getattr(hooks, attribute)
    except Exception as error:  # whatever a stranger's module raises is reported, with whose it is
        _log.debug("Importing %s of %s failed", value, distribution, exc_info=True)
        return BrokenSource(distribution, value, f"importing {value} failed: {type(error).__name__}: {error}")
    return HookSource(distribution, value, hooks)


def name_of(hooks: object) -> str:
    """Return the name for an object with hooks that was handed over directly."""
    return hooks.__name__ if isinstance(hooks, ModuleType | type) else type(hooks).__qualname__

"""The names a plugin answers to, and what to suggest for one that nobody answers to.

Exact names come first: the plugin's own, its JVM class names, its Python path. Short names are derived from the class
names as Kafka derives its plugin aliases (``PluginUtils.simpleName`` and ``prunedName``): ``AvroConverter`` and
``Avro``, ``FileStreamSource``, ``Cast$Value``. A short name counts only where no exact name is meant.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

from penstock.api import Plugin

__all__ = ["exact_names", "nearest", "python_path", "short_names", "simple_name"]

#: The endings that Kafka takes off a simple name to make an alias. A connector keeps ``Source`` or ``Sink``.
_SUFFIXES: Final = (
    "Connector",
    "HeaderConverter",
    "Converter",
    "Transformation",
    "Transform",
    "Predicate",
    "ConfigProvider",
)


def simple_name(class_name: str) -> str:
    """The last segment of a class name: ``Cast$Value`` of ``org.apache.kafka.connect.transforms.Cast$Value``."""
    return class_name.replace(":", ".").rpartition(".")[2]


def python_path(target: str) -> str:
    """``pkg.module.Class`` of ``pkg.module:Class``."""
    return target.replace(":", ".")


def exact_names(plugin: Plugin) -> list[str]:
    """Names that mean this plugin and nothing else; two plugins of one kind with the same one are in conflict."""
    return list(dict.fromkeys((plugin.name, *plugin.aliases, plugin.target, python_path(plugin.target))))


def short_names(plugin: Plugin) -> list[str]:
    """Names derived from class names; where two plugins share one, neither is meant."""
    found: dict[str, None] = {}
    for class_name in (*plugin.aliases, plugin.target):
        simple = simple_name(class_name)
        found[simple] = None
        for suffix in _SUFFIXES:
            if simple.endswith(suffix) and simple != suffix:
                found[simple.removesuffix(suffix)] = None
    return list(found)


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The `count` names most like `name`, best first; letter case and the package of a class name weigh little."""
    wanted = simple_name(name).lower()
    scored: list[tuple[float, str]] = []
    for candidate in dict.fromkeys(known):
        short = simple_name(candidate).lower()
        score = max(
            difflib.SequenceMatcher(None, wanted, short).ratio(),
            difflib.SequenceMatcher(None, name.lower(), candidate.lower()).ratio(),
        )
        if score >= 0.5:  # below that a suggestion is noise
            scored.append((-score, candidate))
    return [candidate for _, candidate in sorted(scored)[:count]]

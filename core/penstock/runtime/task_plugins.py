"""The plugins that a task is made of, for whoever shows or measures them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from penstock.api.metrics import PluginMetrics
from penstock.measurements import Measurement

__all__ = ["TaskPlugins", "UsedPlugin"]


@dataclass(frozen=True, slots=True)
class UsedPlugin:
    """One plugin at work. `class_name` is what the configuration's name stands for: the JVM class if there is one."""

    class_name: str
    version: str
    instance: Any = None

    @classmethod
    def of(cls, instance: Any, class_name: str | None = None) -> UsedPlugin:
        own = type(instance)
        name = class_name or getattr(own, "java_class", "") or f"{own.__module__}.{own.__qualname__}"
        return cls(name, getattr(own, "version", "undefined"), instance)

    def measurements(self, tags: dict[str, str]) -> Iterator[Measurement]:
        """Give the metrics that the plugin has of its own; nothing if it never asked for any."""
        metrics = getattr(self.instance, "__dict__", {}).get("metrics")
        if isinstance(metrics, PluginMetrics):
            yield from metrics.measurements(tags)


@dataclass(frozen=True, slots=True)
class TaskPlugins:
    """The plugins of one task; converters by ``key-converter``, transforms and predicates by their alias."""

    #: ``source`` or ``sink``.
    type: str
    task: UsedPlugin
    connector: UsedPlugin | None = None
    converters: dict[str, UsedPlugin] = field(default_factory=dict)
    transforms: dict[str, UsedPlugin] = field(default_factory=dict)
    predicates: dict[str, UsedPlugin] = field(default_factory=dict)

    def measurements(self, tags: dict[str, str]) -> Iterator[Measurement]:
        """Give the metrics of the plugins' own; `tags` name the task."""
        yield from self.task.measurements(tags)
        for role, plugin in self.converters.items():
            yield from plugin.measurements({**tags, "converter": role.removesuffix("-converter")})
        for alias, plugin in self.transforms.items():
            yield from plugin.measurements({**tags, "transform": alias})
        for alias, plugin in self.predicates.items():
            yield from plugin.measurements({**tags, "predicate": alias})

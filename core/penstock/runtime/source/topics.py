"""Creates the topics that a source connector writes to (KIP-158)."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from penstock.errors import ConfigError, ConnectError
from penstock.java.regex import JavaPattern, JavaRegexError, compile_regex
from penstock.kafka.admin import create_topic, existing_topics

__all__ = ["TopicCreation", "TopicGroup", "topic_groups"]

_DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True)
class TopicGroup:
    """Topics made alike: which names, how many partitions and replicas (-1: the broker's), further settings."""

    name: str
    include: tuple[JavaPattern, ...]
    exclude: tuple[JavaPattern, ...]
    partitions: int
    replication: int
    configs: Mapping[str, str]

    def matches(self, topic: str) -> bool:
        return any(p.matches(topic) for p in self.include) and not any(p.matches(topic) for p in self.exclude)


def topic_groups(config: Mapping[str, str]) -> list[TopicGroup]:
    """Return the groups of ``topic.creation.*``, the default one last; empty if the connector does not ask for creation.

    Raises `ConfigError` for numbers and patterns that are none.
    """
    if not any(name.startswith("topic.creation.default.") for name in config):
        return []
    names = [
        g.strip() for g in config.get("topic.creation.groups", "").split(",") if g.strip() and g.strip() != _DEFAULT
    ]
    default = _group(config, _DEFAULT, None)
    return [*(_group(config, name, default) for name in names), default]


def _group(config: Mapping[str, str], name: str, default: TopicGroup | None) -> TopicGroup:
    prefix = f"topic.creation.{name}."
    own = {k[len(prefix) :]: v for k, v in config.items() if k.startswith(prefix)}
    include = own.pop("include", ".*" if default is None else "")
    exclude = own.pop("exclude", "")
    partitions = _number(prefix + "partitions", own.pop("partitions", None), default.partitions if default else None)
    replication = _number(
        prefix + "replication.factor", own.pop("replication.factor", None), default.replication if default else None
    )
    patterns = _patterns(prefix + "include", include), _patterns(prefix + "exclude", exclude)
    return TopicGroup(name, *patterns, partitions, replication, own)


def _number(name: str, value: str | None, default: int | None) -> int:
    if value is None:
        if default is None:
            raise ConfigError(f'Missing required configuration "{name}" which has no default value.')
        return default
    if not re.fullmatch(r"-1|[1-9]\d*", value.strip()):
        raise ConfigError(name, value, "Value must be a positive number, or -1 to use the broker's default")
    return int(value)


def _patterns(setting: str, text: str) -> tuple[JavaPattern, ...]:
    try:
        return tuple(compile_regex(part.strip()) for part in text.split(",") if part.strip())
    except JavaRegexError as error:
        raise ConfigError(setting, text, f"Invalid regex: {error}") from error


class TopicCreation:
    """Makes sure that a topic is there before its first record. Safe from any thread.

    `admin` is called once, when the first topic is met. Without groups nothing is done: the broker may create the
    topic by itself.
    """

    def __init__(self, groups: list[TopicGroup], admin: Callable[[], Any]) -> None:
        self._groups = groups
        self._make_admin = admin
        self._admin: Any = None
        self._known_topics: set[str] = set()
        self._lock = threading.Lock()

    def ensure(self, topic: str) -> None:
        """Raises `RetriableError` while no broker answers, `ConnectError` if the topic cannot be made."""
        if not self._groups or topic in self._known_topics:
            return
        with self._lock:
            if topic in self._known_topics:
                return
            if self._admin is None:
                self._admin = self._make_admin()
            if topic not in existing_topics(self._admin):
                self._create(topic)
            self._known_topics.add(topic)

    def _create(self, topic: str) -> None:
        group = next((g for g in self._groups if g.matches(topic)), None)
        if group is None:
            raise ConnectError(
                f"Topic {topic} does not exist and no group of topic.creation.groups includes it; add it to one, or create the topic"
            )
        create_topic(self._admin, topic, group.partitions, group.replication, group.configs)

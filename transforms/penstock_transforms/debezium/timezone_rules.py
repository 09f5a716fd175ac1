"""The rules for what `TimezoneConverter` converts: ``include.list`` and ``exclude.list``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Self

from penstock_transforms.debezium.envelope import AFTER, BEFORE, SOURCE

__all__ = ["Choice", "Rules", "is_list_of_rules"]

#: Debezium's own check, of the list as Java prints it. Only the first rule may have three parts.
_LIST: Final = re.compile(r'\[(source|topic|[".\w\s]+):([".\w\s]+(?::[".\w\s]+)?(?:,|\]$))+', re.ASCII)


def is_list_of_rules(texts: Sequence[str]) -> bool:
    return _LIST.fullmatch(f"[{', '.join(texts)}]") is not None


class Choice(NamedTuple):
    """Fields by the struct that they stand in (``before``, ``after``, ``source``), and whether these or all others are meant."""

    fields: Mapping[str, frozenset[str]]
    all_but: bool

    @classmethod
    def everything(cls) -> Self:
        return cls({}, True)

    @classmethod
    def of(cls, names: frozenset[str], all_but: bool) -> Self:
        """Sort names by their first step; one without goes for rows before and after."""
        fields: dict[str, set[str]] = {BEFORE: set(), AFTER: set(), SOURCE: set()}
        for name in names:
            struct, dot, field = name.partition(".")
            if dot and struct in fields:
                fields[struct].add(field)
            else:
                fields[BEFORE].add(name)
                fields[AFTER].add(name)
        return cls({struct: frozenset(found) for struct, found in fields.items()}, all_but)

    def takes(self, struct: str, field: str) -> bool:
        if struct == SOURCE and not self.fields.get(SOURCE):
            return False  # the source's own times are converted only where a rule names one of them
        return (field in self.fields.get(struct, ())) is not self.all_but


class Rules(NamedTuple):
    """Names of fields by topic, by table, and by either; no names stand for all fields."""

    by_topic: Mapping[str, frozenset[str]]
    by_table: Mapping[str, frozenset[str]]
    by_any: Mapping[str, frozenset[str]]
    excludes: bool

    @classmethod
    def parse(cls, texts: Sequence[str], excludes: bool) -> Self:
        """Read rules ``source:table:field``, ``topic:topic:field`` and ``name:field``; the field may be missing from the first two.

        A rule without ``source:`` or ``topic:`` has that of the rule before it.
        """
        found: dict[str, dict[str, set[str]]] = {"topic": {}, "source": {}, "": {}}
        prefix = ""
        for text in texts:
            parts = text.split(":")
            if len(parts) > 1 and parts[0].lower() in ("source", "topic"):
                prefix = parts[0]
                parts = parts[1:]
            fields = found.get(prefix, found[""]).setdefault(parts[0], set())
            if len(parts) > 1 and parts[1]:
                fields.add(parts[1])
        topic, table, either = ({name: frozenset(f) for name, f in of.items()} for of in found.values())
        return cls(topic, table, either, excludes)

    def choice(self, topic: str, table: str | None) -> Choice | None:
        """Return which fields of events from a table are converted; None if none are."""
        names = self._names(topic, table)
        if names is None:
            return Choice.everything() if self.excludes else None
        if not names:
            return None if self.excludes else Choice.everything()
        return Choice.of(names, self.excludes)

    def _names(self, topic: str, table: str | None) -> frozenset[str] | None:
        for rules, name in (
            (self.by_topic, topic),
            (self.by_table, table),
            (self.by_any, topic),
            (self.by_any, table),
        ):
            if name is not None and name in rules:
                return rules[name]
        return None

"""The settings of a connector's transforms, predicates and topic creation groups, added to its definition.

``ConnectorConfig.enrich`` and ``SourceConnectorConfig.enrich``: each alias gets a group of its own, with the class, its
version, and whatever the class itself takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from penstock.config.definition import NO_DEFAULT, ConfigDef, ConfigType, Importance, Width
from penstock.config.lookup import (
    ClassRecommender,
    ClassValidator,
    Kind,
    PluginLookup,
    VersionRecommender,
    class_parser,
)
from penstock.config.types import split_list
from penstock.config.validators import CompositeValidator, LambdaValidator, Validator
from penstock.config.versions import PluginVersionValidator, version_problem
from penstock.errors import ConfigError, PluginError
from penstock.java.regex import JavaRegexError, compile_regex

__all__ = ["aliases", "enrich", "enrich_topic_creation", "topic_group_config_def", "transform_config_def"]

_T, _I, _W = ConfigType, Importance, Width


def enrich(base: ConfigDef, props: Mapping[str, str], lookup: PluginLookup) -> ConfigDef:
    """Return `base` with the settings of every alias in ``transforms`` and ``predicates`` of `props`.

    A class that is not found adds its type and version only; validation then says what is wrong with it.
    """
    definition = ConfigDef(base)
    for alias in aliases(props, "transforms"):
        _embed(definition, props, lookup, "transforms", "Transforms", alias, "transformation")
    for alias in aliases(props, "predicates"):
        _embed(definition, props, lookup, "predicates", "Predicates", alias, "predicate")
    return definition


def aliases(props: Mapping[str, str], setting: str) -> list[str]:
    """Return the names that the list `setting` holds, each once."""
    text = (props.get(setting) or "").strip()
    return list(dict.fromkeys(split_list(text)))


def _embed(
    definition: ConfigDef,
    props: Mapping[str, str],
    lookup: PluginLookup,
    setting: str,
    title: str,
    alias: str,
    kind: Kind,
) -> None:
    prefix, group = f"{setting}.{alias}.", f"{title}: {alias}"
    type_key, version_key = f"{prefix}type", f"{prefix}plugin.version"
    word = kind.capitalize()
    class_name = props.get(type_key)
    version = _version(lookup, kind, class_name)
    full_name = None if version is None else lookup.class_name(kind, class_name or "")
    problem = version_problem(full_name or "", props.get(version_key), version)
    definition.define(
        type_key, _T.CLASS, importance=_I.HIGH, group=group, order=0, width=_W.LONG,
        display_name=f"{word} type for {alias}", doc=f"The {kind} that the alias '{alias}' stands for.",
        validator=CompositeValidator(
            ClassValidator(lookup, kind),
            LambdaValidator(_raise(problem), "an installed version"),
            LambdaValidator(_negate_needs_predicate(props, prefix), f"valid configs for {alias} {kind}"),
        ),
        recommender=ClassRecommender(lookup, kind), parser=class_parser(lookup, kind),
    ).define(
        version_key, _T.STRING, version, importance=_I.HIGH, group=group, order=1,
        width=_W.LONG, display_name=f"{word} version for {alias}",
        doc=f"Which version of the {kind} '{alias}' is wanted: a version, a range, or latest.",
        validator=LambdaValidator(_raise(problem, props.get(version_key)), str(PluginVersionValidator())), recommender=VersionRecommender(lookup, kind, type_key, hides=False),
    )  # fmt: skip
    own = _definition_of(lookup, kind, class_name) if problem is None else None
    if own is not None:
        if kind == "transformation":
            own = ConfigDef(own).include(transform_config_def(aliases(props, "predicates")))
        definition.embed(prefix, group, 2, own)


def _raise(problem: str | None, of: str | None = None) -> Any:
    """A check that raises `problem`, if there is one; with `of` for that value only, and not for the default."""

    def check(name: str, value: Any) -> None:
        if problem is not None and of in (None, value):
            raise ConfigError(problem)

    return check


def _version(lookup: PluginLookup, kind: Kind, class_name: str | None) -> str | None:
    try:
        return lookup.version(kind, class_name) if class_name else None
    except PluginError:
        return None  # the class's own setting reports it


def _definition_of(lookup: PluginLookup, kind: Kind, class_name: str | None) -> ConfigDef | None:
    if not class_name:
        return None
    try:
        loaded: Any = lookup.load(kind, class_name)
    except PluginError:
        return None  # the class's own setting reports it
    found = loaded.config_def()
    return found if isinstance(found, ConfigDef) else None


def transform_config_def(predicates: Sequence[str]) -> ConfigDef:
    """Return the settings that every transform takes besides its own (KIP-585); `predicates` are the aliases it may name."""

    def exists(name: str, value: Any) -> None:
        if value and value not in predicates:
            expected = ", ".join(predicates) if predicates else "none is defined"
            raise ConfigError(name, value, f"expected an alias of `predicates`: {expected}")

    return (
        ConfigDef()
        .define("predicate", _T.STRING, None, importance=_I.MEDIUM, validator=LambdaValidator(exists, "a predicate's alias"),
                doc="Alias of the predicate that decides whether the transform applies to a record.")
        .define("negate", _T.BOOLEAN, False, importance=_I.MEDIUM,
                doc="Apply the transform where the predicate does not hold instead.")
    )  # fmt: skip


def _negate_needs_predicate(props: Mapping[str, str], prefix: str) -> Any:
    def check(name: str, value: Any) -> None:
        negate, predicate = f"{prefix}negate", f"{prefix}predicate"
        if negate in props and predicate not in props:
            raise ConfigError(
                f"Config '{negate}' was provided but there is no config '{predicate}' defining a predicate to be negated."
            )

    return check


_DEFAULT_PREFIX: Final = "topic.creation.default."


def enrich_topic_creation(base: ConfigDef, props: Mapping[str, str]) -> ConfigDef:
    """Return `base` with the settings of the topic creation groups (KIP-158), if `props` has any ``topic.creation.`` setting.

    The default group's partitions and replication factor are required then; every other group takes them over where
    it says nothing itself.
    """
    definition = ConfigDef(base)
    if not any(key.startswith("topic.creation.") for key in props):
        return definition
    definition.embed(_DEFAULT_PREFIX, "default", 0, _group("default", NO_DEFAULT, NO_DEFAULT, patterns=False))
    for alias in aliases(props, "topic.creation.groups"):
        group = f"Topic Creation: {alias}"
        factor = props.get(f"{_DEFAULT_PREFIX}replication.factor", "-1")
        partitions = props.get(f"{_DEFAULT_PREFIX}partitions", "-1")
        if alias != "default":
            definition.embed(f"topic.creation.{alias}.", group, 0, _group(group, factor, partitions, patterns=True))
    return definition


def topic_group_config_def() -> ConfigDef:
    """Return the settings of a topic creation group without a name, for the documentation."""
    return _group("GROUP", -1, -1, patterns=True)


def _group(group: str, factor: Any, partitions: Any, *, patterns: bool) -> ConfigDef:
    definition = ConfigDef()
    if patterns:
        for order, name, title in ((1, "include", "Inclusion"), (2, "exclude", "Exclusion")):
            definition.define(
                name, _T.LIST, [], importance=_I.LOW, validator=LambdaValidator(_patterns, "valid regular expressions"),
                group=group, order=order, width=_W.LONG, display_name=f"{title} Topic Pattern for {group}",
                doc=f"Regular expressions over topic names: which topics the group {name}s.",
            )  # fmt: skip
    return definition.define(
        "replication.factor", _T.SHORT, _sane(factor, _FACTOR), importance=_I.LOW, validator=_FACTOR, group=group,
        order=3, width=_W.LONG, display_name=f"Replication Factor for Topics in {group}",
        doc="Replicas of a topic that is made; -1 for the broker's default.",
    ).define(
        "partitions", _T.INT, _sane(partitions, _PARTITIONS), importance=_I.LOW, validator=_PARTITIONS, group=group,
        order=4, width=_W.LONG, display_name=f"Partition Count for Topics in {group}",
        doc="Partitions of a topic that is made; -1 for the broker's default.",
    )  # fmt: skip


def _sane(default: Any, validator: Validator) -> Any:
    """Return the default group's value, or -1 if it is wrong: its own setting reports that."""
    if default is NO_DEFAULT:
        return default
    try:
        number = int(default)
        validator.ensure_valid("", number)
    except (ValueError, ConfigError):
        return -1
    return number


def _patterns(name: str, value: Any) -> None:
    for pattern in value or []:
        try:
            compile_regex(pattern)
        except JavaRegexError:
            raise ConfigError(name, pattern, "Syntax error in regular expression") from None


def _factor(name: str, value: Any) -> None:
    if value is not None and value != -1 and value < 1:
        problem = "Replication factor must be positive and not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default"
        raise ConfigError(name, value, problem)


def _partitions(name: str, value: Any) -> None:
    if value is not None and value != -1 and value < 1:
        raise ConfigError(name, value, "Number of partitions must be positive, or -1 to use the broker's default")


_FACTOR: Final = CompositeValidator(LambdaValidator(_factor, "a positive number, or -1 for the broker's default"))
_PARTITIONS: Final = CompositeValidator(
    LambdaValidator(_partitions, "a positive number, or -1 for the broker's default")
)

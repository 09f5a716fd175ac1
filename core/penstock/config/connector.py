"""The settings that every connector has (``ConnectorConfig``, ``SourceConnectorConfig``, ``SinkConnectorConfig``).

Order, groups, widths, display names and checks are Kafka 4.4's: the validate endpoint shows them. With a
`PluginLookup` class names are resolved and recommended as well; without one they stay text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from penstock.config.definition import ConfigDef, ConfigType, ConfigValue, Importance, Width
from penstock.config.lookup import (
    ClassRecommender,
    ClassValidator,
    Kind,
    PluginLookup,
    VersionRecommender,
    class_parser,
)
from penstock.config.validators import (
    CaseInsensitiveValidString,
    CompositeValidator,
    LambdaValidator,
    NonEmptyString,
    NonEmptyStringWithoutControlChars,
    NonNullValidator,
    Range,
    ValidString,
)
from penstock.config.versions import PluginVersionValidator
from penstock.errors import ConfigError
from penstock.java.regex import JavaRegexError, compile_regex

__all__ = [
    "connector_config_def",
    "connector_defaults",
    "error_adder",
    "sink_connector_config_def",
    "source_connector_config_def",
    "validate_sink",
]

_T, _I, _W = ConfigType, Importance, Width
_CONVERTERS: Final[tuple[tuple[str, Kind, str], ...]] = (
    ("key.converter", "converter", "Key converter"),
    ("value.converter", "converter", "Value converter"),
    ("header.converter", "header_converter", "Header converter"),
)
_CONVERTER_DOCS: Final = {
    "key.converter": "Converter of record keys. Without it the worker's is used, with the worker's settings for it.",
    "value.converter": "Converter of record values. Without it the worker's is used, with the worker's settings for it.",
    "header.converter": "Converter of record headers. Without it the worker's is used, with the worker's settings for it.",
}


def _unique(what: str) -> CompositeValidator:
    def check(name: str, value: Any) -> None:
        if value is not None and len(set(value)) < len(value):
            raise ConfigError(name, value, "Duplicate alias provided.")

    return CompositeValidator(NonNullValidator(), LambdaValidator(check, f"unique {what}"))


def connector_config_def(
    lookup: PluginLookup | None = None, defaults: Mapping[str, str | None] | None = None
) -> ConfigDef:
    """Return the settings of every connector (``ConnectorConfig.configDef``); `defaults` come from `connector_defaults`."""
    given = defaults or {}
    definition = (
        ConfigDef()
        .define("name", _T.STRING, importance=_I.HIGH, validator=NonEmptyStringWithoutControlChars(), group="Common",
                order=1, width=_W.MEDIUM, display_name="Connector name",
                doc="The connector's name, unique in the cluster.")
        .define("connector.class", _T.STRING, importance=_I.HIGH, group="Common", order=2, width=_W.LONG,
                display_name="Connector class",
                doc="The connector: its plugin name, its class name, or the short form of that.")
        .define("connector.plugin.version", _T.STRING, given.get("connector.plugin.version"), importance=_I.MEDIUM,
                validator=PluginVersionValidator(), group="Common", order=3, width=_W.MEDIUM,
                display_name="Connector version",
                doc="Which version of the connector's class is wanted: a version, a range, or latest.",
                recommender=VersionRecommender(lookup, "connector", "connector.class", hides=True))
        .define("tasks.max", _T.INT, 1, importance=_I.HIGH, validator=Range.at_least(1), group="Common", order=4,
                width=_W.SHORT, display_name="Tasks max", doc="How many tasks the work may be divided into at most.")
        .define("tasks.max.enforce", _T.BOOLEAN, True, importance=_I.LOW, group="Common", order=5, width=_W.SHORT,
                display_name="Enforce tasks max",
                doc="Whether a connector that asks for more tasks than that fails. If not, it is only warned about.")
    )  # fmt: skip
    for order, (setting, kind, title) in enumerate(_CONVERTERS):
        definition.define(
            setting, _T.CLASS, given.get(setting), importance=_I.LOW, group="Common", order=6 + 2 * order,
            width=_W.SHORT, display_name=f"{title} class", doc=_CONVERTER_DOCS[setting],
            recommender=ClassRecommender(lookup, kind) if lookup else None,
            parser=class_parser(lookup, kind) if lookup else None,
            validator=ClassValidator(lookup, kind) if lookup else None,
        ).define(
            f"{setting}.plugin.version", _T.STRING, given.get(f"{setting}.plugin.version"), importance=_I.LOW,
            validator=PluginVersionValidator(), group="Common", order=7 + 2 * order, width=_W.SHORT,
            display_name=f"{title} version",
            doc="Which version of that converter is wanted: a version, a range, or latest.",
            recommender=VersionRecommender(lookup, kind, setting, hides=True),
        )  # fmt: skip
    return _chain_and_errors(definition)


def _chain_and_errors(definition: ConfigDef) -> ConfigDef:
    return (
        definition
        .define("transforms", _T.LIST, [], importance=_I.LOW, validator=_unique("transformation aliases"),
                group="Transforms", order=12, width=_W.LONG, display_name="Transforms",
                doc="Aliases of the transforms that each record goes through, in their order.")
        .define("predicates", _T.LIST, [], importance=_I.LOW, validator=_unique("predicate aliases"),
                group="Predicates", order=13, width=_W.LONG, display_name="Predicates",
                doc="Aliases of the predicates that transforms refer to.")
        .define("config.action.reload", _T.STRING, "restart", importance=_I.LOW,
                validator=ValidString("none", "restart"), group="Common", order=14, width=_W.MEDIUM,
                display_name="Reload Action",
                doc="What happens when a value from a config provider expires: restart the connector, or nothing.")
        .define("errors.retry.timeout", _T.LONG, 0, importance=_I.MEDIUM, group="Error Handling", order=1,
                width=_W.MEDIUM, display_name="Retry Timeout for Errors",
                doc="For how many milliseconds a failed operation is tried again: 0 for not at all, -1 for ever.")
        .define("errors.retry.delay.max.ms", _T.LONG, 60000, importance=_I.MEDIUM, group="Error Handling", order=2,
                width=_W.MEDIUM, display_name="Maximum Delay Between Retries for Errors",
                doc="The longest pause between two tries, in milliseconds; pauses double, with some randomness.")
        .define("errors.tolerance", _T.STRING, "none", importance=_I.MEDIUM, validator=ValidString("none", "all"),
                group="Error Handling", order=3, width=_W.SHORT, display_name="Error Tolerance",
                doc="none: the first record that cannot be handled fails the task. all: such records are skipped.")
        .define("errors.log.enable", _T.BOOLEAN, False, importance=_I.MEDIUM, group="Error Handling", order=4,
                width=_W.SHORT, display_name="Log Errors", doc="Log tolerated errors too, not only those that fail a task.")
        .define("errors.log.include.messages", _T.BOOLEAN, False, importance=_I.MEDIUM, group="Error Handling",
                order=5, width=_W.SHORT, display_name="Log Error Details",
                doc="Log what the failed record was: topic, partition, offset and timestamp of a sink record; "
                    "never key, value or headers.")
    )  # fmt: skip


def source_connector_config_def(
    lookup: PluginLookup | None = None, defaults: Mapping[str, str | None] | None = None
) -> ConfigDef:
    """Return the settings of every source connector (``SourceConnectorConfig.configDef``)."""
    return (
        connector_config_def(lookup, defaults)
        .define("topic.creation.groups", _T.LIST, [], importance=_I.LOW, validator=_unique("topic creation groups"),
                group="Topic Creation", order=1, width=_W.LONG, display_name="Topic Creation Groups",
                doc="Groups of topics to be made with settings of their own; the group `default` is for all others.")
        .define("exactly.once.support", _T.STRING, "requested", importance=_I.MEDIUM,
                validator=CaseInsensitiveValidString("REQUIRED", "REQUESTED"), group="Exactly Once Support", order=2,
                width=_W.SHORT, display_name="Exactly once support",
                doc="required: refuse the connector unless worker and connector can deliver exactly once.")
        .define("transaction.boundary", _T.STRING, "poll", importance=_I.MEDIUM,
                validator=CaseInsensitiveValidString("INTERVAL", "POLL", "CONNECTOR"), group="Exactly Once Support",
                order=3, width=_W.SHORT, display_name="Transaction Boundary",
                doc="What ends a transaction: each batch (poll), time (interval), or the connector itself.")
        .define("transaction.boundary.interval.ms", _T.LONG, None, importance=_I.LOW, validator=_optional_interval(),
                group="Exactly Once Support", order=4, width=_W.SHORT, display_name="Transaction boundary interval",
                doc="How long a transaction lasts where time ends it; the worker's offset.flush.interval.ms if not given.")
        .define("offsets.storage.topic", _T.STRING, None, importance=_I.LOW, validator=NonEmptyString(),
                group="offsets.topic", order=1, width=_W.LONG, display_name="Offsets topic",
                doc="A topic of this connector's own for its offsets; the worker's if not given.")
    )  # fmt: skip


def _optional_interval() -> LambdaValidator:
    at_least_zero = Range.at_least(0)

    def check(name: str, value: Any) -> None:
        if value is not None:
            at_least_zero.ensure_valid(name, value)

    return LambdaValidator(check, "[0,...]")


def sink_connector_config_def(
    lookup: PluginLookup | None = None, defaults: Mapping[str, str | None] | None = None
) -> ConfigDef:
    """Return the settings of every sink connector (``SinkConnectorConfig.configDef``)."""
    return (
        connector_config_def(lookup, defaults)
        .define("topics", _T.LIST, [], importance=_I.HIGH, group="Common", order=4, width=_W.LONG,
                display_name="Topics", doc="The topics to read, separated by commas.")
        .define("topics.regex", _T.STRING, "", importance=_I.HIGH,
                validator=LambdaValidator(_valid_regex, "valid regex"), group="Common", order=4, width=_W.LONG,
                display_name="Topics regex", doc="In place of a list: a regular expression over topic names.")
        .define("errors.deadletterqueue.topic.name", _T.STRING, "", importance=_I.MEDIUM, group="Error Handling",
                order=6, width=_W.MEDIUM, display_name="Dead Letter Queue Topic Name",
                doc="Where records go that could not be handled, as they came; empty for nowhere.")
        .define("errors.deadletterqueue.topic.replication.factor", _T.SHORT, 3, importance=_I.MEDIUM,
                group="Error Handling", order=7, width=_W.MEDIUM,
                display_name="Dead Letter Queue Topic Replication Factor",
                doc="Replicas of that topic, where it has to be made.")
        .define("errors.deadletterqueue.context.headers.enable", _T.BOOLEAN, False, importance=_I.MEDIUM,
                group="Error Handling", order=8, width=_W.MEDIUM, display_name="Enable Error Context Headers",
                doc="Add headers `__connect.errors.*` that say where the record came from and what failed.")
    )  # fmt: skip


def _valid_regex(name: str, value: Any) -> None:
    try:
        compile_regex(value or "")
    except JavaRegexError as error:
        raise ConfigError(name, value, f"Invalid regex: {error}") from None


def connector_defaults(
    props: Mapping[str, str], worker: Mapping[str, str], lookup: PluginLookup
) -> dict[str, str | None]:
    """Return the defaults for one connector's definition: the worker's converters, and the versions of what is used.

    `props` are the connector's settings, `worker` the worker's.
    """
    found: dict[str, str | None] = {}
    if connector := props.get("connector.class"):
        found["connector.plugin.version"] = lookup.version("connector", connector)
    for setting, kind, _ in _CONVERTERS:
        default = worker.get(setting)
        if default is None and setting == "header.converter":
            default = "org.apache.kafka.connect.storage.SimpleHeaderConverter"
        found[setting] = lookup.class_name(kind, default) if default else None
        chosen = props.get(setting, default)
        found[f"{setting}.plugin.version"] = lookup.version(kind, chosen) if chosen else None
    return found


def validate_sink(props: Mapping[str, str], add_error: Callable[[str, str], None]) -> None:
    """Check the rules between a sink's settings (``SinkConnectorConfig.validate``); `add_error` takes setting and message."""
    topics = [t.strip() for t in props.get("topics", "").split(",") if t.strip()]
    regex, dead_letters = (
        props.get("topics.regex", "").strip(),
        props.get("errors.deadletterqueue.topic.name", "").strip(),
    )
    if bool(topics) is bool(regex):
        both = "topics and topics.regex are mutually exclusive options, but both are set."
        message = both if topics else "Must configure one of topics or topics.regex"
        add_error("topics", message)
        add_error("topics.regex", message)
    if dead_letters and dead_letters in topics:
        listed = f"topics=[{', '.join(topics)}]"
        add_error(
            "topics",
            f"The DLQ topic '{dead_letters}' may not be included in the list of topics ('{listed}') consumed by the connector",
        )
    if dead_letters and regex and _matches(regex, dead_letters):
        add_error(
            "topics.regex",
            f"The DLQ topic '{dead_letters}' may not be matched by the regex for the topics "
            f"('topics.regex={regex}') consumed by the connector",
        )


def _matches(regex: str, text: str) -> bool:
    try:
        return compile_regex(regex).matches(text)
    except JavaRegexError:
        return False  # reported where the setting itself is checked


def error_adder(values: Mapping[str, ConfigValue]) -> Callable[[str, str], None]:
    """Return a function for `validate_sink` that puts messages on the values of a validation."""
    return lambda name, message: values[name].add_error(message)

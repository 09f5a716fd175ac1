"""The settings every connector has, those of its transforms and topic groups, and what validation answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from penstock.config import ConfigDef, ConfigType, ConfigValue, Importance, Password, Range
from penstock.config.connector import (
    connector_defaults,
    error_adder,
    sink_connector_config_def,
    source_connector_config_def,
    validate_sink,
)
from penstock.config.enrich import enrich, enrich_topic_creation
from penstock.config.info import config_infos, config_text, merged
from penstock.config.versions import VersionRange
from penstock.errors import PluginError


class InsertThing:
    @classmethod
    def config_def(cls) -> ConfigDef:
        return (
            ConfigDef()
            .define("thing", ConfigType.INT, 1, importance=Importance.MEDIUM, doc="d", validator=Range.at_least(1))
            .define("must", ConfigType.STRING, importance=Importance.MEDIUM, doc="d")
            .define("extra", ConfigType.STRING, "e", importance=Importance.HIGH, doc="d", internal=True)
            .define("big", ConfigType.STRING, None, importance=Importance.HIGH, doc="d", group="Own")
        )


class FakeLookup:
    """Knows one class of every kind by two names."""

    def concrete_names(self, kind: str, name: str) -> Sequence[str]:
        return []

    def class_names(self, kind: str) -> Sequence[str]:
        return [f"com.acme.{kind}.Thing"]

    def class_name(self, kind: str, name: str) -> str | None:
        if name == "twice":
            raise PluginError("claimed twice")
        return f"com.acme.{kind}.Thing" if name in ("Thing", f"com.acme.{kind}.Thing", "broken") else None

    def version(self, kind: str, name: str) -> str | None:
        return "1.5" if self.class_name(kind, name) else None

    def load(self, kind: str, name: str) -> type:
        if name == "broken":
            raise PluginError("needs the module 'x'")
        if self.class_name(kind, name) is None:
            raise PluginError("unknown")
        return InsertThing


LOOKUP = FakeLookup()
PROPS = {"name": "c", "connector.class": "Thing"}


def errors_of(values: list[ConfigValue]) -> dict[str, list[str]]:
    return {v.name: v.errors for v in values if v.errors}


def source(props: dict[str, str]) -> tuple[ConfigDef, dict[str, ConfigValue]]:
    definition = enrich(source_connector_config_def(LOOKUP), props, LOOKUP)
    return definition, {v.name: v for v in definition.validate(props)}


def test_each_transform_gets_a_group_with_type_version_and_its_own_settings_in_kafkas_order() -> None:
    definition, values = source({**PROPS, "transforms": "a", "transforms.a.type": "Thing", "transforms.a.must": "x"})
    assert definition.groups[-2:] == ["Transforms: a", "Transforms: a: Own"]
    own = [
        (k.name.removeprefix("transforms.a."), k.order) for k in definition.keys if k.name.startswith("transforms.a.")
    ]
    assert own == [
        ("type", 0), ("plugin.version", 1), ("must", 2), ("negate", 3), ("predicate", 4), ("thing", 5), ("big", 6), ("extra", 7),
    ]  # fmt: skip
    assert values["transforms.a.type"].value == "com.acme.transformation.Thing"
    assert values["transforms.a.type"].recommended_values == ["com.acme.transformation.Thing"]
    assert values["transforms.a.plugin.version"].value == "1.5"


def test_errors_of_an_embedded_setting_name_it_as_its_class_does() -> None:
    props = {
        **PROPS,
        "transforms": "a",
        "transforms.a.type": "Thing",
        "transforms.a.must": "x",
        "transforms.a.thing": "0",
    }
    assert source(props)[1]["transforms.a.thing"].errors == [
        "Invalid value 0 for configuration thing: Value must be at least 1"
    ]


@pytest.mark.parametrize(
    ("props", "expected"),
    [
        (
            {"transforms": "a,a", "transforms.a.type": "Thing", "transforms.a.must": "x"},
            {"transforms": "Invalid value [a, a] for configuration transforms: Duplicate alias provided."},
        ),
        (
            {"transforms": "a"},
            {"transforms.a.type": 'Missing required configuration "transforms.a.type" which has no default value.'},
        ),
        (
            {"transforms": "a", "transforms.a.type": "No"},
            {"transforms.a.type": "Invalid value No for configuration transforms.a.type: Class No could not be found."},
        ),
        (
            {"transforms": "a", "transforms.a.type": "broken"},
            {"transforms.a.type": "Invalid value broken for configuration transforms.a.type: needs the module 'x'"},
        ),
        (
            {"transforms": "a", "transforms.a.type": "twice"},
            {"transforms.a.type": "Invalid value twice for configuration transforms.a.type: claimed twice"},
        ),
        (
            {"transforms": "a", "transforms.a.type": "Thing", "transforms.a.must": "x", "transforms.a.negate": "true"},
            {
                "transforms.a.type": "Config 'transforms.a.negate' was provided but there is no config "
                "'transforms.a.predicate' defining a predicate to be negated."
            },
        ),
        (
            {"transforms": "a", "transforms.a.type": "Thing", "transforms.a.must": "x", "transforms.a.predicate": "p"},
            {
                "transforms.a.predicate": "Invalid value p for configuration predicate: expected an alias of `predicates`: "
                "none is defined"
            },
        ),
        (
            {"key.converter": "No"},
            {"key.converter": "Invalid value No for configuration key.converter: Class No could not be found."},
        ),
        (
            {"predicates": "p"},
            {"predicates.p.type": 'Missing required configuration "predicates.p.type" which has no default value.'},
        ),
        (
            {"connector.plugin.version": "[2.0"},
            {"connector.plugin.version": "Unbounded range: [2.0"},
        ),
        (
            {"transaction.boundary.interval.ms": "-1"},
            {
                "transaction.boundary.interval.ms": "Invalid value -1 for configuration transaction.boundary.interval.ms: "
                "Value must be at least 0"
            },
        ),
    ],
)
def test_what_is_wrong_is_said_at_the_setting(props: dict[str, str], expected: dict[str, str]) -> None:
    found = errors_of(list(source({**PROPS, **props})[1].values()))
    assert found == {name: [message] for name, message in expected.items()}


def test_a_value_that_cannot_be_parsed_is_still_given_to_its_check_as_nothing() -> None:
    assert source({**PROPS, "tasks.max": "abc"})[1]["tasks.max"].errors == [
        "Invalid value abc for configuration tasks.max: Not a number of type INT",
        "Invalid value null for configuration tasks.max: Value must be non-null",
    ]


def test_a_name_may_not_hold_control_characters_and_a_missing_one_is_reported_once() -> None:
    assert source({"connector.class": "Thing"})[1]["name"].errors == [
        'Missing required configuration "name" which has no default value.'
    ]
    assert source({**PROPS, "name": "a\x01\x7f"})[1]["name"].errors == [
        "Invalid value a\x01\x7f for configuration name: "
        "String may not contain control sequences but had the following ASCII chars: 1, 127"
    ]


def test_converters_and_versions_default_to_the_workers() -> None:
    defaults = connector_defaults(PROPS, {"key.converter": "Thing"}, LOOKUP)
    values = {v.name: v for v in source_connector_config_def(LOOKUP, defaults).validate(PROPS)}
    assert values["connector.plugin.version"].value == "1.5"
    assert values["key.converter"].value == "com.acme.converter.Thing"
    assert (values["key.converter.plugin.version"].value, values["key.converter.plugin.version"].visible) == (
        "1.5",
        True,
    )
    assert (values["value.converter.plugin.version"].value, values["value.converter.plugin.version"].visible) == (
        None,
        False,
    )


@pytest.mark.parametrize(
    ("props", "expected"),
    [
        ({"topics": "a"}, {}),
        ({"topics.regex": "a.*"}, {}),
        ({}, dict.fromkeys(("topics", "topics.regex"), "Must configure one of topics or topics.regex")),
        (
            {"topics": "a", "topics.regex": "a"},
            dict.fromkeys(
                ("topics", "topics.regex"), "topics and topics.regex are mutually exclusive options, but both are set."
            ),
        ),
        (
            {"topics": "a,b", "errors.deadletterqueue.topic.name": "b"},
            {
                "topics": "The DLQ topic 'b' may not be included in the list of topics ('topics=[a, b]') consumed by the connector"
            },
        ),
        (
            {"topics.regex": "b.*", "errors.deadletterqueue.topic.name": "bb"},
            {
                "topics.regex": "The DLQ topic 'bb' may not be matched by the regex for the topics "
                "('topics.regex=b.*') consumed by the connector"
            },
        ),
        ({"topics.regex": "("}, {"topics.regex": "Invalid value ( for configuration topics.regex: Invalid regex: "
                                 "Unclosed group near index 1\n("}),
    ],
)  # fmt: skip
def test_a_sink_reads_a_list_of_topics_or_a_pattern_and_never_its_own_dead_letters(
    props: dict[str, str], expected: dict[str, str]
) -> None:
    values = {v.name: v for v in sink_connector_config_def().validate({**PROPS, **props})}
    validate_sink(props, error_adder(values))
    assert errors_of(list(values.values())) == {name: [message] for name, message in expected.items()}


def test_topic_creation_groups_take_over_what_the_default_group_says() -> None:
    props = {
        **PROPS,
        "topic.creation.default.partitions": "4",
        "topic.creation.default.replication.factor": "2",
        "topic.creation.groups": "big",
        "topic.creation.big.include": "big.*",
        "topic.creation.big.partitions": "9",
    }
    parsed = enrich_topic_creation(source_connector_config_def(), props).parse(props)
    assert parsed["topic.creation.big.partitions"] == 9
    assert parsed["topic.creation.big.replication.factor"] == 2
    assert parsed["topic.creation.big.include"] == ["big.*"]


def test_topic_creation_needs_a_default_group_once_it_is_used() -> None:
    assert enrich_topic_creation(source_connector_config_def(), PROPS).names == source_connector_config_def().names
    props = {**PROPS, "topic.creation.groups": "g", "topic.creation.g.include": "(", "topic.creation.g.partitions": "0"}
    assert set(errors_of(enrich_topic_creation(source_connector_config_def(), props).validate(props))) == {
        "topic.creation.default.partitions",
        "topic.creation.default.replication.factor",
        "topic.creation.g.include",
        "topic.creation.g.partitions",
    }


def test_the_answer_counts_errors_hides_secrets_and_shows_internal_settings_only_where_used() -> None:
    definition = (
        ConfigDef()
        .define("secret", ConfigType.PASSWORD, importance=Importance.HIGH, doc="d")
        .define("own", ConfigType.STRING, "V1", importance=Importance.HIGH, doc="d", internal=True)
    )
    infos = config_infos(
        "x", definition, [*definition.validate({"secret": "hunter2"}), ConfigValue("alien", errors=["e"])]
    )
    assert infos["error_count"] == 1
    assert [(c["definition"] or {}).get("name") for c in infos["configs"]] == [None, "secret"]
    assert infos["configs"][1]["value"]["value"] == "[hidden]"
    shown = config_infos("x", definition, definition.validate({"secret": "s", "own": "V2"}))
    assert [c["value"]["value"] for c in shown["configs"]] == ["[hidden]", "V2"]
    both = merged("y", [infos, shown])
    assert (both["name"], both["error_count"], len(both["configs"])) == ("y", 1, 4)


@pytest.mark.parametrize(
    ("value", "of", "text"),
    [
        (None, ConfigType.INT, None),
        (True, ConfigType.BOOLEAN, "true"),
        (1e10, ConfigType.DOUBLE, "1.0E10"),
        (["a", "b"], ConfigType.LIST, "a,b"),
        (["a", "b"], None, "[a, b]"),
        (Password("x"), ConfigType.PASSWORD, "[hidden]"),
        (ConfigDef, ConfigType.CLASS, "penstock.config.definition.ConfigDef"),
        (5, ConfigType.LONG, "5"),
    ],
)
def test_values_are_written_as_kafka_writes_them(value: Any, of: ConfigType | None, text: str | None) -> None:
    assert config_text(value, of) == text


def test_a_dependent_that_is_not_defined_is_reported_and_hidden() -> None:
    definition = ConfigDef().define("a", ConfigType.INT, 1, importance=Importance.LOW, doc="d", dependents=("b",))
    _, outcome = definition.validate({})
    assert (outcome.name, outcome.visible) == ("b", False)
    assert outcome.errors == ["b is referred in the dependents, but not defined."]


@pytest.mark.parametrize(
    ("requirement", "version", "fits"),
    [
        ("[1.0,2.0)", "1.5", True),
        ("[1.0,2.0)", "2.0", False),
        ("4.3.0", "4.3", True),
        ("4.3.0", "4.3.1", False),
        ("(,1.0],[1.2,)", "1.1", False),
        ("(,1.0],[1.2,)", "1.2.1", True),
        ("latest", "anything", True),
        ("[1.0]", "1.0-SNAPSHOT", False),
        ("[0.9,1.0)", "1.0-rc1", True),
        ("[1.9,)", "1.10", True),
    ],
)
def test_version_requirements_are_mavens(requirement: str, version: str, fits: bool) -> None:
    assert (version in VersionRange.parse(requirement)) is fits


@pytest.mark.parametrize("requirement", ["", "[1.0", "(1.0)", "[2.0,1.0]", "1.0,2.0", "[1.0][2.0]"])
def test_a_requirement_that_is_none_is_refused(requirement: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        VersionRange.parse(requirement)

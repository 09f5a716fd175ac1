"""Whatever a user sends to be validated, the answer is a list of what is wrong with it: never a failure of ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import pytest

from lab.counting_source import CountingSource
from penstock.api import ConnectorTransactionBoundaries, ExactlyOnceSupport
from penstock.errors import ConnectError
from penstock.herder.plugin_listing import describe_plugins, plugin_settings
from penstock.herder.validation import ConnectorValidator
from penstock.plugins import Plugins

JSON = "org.apache.kafka.connect.json.JsonConverter"
#: None: the setting is not given.
VALUES: Final = (
    None,
    "",
    " ",
    "abc",
    "-1",
    "1.5",
    "[",
    "a:b",
    "a:int32,b:nope",
    "9" * 30,
    "true",
    "\u0000",
    "ü",
    "${a:b}",
)
PLUGINS = Plugins.discover()
CLASSES = [(found.type, found.class_name) for found in describe_plugins(PLUGINS, connectors_only=False)]
SOURCE = {"connector.class": "FileStreamSource", "name": "x", "topic": "t"}
#: Where a plugin of each type is named, beside a connector of its own.
PLACES: Final = {
    "transformation": ("transforms", "transforms.a.type", "transforms.a."),
    "predicate": ("predicates", "predicates.a.type", "predicates.a."),
    "converter": (None, "value.converter", "value.converter."),
    "header_converter": (None, "header.converter", "header.converter."),
}


@pytest.fixture(scope="module")
def validator() -> ConnectorValidator:
    return ConnectorValidator(PLUGINS, {"key.converter": JSON, "value.converter": JSON})


@pytest.mark.parametrize(("kind", "name"), [c for c in CLASSES if c[0] in ("source", "sink")])
@pytest.mark.parametrize("value", VALUES)
def test_any_value_of_a_connectors_settings_is_answered(
    kind: str, name: str, value: str | None, validator: ConnectorValidator
) -> None:
    settings = [setting["name"] for setting in plugin_settings(PLUGINS, name, None)]
    config = {"connector.class": name, "name": "x"}
    if value is not None:
        config |= {setting: value for setting in settings if setting not in config}
    answer = json.loads(json.dumps(validator.validate(config)))
    assert answer["error_count"] == sum(len(c["value"]["errors"]) for c in answer["configs"])
    names = [c["value"]["name"] for c in answer["configs"]]
    assert set(settings) <= set(names)


@pytest.mark.parametrize(("kind", "name"), [c for c in CLASSES if c[0] in PLACES])
@pytest.mark.parametrize("value", VALUES)
def test_any_value_of_a_plugins_settings_is_answered(
    kind: str, name: str, value: str | None, validator: ConnectorValidator
) -> None:
    aliases, class_key, prefix = PLACES[kind]
    config = {**SOURCE, class_key: name, **({aliases: "a"} if aliases else {})}
    if value is not None:
        config |= {prefix + setting["name"]: value for setting in plugin_settings(PLUGINS, name, None)}
    answer = json.loads(json.dumps(validator.validate(config)))
    assert answer["error_count"] == sum(len(c["value"]["errors"]) for c in answer["configs"])


@pytest.mark.parametrize(
    "key", ["transforms", "predicates", "value.converter", "header.converter", "tasks.max", "errors.tolerance"]
)
@pytest.mark.parametrize("value", [v for v in VALUES if v is not None])
def test_any_value_of_a_common_setting_is_answered(key: str, value: str, validator: ConnectorValidator) -> None:
    answer = json.loads(json.dumps(validator.validate({**SOURCE, key: value})))
    assert answer["name"] == "FileStreamSource"


def test_a_sinks_own_consumer_group_is_listed_by_itself_and_must_not_be_the_workers() -> None:
    """As a worker of Kafka's distributed mode lists it: before the rest without a definition, and among the overrides."""
    validator = ConnectorValidator(PLUGINS, {"key.converter": JSON, "value.converter": JSON}, worker_group="g")
    sink = {"connector.class": "FileStreamSink", "name": "x", "topics": "t"}
    key = "consumer.override.group.id"
    for group, errors in (("other", []), ("g", ["Consumer group g conflicts with Connect worker group g"])):
        configs = validator.validate({**sink, key: group})["configs"]
        listed = [c for c in configs if c["value"]["name"] == key]
        assert configs[0] == listed[0]
        assert [c["definition"] is None for c in listed] == [True, False]
        assert [c["value"]["errors"] for c in listed] == [errors, []]
    named = validator.validate({**sink, "name": "x"})
    assert named["error_count"] == 0


def _raising(connector: object, props: Mapping[str, str]) -> Any:
    raise ConnectError("no database")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda connector, props: ExactlyOnceSupport.SUPPORTED, None),
        (
            lambda connector, props: ExactlyOnceSupport.UNSUPPORTED,
            "The connector does not support exactly-once semantics with the provided configuration.",
        ),
        (lambda connector, props: None, "The connector does not implement the API required for preflight validation"),
        (_raising, "An unexpected error occurred during validation: no database"),
    ],
)
def test_required_support_is_asked_of_the_connector_and_answered_in_kafkas_words(
    monkeypatch: pytest.MonkeyPatch, answer: Any, error: str | None
) -> None:
    monkeypatch.setattr(CountingSource, "exactly_once_support", answer)
    _expect("exactly.once.support", "required", error)
    config = {**COUNTING, "exactly.once.support": "required"}
    disabled = ConnectorValidator(PLUGINS, {"key.converter": JSON, "value.converter": JSON})
    value = _value(disabled.validate(config), "exactly.once.support")
    assert value["errors"][0] == "This worker does not have exactly-once source support enabled."
    assert len(value["errors"]) == (1 if error is None else 2)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda connector, props: ConnectorTransactionBoundaries.SUPPORTED, None),
        (
            lambda connector, props: ConnectorTransactionBoundaries.UNSUPPORTED,
            "The connector does not support connector-defined transaction boundaries with the given configuration.",
        ),
        (
            lambda connector, props: None,
            "This connector has returned a null value from its canDefineTransactionBoundaries",
        ),
        (_raising, "An unexpected error occurred during validation: no database"),
    ],
)
def test_boundaries_of_the_connectors_own_are_asked_of_it_and_answered_in_kafkas_words(
    monkeypatch: pytest.MonkeyPatch, answer: Any, error: str | None
) -> None:
    monkeypatch.setattr(CountingSource, "can_define_transaction_boundaries", answer)
    _expect("transaction.boundary", "connector", error)


COUNTING: Final = {"connector.class": "lab.counting_source:CountingSource", "name": "x", "topic": "t"}


def _expect(setting: str, value: str, error: str | None) -> None:
    validator = ConnectorValidator(PLUGINS, {"key.converter": JSON, "value.converter": JSON}, exactly_once=True)
    errors = _value(validator.validate({**COUNTING, setting: value}), setting)["errors"]
    assert (not errors) if error is None else errors[0].startswith(error)


def _value(answer: Mapping[str, Any], setting: str) -> Any:
    return next(c["value"] for c in answer["configs"] if c["value"]["name"] == setting)

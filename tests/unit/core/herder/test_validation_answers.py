"""Whatever a user sends to be validated, the answer is a list of what is wrong with it: never a failure of ours."""

from __future__ import annotations

import json
from typing import Final

import pytest

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

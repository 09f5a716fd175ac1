"""A setting that nothing reads is warned about where a connector is made and where it is validated, and breaks no client."""

from __future__ import annotations

import logging
from typing import Final

import pytest

from penstock.herder.plugin_listing import describe_plugins, plugin_settings
from penstock.herder.unknown_settings import unknown_settings, warning_header
from penstock.herder.validation import ConnectorValidator
from penstock.plugins import Plugins

JSON: Final = "org.apache.kafka.connect.json.JsonConverter"
PLUGINS: Final = Plugins.discover()
VALIDATOR: Final = ConnectorValidator(PLUGINS, {"key.converter": JSON, "value.converter": JSON})
SOURCE: Final = {"connector.class": "FileStreamSource", "name": "lines", "topic": "t", "file": "f"}
HOIST: Final = {"transforms": "h", "transforms.h.type": "org.apache.kafka.connect.transforms.HoistField$Value"}


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"topics": "t"}, "topics is not a known setting and has no effect; did you mean topic?"),
        ({"tasks.maxx": "2"}, "tasks.maxx is not a known setting and has no effect; did you mean tasks.max?"),
        ({"com.acme.rack": "2"}, "com.acme.rack is not a known setting and has no effect"),
        (
            {"value.converter.schemas.enable": "false"},
            "value.converter.schemas.enable has no effect without value.converter: the worker's converter has the worker's settings",
        ),
        (
            {"value.converter": JSON, "value.converter.schema.enable": "false"},
            "value.converter.schema.enable is not a known setting and has no effect; did you mean value.converter.schemas.enable?",
        ),
        (
            {**HOIST, "transforms.h.field": "f", "transforms.h.fields": "f"},
            "transforms.h.fields is not a known setting and has no effect; did you mean transforms.h.field?",
        ),
        ({"transforms.h.field": "f"}, "transforms.h.field is not a known setting and has no effect"),
    ],
)  # fmt: skip
def test_a_setting_that_nothing_reads_is_named_with_the_nearest_that_is(
    more: dict[str, str], sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    config = {**SOURCE, **more}
    assert unknown_settings(VALIDATOR.validate(config), config) == [sentence]
    with caplog.at_level(logging.WARNING):
        VALIDATOR.check(config)
    assert [r.getMessage() for r in caplog.records] == [f"[lines] {sentence}"]


@pytest.mark.parametrize(
    "more",
    [
        {"producer.override.queue.buffering.max.messages": "5", "config.providers": "x", "config.providers.x.class": "y"},
        {"errors.restart.max": "3", "topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1"},
        {"value.converter": "no.such.Converter", "value.converter.whatever": "1"},
        {"transforms": "h", "transforms.h.type": "no.such.Transform", "transforms.h.whatever": "1"},
        {**HOIST, "transforms.h.field": "f", "transforms.h.predicate": "p", "predicates": "p",
         "predicates.p.type": "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone"},
    ],
)  # fmt: skip
def test_what_is_read_or_may_be_is_not_warned_about(more: dict[str, str]) -> None:
    config = {**SOURCE, **more}
    assert unknown_settings(VALIDATOR.validate(config), config) == []


@pytest.mark.parametrize(
    "found", [p for p in describe_plugins(PLUGINS, connectors_only=False) if p.type in ("source", "sink", "converter")]
)
def test_no_setting_that_a_plugin_defines_is_unknown(found: object) -> None:
    name, kind = found.class_name, found.type  # type: ignore[attr-defined]  # PluginDescription
    if kind == "converter":
        config = {**SOURCE, "value.converter": name}
        config |= {f"value.converter.{s['name']}": "x" for s in plugin_settings(PLUGINS, name, None)}
    else:
        config = {"connector.class": name, "name": "c"} | {s["name"]: "x" for s in plugin_settings(PLUGINS, name, None)}
        config["connector.class"] = name
    assert unknown_settings(VALIDATOR.validate(config), config) == []


def test_the_header_holds_plain_text_whatever_a_setting_is_called() -> None:
    header = warning_header(['a"\r\nX-Evil: 1 \u00fc\\', *(f"s{i}" for i in range(30))])
    assert header == {
        "Warning": f'299 penstock "a???X-Evil: 1 ??; {"; ".join(f"s{i}" for i in range(9))}; and 21 more"'
    }
    assert warning_header([]) == {}

"""The descriptors: every class of Kafka's is there, can be imported, and says what it takes in Kafka's terms."""

from __future__ import annotations

import importlib

import pytest

from penstock import KAFKA_VERSION, __version__
from penstock.api import Predicate, Transform
from penstock.config import ConfigType, Importance
from penstock_transforms import plugin

TRANSFORMS = plugin.penstock_register_transforms()
PREDICATES = plugin.penstock_register_predicates()
BOTH = ("Cast", "ExtractField", "Flatten", "HeaderFrom", "HoistField", "InsertField", "MaskField", "ReplaceField")
PACKAGE = "org.apache.kafka.connect.transforms"


def loaded(descriptor):
    module, _, name = descriptor.target.partition(":")
    return getattr(importlib.import_module(module), name)


def test_every_transform_of_kafka_is_announced_under_its_class_name():
    aliases = {alias for p in TRANSFORMS for alias in p.aliases}
    both = {*BOTH, "SetSchemaMetadata", "TimestampConverter"}
    single = {"DropHeaders", "Filter", "InsertHeader", "RegexRouter", "TimestampRouter", "ValueToKey"}
    expected = {f"{PACKAGE}.{n}${part}" for n in both for part in ("Key", "Value")}
    assert {a for a in aliases if a.startswith(PACKAGE)} == expected | {f"{PACKAGE}.{n}" for n in single}


def test_what_kafka_does_not_have_is_announced_too():
    aliases = {alias for p in TRANSFORMS + PREDICATES for alias in p.aliases}
    own = {f"penstock.transforms.{n}${part}" for n in ("Drop", "predicates.RecordMatches") for part in ("Key", "Value")}
    names = (
        "ExtractNewRecordState",
        "ByLogicalTableRouter",
        "ToLogicalTopicRouter",
        "outbox.EventRouter",
        "TimezoneConverter",
    )
    debezium = {f"io.debezium.transforms.{name}" for name in names}
    assert {a for a in aliases if not a.startswith(PACKAGE)} == own | debezium


def test_short_names_are_unique_and_say_the_part():
    names = [p.name for p in TRANSFORMS + PREDICATES]
    assert len(set(names)) == len(names)
    assert {"cast.value", "cast.key", "insert-header", "has-header-key"} <= set(names)


@pytest.mark.parametrize("descriptor", TRANSFORMS + PREDICATES, ids=lambda p: p.name)
def test_a_descriptor_leads_to_its_class(descriptor):
    plugin_class = loaded(descriptor)
    assert issubclass(plugin_class, Predicate if descriptor in PREDICATES else Transform)
    kafkas = descriptor.aliases[0].startswith(PACKAGE)
    assert plugin_class.version == descriptor.version == (KAFKA_VERSION if kafkas else __version__)
    if descriptor.name.endswith((".key", ".value")):
        assert plugin_class.part == descriptor.name.rpartition(".")[2]
    for key in plugin_class.config_def().keys:
        assert key.doc.endswith((".", ")"))


def test_our_own_setting_stays_out_of_kafkas_validation_answers():
    for descriptor in TRANSFORMS:
        key = loaded(descriptor).config_def().key("field.syntax.version")
        if key is not None:
            kafkas = descriptor.name.startswith(("extract-field", "value-to-key"))
            assert key.internal == (not kafkas)
            assert (key.type, key.importance, key.default) == (ConfigType.STRING, Importance.HIGH, "V1")

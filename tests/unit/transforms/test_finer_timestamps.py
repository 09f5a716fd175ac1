"""Timestamps that are finer than milliseconds go through transforms unharmed, and into Unix times with their digits."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data import INT64, STRING, TIMESTAMP, Schema, SchemaBuilder, SinkRecord
from penstock.data.nanos import timestamp_from_micros, timestamp_from_nanos
from penstock.plugins import PluginKind, Plugins

PLUGINS = Plugins.discover()
NANOS = 1_700_000_000_123_456_789
AT = timestamp_from_nanos(NANOS)
EVENT = SchemaBuilder.struct().name("E").field("id", INT64).field("at", TIMESTAMP).build()


def after(name: str, schema: Schema | None, value: Any, **settings: str) -> Any:
    made: Any = PLUGINS.new(PluginKind.TRANSFORM, name)
    made.configure({key.replace("_", "."): text for key, text in settings.items()})
    return made.apply(SinkRecord("t", 0, None, None, schema, value, 0)).value


@pytest.mark.parametrize(
    ("name", "settings", "find"),
    [
        ("cast.value", {"spec": "id:int32"}, lambda v: v["at"]),
        ("extract-field.value", {"field": "at"}, lambda v: v),
        ("flatten.value", {}, lambda v: v["at"]),
        ("hoist-field.value", {"field": "x"}, lambda v: v["x"]["at"]),
        ("insert-field.value", {"static_field": "a", "static_value": "b"}, lambda v: v["at"]),
        ("mask-field.value", {"fields": "id"}, lambda v: v["at"]),
        ("replace-field.value", {"renames": "at:when"}, lambda v: v["when"]),
        ("set-schema-metadata.value", {"schema_name": "X"}, lambda v: v["at"]),
        ("timestamp-converter.value", {"field": "at", "target_type": "Timestamp"}, lambda v: v["at"]),
    ],
)
@pytest.mark.parametrize("schema", [EVENT, None])
def test_transforms_hand_them_on(name: str, settings: dict[str, str], find: Any, schema: Schema | None) -> None:
    if name.startswith(("set-schema", "flatten")):
        schema = EVENT  # the one is for schemas, the other takes no dates without one
    assert find(after(name, schema, {"id": 1, "at": AT}, **settings)) == AT


def test_a_masked_one_is_the_epoch() -> None:
    assert after("mask-field.value", EVENT, {"id": 1, "at": AT}, fields="at")["at"] == timestamp_from_nanos(0)


@pytest.mark.parametrize("schema", [TIMESTAMP, None])
@pytest.mark.parametrize(
    ("unit", "number"),
    [("seconds", NANOS // 10**9), ("milliseconds", NANOS // 10**6), ("microseconds", NANOS // 1000), ("nanoseconds", NANOS)],
)  # fmt: skip
def test_a_unix_time_gets_the_digits_its_unit_holds(schema: Schema | None, unit: str, number: int) -> None:
    settings = {"target_type": "unix", "unix_precision": unit}
    assert after("timestamp-converter.value", schema, AT, **settings) == number


@pytest.mark.parametrize("schema", [INT64, None])
def test_a_timestamp_is_cut_to_milliseconds_unless_more_is_asked_for(schema: Schema | None) -> None:
    def read(number: int, **settings: str) -> Any:
        return after("timestamp-converter.value", schema, number, target_type="Timestamp", **settings)

    milli = timestamp_from_micros(NANOS // 10**6 * 1000)
    assert read(NANOS, unix_precision="nanoseconds") == milli
    # Java cuts towards zero, which no converter could do later.
    assert read(-1_500, unix_precision="microseconds") == timestamp_from_micros(-1000)
    assert read(NANOS, unix_precision="nanoseconds", timestamp_precision="nanoseconds") == AT
    assert read(NANOS, unix_precision="nanoseconds", timestamp_precision="microseconds") == AT.replace(nanosecond=0)  # type: ignore[call-arg]
    assert read(-1_500, unix_precision="microseconds", timestamp_precision="nanoseconds") == timestamp_from_micros(
        -1500
    )
    assert read(5, unix_precision="seconds", timestamp_precision="nanoseconds") == timestamp_from_micros(5_000_000)
    far = read(2**62, unix_precision="microseconds", timestamp_precision="microseconds")
    assert (far, isinstance(far, dt.datetime)) == (2**62 // 1000, False)


@given(st.integers(-(2**63), 2**63 - 1))
def test_nanoseconds_go_there_and_back(nanos: int) -> None:
    settings = {"unix_precision": "nanoseconds", "timestamp_precision": "nanoseconds"}
    moment = after("timestamp-converter.value", INT64, nanos, target_type="Timestamp", **settings)
    assert moment == timestamp_from_nanos(nanos)
    assert after("timestamp-converter.value", TIMESTAMP, moment, target_type="unix", **settings) == nanos


def test_a_text_has_what_java_s_formats_can_say() -> None:
    settings = {"target_type": "string", "format": "HH:mm:ss.SSS"}
    assert after("timestamp-converter.value", TIMESTAMP, AT, **settings) == "22:13:20.123"
    back = after("timestamp-converter.value", STRING, "22:13:20.123", target_type="Timestamp", format="HH:mm:ss.SSS")
    assert back == timestamp_from_micros(80_000_123_000)

"""`TimezoneConverter`: times in change events move into a time zone."""

from __future__ import annotations

import datetime as dt
import logging

import pytest

from lab.change_events import event, event_schema, run
from penstock.data import INT32, OPTIONAL_TIMESTAMP, Schema, SchemaBuilder, Type
from penstock.errors import ConfigError, DataError
from penstock_transforms.debezium.timezone_converter import TimezoneConverter


def kind(type_, name, default=None):
    return Schema(type_, optional=True, name=f"io.debezium.time.{name}", version=1, default=default)


ROW = (
    SchemaBuilder.struct()
    .name("srv.db.times.Value")
    .field("id", INT32)
    .field("ms", kind(Type.INT64, "Timestamp"))
    .field("us", kind(Type.INT64, "MicroTimestamp"))
    .field("ns", kind(Type.INT64, "NanoTimestamp"))
    .field("zt", kind(Type.STRING, "ZonedTimestamp"))
    .field("time", kind(Type.STRING, "ZonedTime"))
    .field("connect", OPTIONAL_TIMESTAMP)
    .field("day", kind(Type.INT32, "Date"))
    .optional()
    .build()
)
ENVELOPE = event_schema(ROW, topic="srv.db.times")
WINTER = dt.datetime(2024, 1, 15, 12, tzinfo=dt.UTC)
SECOND = int(WINTER.timestamp())
VALUES = {
    "id": 1, "ms": SECOND * 1000 + 1, "us": SECOND * 10**6 + 1, "ns": SECOND * 10**9 + 1,
    "zt": "2024-01-15T12:00:00.120Z", "time": "23:30:00Z", "connect": WINTER, "day": 19_737,
}  # fmt: skip
TIMES = ["ms", "us", "ns", "zt", "time", "connect"]


def convert(zone="+05:30", schema=ENVELOPE, value=None, topic="srv.db.orders", **config):
    settings = {"converted.timezone": zone, **{n.replace("_", "."): v for n, v in config.items()}}
    return run(TimezoneConverter, value or event("u", VALUES, VALUES), schema, settings, topic=topic).value


def changed(value, part):
    return [name for name, old in VALUES.items() if value[part][name] != old]


def test_every_kind_of_time_is_moved_and_dates_are_not(caplog):
    with caplog.at_level(logging.WARNING):
        out = convert()
    moved = 5 * 3600 + 1800
    assert out["before"] == out["after"]
    assert out["after"] == {
        "id": 1, "ms": (SECOND - moved) * 1000 + 1, "us": (SECOND - moved) * 10**6 + 1, "ns": (SECOND - moved) * 10**9 + 1,
        "zt": "2024-01-15T17:30:00.12+05:30", "time": "05:00:00+05:30", "connect": WINTER - dt.timedelta(hours=5, minutes=30),
        "day": 19_737,
    }  # fmt: skip
    assert out["source"] == event("u")["source"]
    assert [r.getMessage() for r in caplog.records] == [
        f"TimezoneConverter: {part}.day is left as it is: io.debezium.time.Date has no zone" for part in ("before", "after")
    ]  # fmt: skip


def test_a_zone_has_the_offset_of_the_season():
    summer = int(dt.datetime(2024, 7, 15, 12, tzinfo=dt.UTC).timestamp())
    for second, hours in ((SECOND, -5), (summer, -4)):
        out = convert("America/New_York", value=event("c", None, {"id": 1, "ms": second * 1000}))
        assert out["after"]["ms"] == (second - hours * 3600) * 1000


def test_a_time_of_day_has_the_offset_that_the_zone_has_now():
    class InJuly(TimezoneConverter):
        now = staticmethod(lambda: dt.datetime(2024, 7, 1, tzinfo=dt.UTC).timestamp())

    value = event("c", None, {"id": 1, "time": "12:00:00Z"})
    out = run(InJuly, value, ENVELOPE, {"converted.timezone": "Europe/Paris"}).value
    assert out["after"]["time"] == "14:00:00+02:00"


def test_nulls_stay_and_defaults_are_converted():
    row = (
        SchemaBuilder.struct()
        .field("id", INT32)
        .field("a", kind(Type.INT64, "Timestamp"))
        .field("b", kind(Type.INT64, "Timestamp", 5))
        .build()
    )
    assert convert("+00:00:01", event_schema(row), event("c", None, {"id": 1}))["after"] == {"id": 1, "b": -995}


@pytest.mark.parametrize("text", ["infinity", "-infinity"])
def test_infinite_timestamps_stay(text):
    assert convert(value=event("c", None, {"id": 1, "zt": text}))["after"]["zt"] == text


def test_times_beyond_pythons_years_are_numbers_and_are_moved_too():
    far = 10**15
    first = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
    out = convert("America/New_York", value=event("c", None, {"id": 1, "connect": far, "us": -(10**17)}))["after"]
    assert out["connect"] in (far + 5 * 3600_000, far + 4 * 3600_000)
    assert out["us"] == -(10**17) + (4 * 3600 + 56 * 60 + 2) * 10**6
    moved = convert(value=event("c", None, {"id": 1, "connect": first}))["after"]["connect"]
    assert moved == -62_135_596_800_000 - 19_800_000


@pytest.mark.parametrize(
    ("rules", "topic", "expected"),
    [
        ("source:orders", "t", TIMES),
        ("source:orders:us", "t", ["us"]),
        ("source:other", "t", []),
        ("topic:t:zt", "t", ["zt"]),
        ("topic:other:zt", "t", []),
        ("orders:us,orders:ms", "t", ["ms", "us"]),
        ("t:us", "t", ["us"]),
        ("source:other:us,orders:ms", "t", ["ms"]),
        ("topic:t:us,orders:ms", "t", ["us"]),
        ("orders:id", "t", []),
        ("orders:day", "t", []),
    ],
)
def test_rules_say_what_is_converted_and_what_is_not(rules, topic, expected):
    out = convert(include_list=rules, topic=topic)
    assert changed(out, "before") == changed(out, "after") == expected
    named = (
        rules.startswith(("source:other,", "source:other:us", "topic:other"))
        or expected
        or rules in ("orders:id", "orders:day")
    )
    if named and expected != TIMES:
        out = convert(exclude_list=rules, topic=topic)
        assert changed(out, "after") == [name for name in TIMES if name not in expected]


def test_a_rule_without_field_excludes_the_whole_event():
    assert changed(convert(exclude_list="source:orders"), "after") == []
    assert changed(convert(exclude_list="source:other"), "after") == TIMES


def test_a_rule_may_name_the_struct():
    out = convert(include_list="source:orders:before.us")
    assert (changed(out, "before"), changed(out, "after")) == (["us"], [])
    out = convert(include_list="source:orders:source.ts_ms")
    assert out["source"]["ts_ms"] == event("u")["source"]["ts_ms"] + 19_800_000
    assert changed(out, "after") == []
    out = convert(exclude_list="source:orders:source.ts_us")
    assert out["source"]["ts_ms"] == event("u")["source"]["ts_ms"] + 19_800_000
    assert changed(out, "after") == TIMES


def test_rules_are_chosen_by_the_table_of_each_event():
    other = {**event("c", None, VALUES), "source": {**event("c")["source"], "table": "other"}}
    assert changed(convert(include_list="source:orders:us", value=other), "after") == []
    assert changed(convert(include_list="source:orders:us", value={**other, "source": None}), "after") == []


def test_what_is_no_change_event_goes_through():
    for value, schema in ((None, None), (None, ENVELOPE), ({"a": 1}, None), ("x", Schema(Type.STRING))):
        out = run(TimezoneConverter, value, schema, {"converted.timezone": "+01:00"})
        assert (out.value, out.value_schema) == (value, schema)


@pytest.mark.parametrize(("field", "value"), [("zt", "yesterday"), ("time", "25:00:00Z"), ("ms", "text"), ("zt", 5)])
def test_values_that_are_no_times_are_data_errors_that_name_the_field(field, value):
    with pytest.raises(DataError) as caught:
        convert(value=event("c", None, {"id": 1, field: value}))
    assert f"value.after.{field}" in " ".join([str(caught.value), *getattr(caught.value, "__notes__", ())])


def test_a_number_that_no_longer_fits_is_a_data_error():
    with pytest.raises(DataError, match="does not fit into 64 bits"):
        convert(value=event("c", None, {"id": 1, "ns": -(2**63)}))


@pytest.mark.parametrize("zone", ["Mars/X", "+5", "EST", "+19:00", "+05:60", "/etc/passwd", "../UTC"])
def test_zones_that_java_has_no_rules_for_are_refused(zone):
    with pytest.raises(ConfigError, match="Invalid timezone format"):
        convert(zone)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"include.list": "times"}, "Invalid include list format"),
        ({"include.list": ""}, "Invalid include list format"),
        (
            {"include.list": "a:(,b:c"},
            r"Invalid value a:\(,b:c for .*A comma-separated list of valid regular expressions is expected, but Unclosed",
        ),
        ({"exclude.list": "source:a:b:c"}, "Invalid exclude list format"),
        ({"include.list": "a:b", "exclude.list": "a:b"}, "Both include and exclude lists are specified"),
        ({"converted.timezone": None}, "The 'converted.timezone' value is invalid: A value is required"),
        ({"converted.timezone": " "}, "A value is required"),
    ],
)
def test_settings_that_mean_nothing_are_refused(config, problem):
    with pytest.raises(ConfigError, match=problem):
        run(TimezoneConverter, None, None, {"converted.timezone": "UTC", **config})

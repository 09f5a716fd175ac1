"""``TimezoneConverter``: times in change events, moved into a time zone.

Followed are the settings and results of ``io.debezium.transforms.TimezoneConverter`` of Debezium 3: texts with an offset
say the same point in time on the zone's clocks; numbers, which have no offset, are read as the zone's local time.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from penstock import __version__
from penstock.api import BoundTransform, InPlace, Shape, Transform
from penstock.config import CompositeValidator, ConfigDef, ConfigType, Importance, LambdaValidator, Validator, Width
from penstock.config.types import parse_type
from penstock.data import Field, Schema, Type
from penstock.data.logical import TIMESTAMP_NAME, timestamp_to_millis
from penstock.errors import ConfigError, DataError
from penstock_transforms.blame import at_field, blame_part
from penstock_transforms.debezium.envelope import AFTER, BEFORE, SOURCE, is_envelope
from penstock_transforms.debezium.settings import Patterns, Required, parse_each
from penstock_transforms.debezium.timezone_rules import Choice, Rules, is_list_of_rules
from penstock_transforms.debezium.zones import Zone, moved_time, moved_timestamp, zone_of
from penstock_transforms.operating import unchanged
from penstock_transforms.requirements import not_a_struct

__all__ = ["TimezoneConverter"]

log = logging.getLogger(__name__)

Convert = Callable[[Any], Any]

_TIMEZONE: Final = "converted.timezone"
_PURPOSE: Final = "time zone conversion"
_DEBEZIUM: Final = "io.debezium.time."
_ZONED: Final = {f"{_DEBEZIUM}ZonedTimestamp", f"{_DEBEZIUM}ZonedTime"}
#: Schema of a number: how many of it are a second.
_PER_SECOND: Final = {
    f"{_DEBEZIUM}Timestamp": 1_000,
    f"{_DEBEZIUM}MicroTimestamp": 1_000_000,
    f"{_DEBEZIUM}NanoTimestamp": 1_000_000_000,
}
#: Fields of ``source`` without a schema's name, likewise.
_EPOCHS: Final = {"ts_ms": 1_000, "ts_us": 1_000_000, "ts_ns": 1_000_000_000}
_WITHOUT_ZONE: Final = frozenset(
    {
        *(_DEBEZIUM + kind for kind in ("Date", "Time", "MicroTime", "NanoTime")),
        "org.apache.kafka.connect.data.Date",
        "org.apache.kafka.connect.data.Time",
    }
)
#: The texts of PostgreSQL's infinite timestamps.
_INFINITE: Final = frozenset({"infinity", "-infinity"})
_MAX_TABLES: Final = 1000

_RULE: Final = "source:table, source:table:field, topic:topic, topic:topic:field or name:field, field with before., after. or source. in front"


def _check_rules(name: str, value: Any) -> None:
    if value is not None and not is_list_of_rules(value):
        problem = f"Invalid {name.partition('.')[0]} list format. Please specify a list of rules, each of them {_RULE}"
        raise ConfigError(name, value, problem)


def _check_zone(name: str, value: Any) -> None:
    if zone_of(value) is None:
        problem = "Invalid timezone format. Please specify either a geographic timezone (e.g. America/Los_Angeles) or a UTC offset in the "
        raise ConfigError(name, value, problem + "format of +/-hh:mm, (e.g. +08:00).")


_RULES: Final = LambdaValidator(_check_rules, "list of rules")
_ZONES: Final = LambdaValidator(_check_zone, "time zone by name or offset")
#: Debezium's own checks come before those of zone and rules.
_CHECKED_FIRST: Final[dict[str, Validator]] = {
    "exclude.list": Patterns(),
    _TIMEZONE: Required(),
    "include.list": Patterns(),
}
_CONFIG: Final = (
    ConfigDef()
    .define(
        _TIMEZONE,
        ConfigType.STRING,
        validator=CompositeValidator(Required(), _ZONES),
        importance=Importance.HIGH,
        width=Width.MEDIUM,
        doc="The zone to convert to, by name (America/New_York) or as an offset (+05:30).",
    )
    .define(
        "include.list",
        ConfigType.LIST,
        None,
        validator=CompositeValidator(Patterns(), _RULES),
        importance=Importance.HIGH,
        width=Width.MEDIUM,
        doc=f"Rules for what to convert, and nothing else: {_RULE}.",
    )
    .define(
        "exclude.list",
        ConfigType.LIST,
        None,
        validator=CompositeValidator(Patterns(), _RULES),
        importance=Importance.HIGH,
        width=Width.MEDIUM,
        doc=f"Rules for what not to convert: {_RULE}.",
    )
)


class TimezoneConverter(Transform):
    """Schemas stay as they are. The rows are copied; what is no change event goes through."""

    version = __version__
    #: Seconds since the epoch: a time of day without date has the offset that the zone has now.
    now: Callable[[], float] = staticmethod(time.time)

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _CONFIG

    def configure(self, configs: Mapping[str, Any]) -> None:
        for name, check in _CHECKED_FIRST.items():
            check.ensure_valid(
                name, parse_type(name, configs.get(name), ConfigType.STRING if name == _TIMEZONE else ConfigType.LIST)
            )
        config = parse_each(_CONFIG, configs)
        self._rules = _rules(config["include.list"], config["exclude.list"])
        zone = zone_of(config[_TIMEZONE])
        assert zone is not None  # as the definition has checked
        self._zone = zone

    def bind(self, shape: Shape) -> BoundTransform:
        schema = shape.value_schema
        if schema is None or not is_envelope(schema):
            return BoundTransform(unchanged, shape)
        edit = self._edit(shape.topic, schema)

        def apply(record: Any) -> Any:
            if record.value is None:
                return record
            if not isinstance(record.value, dict) or schema.type is not Type.STRUCT:
                raise not_a_struct(_PURPOSE, record.value, schema)
            try:
                edit(record.value)
            except Exception as error:
                told = blame_part(error, "value")
                raise told from told.__cause__
            return record

        return BoundTransform(
            apply,
            shape,
            writes=frozenset({"record", "value"}),
            in_place=InPlace("value", edit, lambda error: blame_part(error, "value")),
        )

    def _edit(self, topic: str, envelope: Schema) -> Callable[[dict[str, Any]], None]:
        """Return what converts an event in place: its structs become others, converted as its table's rules say."""
        tables: dict[str | None, list[tuple[str, Callable[[dict[str, Any]], None]]]] = {}

        def edit(event: dict[str, Any]) -> None:
            source = event.get(SOURCE)
            table = source.get("table") if isinstance(source, dict) else None
            edits = tables.get(table)
            if edits is None:
                if len(tables) >= _MAX_TABLES:
                    tables.clear()
                edits = tables[table] = self._struct_edits(envelope, self._rules.choice(topic, table))
            for name, convert in edits:
                struct = event.get(name)
                if isinstance(struct, dict):
                    event[name] = made = dict(struct)
                    try:
                        convert(made)
                    except Exception as error:
                        at_field(error, name)
                        raise

        return edit

    def _struct_edits(
        self, envelope: Schema, choice: Choice | None
    ) -> list[tuple[str, Callable[[dict[str, Any]], None]]]:
        edits = []
        for name in (BEFORE, AFTER, SOURCE):
            field = envelope.field(name)
            if choice is None or field is None or field.schema.type is not Type.STRUCT:
                continue
            steps = self._field_steps(name, field.schema, choice)
            if steps:
                edits.append((name, _struct_edit(steps)))
        return edits

    def _field_steps(self, struct: str, schema: Schema, choice: Choice) -> list[tuple[str, Any, Convert]]:
        steps = []
        for field in schema.fields:
            if not choice.takes(struct, field.name):
                continue
            if field.schema.name in _WITHOUT_ZONE:
                log.warning(
                    "TimezoneConverter: %s.%s is left as it is: %s has no zone", struct, field.name, field.schema.name
                )
                continue
            convert = self._conversion(field, struct == SOURCE)
            if convert is not None:
                steps.append((field.name, field.schema.default, convert))
        return steps

    def _conversion(self, field: Field, of_source: bool) -> Convert | None:
        zone, kind = self._zone, field.schema.name
        if kind is None:
            return _moved_epoch(zone, _EPOCHS[field.name]) if of_source and field.name in _EPOCHS else None
        if kind in _PER_SECOND:
            return _moved_number(zone, _PER_SECOND[kind])
        if kind == TIMESTAMP_NAME:
            return _moved_moment(zone)
        if kind not in _ZONED:
            return None
        if kind.endswith("Time"):
            now = self.now
            return _moved_text(lambda text: moved_time(text, zone.at(int(now()))))
        return _moved_text(lambda text: moved_timestamp(text, zone))


def _rules(include: list[str] | None, exclude: list[str] | None) -> Rules:
    if include and exclude:
        raise ConfigError("Both include and exclude lists are specified. Please specify only one.")
    return Rules.parse(include or exclude or (), excludes=not include)


def _struct_edit(steps: list[tuple[str, Any, Convert]]) -> Callable[[dict[str, Any]], None]:
    def edit(struct: dict[str, Any]) -> None:
        for name, default, convert in steps:
            value = struct.get(name)
            if value is None:
                value = default
            if value is not None:
                try:
                    struct[name] = convert(value)
                except Exception as error:
                    at_field(error, name)
                    raise

    return edit


def _moved_number(zone: Zone, per_second: int) -> Convert:
    """A number without zone counts as the local time of the zone: the offset is taken off."""
    of_local = zone.of_local
    return lambda value: _fitting(value - of_local(value // per_second) * per_second)


def _moved_epoch(zone: Zone, per_second: int) -> Convert:
    """A point in time becomes what the zone's clocks show: the offset is added."""
    at = zone.at
    return lambda value: _fitting(value + at(value // per_second) * per_second)


def _fitting(number: int) -> int:
    if -(2**63) <= number < 2**63:
        return number
    raise DataError(f"{number} does not fit into 64 bits, once it is moved into the time zone")


def _moved_moment(zone: Zone) -> Convert:
    move = _moved_number(zone, 1_000)

    def convert(value: Any) -> Any:
        if not isinstance(value, dt.datetime):
            return move(value)  # a year that Python's types cannot hold is a number of milliseconds
        millis = timestamp_to_millis(value)
        moved = move(millis)
        try:
            return value + dt.timedelta(milliseconds=moved - millis)  # keeps what is finer than milliseconds
        except OverflowError:
            return moved

    return convert


def _moved_text(move: Callable[[str], str]) -> Convert:
    return lambda text: text if text in _INFINITE else move(text)

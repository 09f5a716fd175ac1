"""Files that may be imported without a reference: Google's well-known and common types, Confluent's own."""

from __future__ import annotations

import importlib
from dataclasses import replace
from functools import cache
from typing import Final

from google.protobuf.descriptor_pb2 import FileDescriptorProto

from penstock_registry.formats.protobuf.from_descriptor import from_descriptor
from penstock_registry.formats.protobuf.model import FieldDecl, Message, ProtoFile, default_json_name
from penstock_registry.formats.protobuf.parser import parse

__all__ = ["known_file"]

_GOOGLE: Final = frozenset(
    {
        "any", "api", "descriptor", "duration", "empty", "field_mask", "source_context", "struct", "timestamp", "type",
        "wrappers",
    }
)  # fmt: skip
_META: Final = """syntax = "proto3"; package confluent;
import "google/protobuf/descriptor.proto";
option go_package = "../confluent"; option java_package = "io.confluent.protobuf"; option java_outer_classname = "MetaProto";
message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; }
extend google.protobuf.FileOptions { Meta file_meta = 1088; }
extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }
"""
_DECIMAL: Final = """syntax = "proto3"; package confluent.type;
option go_package = "../types"; option java_package = "io.confluent.protobuf.type";
option java_outer_classname = "DecimalProto"; option java_multiple_files = true;
message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }
"""


def _type(name: str, body: str, imports: str = "") -> str:
    return (
        f'syntax = "proto3"; package google.type; {imports}'
        f'option go_package = "google.golang.org/genproto/googleapis/type/{name};{name}";'
        f'option java_multiple_files = true; option java_package = "com.google.type"; option objc_class_prefix = "GTP";'
        f"{body}"
    )


_TIMESTAMP: Final = 'import "google/protobuf/timestamp.proto";'
_DURATION: Final = 'import "google/protobuf/duration.proto";'
_WRAPPERS: Final = 'import "google/protobuf/wrappers.proto";'
_TEXTS: Final[dict[str, str]] = {
    "confluent/meta.proto": _META,
    "confluent/type/decimal.proto": _DECIMAL,
    "google/type/calendar_period.proto": _type(
        "calendarperiod",
        "enum CalendarPeriod { CALENDAR_PERIOD_UNSPECIFIED = 0; DAY = 1; WEEK = 2; FORTNIGHT = 3; MONTH = 4;"
        " QUARTER = 5; HALF = 6; YEAR = 7; }",
    ),
    "google/type/color.proto": _type(
        "color",
        "message Color { float red = 1; float green = 2; float blue = 3; google.protobuf.FloatValue alpha = 4; }",
        _WRAPPERS,
    ),
    "google/type/date.proto": _type("date", "message Date { int32 year = 1; int32 month = 2; int32 day = 3; }"),
    "google/type/datetime.proto": _type(
        "datetime",
        "message DateTime { int32 year = 1; int32 month = 2; int32 day = 3; int32 hours = 4; int32 minutes = 5;"
        " int32 seconds = 6; int32 nanos = 7; oneof time_offset { google.protobuf.Duration utc_offset = 8;"
        " TimeZone time_zone = 9; } } message TimeZone { string id = 1; string version = 2; }",
        _DURATION,
    ),
    "google/type/dayofweek.proto": _type(
        "dayofweek",
        "enum DayOfWeek { DAY_OF_WEEK_UNSPECIFIED = 0; MONDAY = 1; TUESDAY = 2; WEDNESDAY = 3; THURSDAY = 4;"
        " FRIDAY = 5; SATURDAY = 6; SUNDAY = 7; }",
    ),
    "google/type/decimal.proto": _type("decimal", "message Decimal { string value = 1; }"),
    "google/type/expr.proto": _type(
        "expr",
        "message Expr { string expression = 1; string title = 2; string description = 3; string location = 4; }",
    ),
    "google/type/fraction.proto": _type("fraction", "message Fraction { int64 numerator = 1; int64 denominator = 2; }"),
    "google/type/interval.proto": _type(
        "interval",
        "message Interval { google.protobuf.Timestamp start_time = 1; google.protobuf.Timestamp end_time = 2; }",
        _TIMESTAMP,
    ),
    "google/type/latlng.proto": _type("latlng", "message LatLng { double latitude = 1; double longitude = 2; }"),
    "google/type/money.proto": _type(
        "money", "message Money { string currency_code = 1; int64 units = 2; int32 nanos = 3; }"
    ),
    "google/type/month.proto": _type(
        "month",
        "enum Month { MONTH_UNSPECIFIED = 0; JANUARY = 1; FEBRUARY = 2; MARCH = 3; APRIL = 4; MAY = 5; JUNE = 6;"
        " JULY = 7; AUGUST = 8; SEPTEMBER = 9; OCTOBER = 10; NOVEMBER = 11; DECEMBER = 12; }",
    ),
    "google/type/phone_number.proto": _type(
        "phone_number",
        "message PhoneNumber { message ShortCode { string region_code = 1; string number = 2; }"
        " oneof kind { string e164_number = 1; ShortCode short_code = 2; } string extension = 3; }",
    ),
    "google/type/postal_address.proto": _type(
        "postaladdress",
        "message PostalAddress { int32 revision = 1; string region_code = 2; string language_code = 3;"
        " string postal_code = 4; string sorting_code = 5; string administrative_area = 6; string locality = 7;"
        " string sublocality = 8; repeated string address_lines = 9; repeated string recipients = 10;"
        " string organization = 11; }",
    ),
    "google/type/quaternion.proto": _type(
        "quaternion", "message Quaternion { double x = 1; double y = 2; double z = 3; double w = 4; }"
    ),
    "google/type/timeofday.proto": _type(
        "timeofday", "message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; }"
    ),
}


@cache
def known_file(name: str) -> ProtoFile | None:
    """The file of that import name; None if it is not one of the known."""
    text = _TEXTS.get(name)
    if text is not None:
        return parse(text)
    stem = name.removeprefix("google/protobuf/").removesuffix(".proto")
    if stem not in _GOOGLE or name != f"google/protobuf/{stem}.proto":
        return None
    module = importlib.import_module(f"google.protobuf.{stem}_pb2")
    file = FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)
    return _with_json_names(from_descriptor(file))


def _with_json_names(file: ProtoFile) -> ProtoFile:
    # Name the fields as protoc's descriptors do, and so as the texts that Confluent's converters register.
    return replace(file, types=tuple(_named(t) if isinstance(t, Message) else t for t in file.types))


def _named(message: Message) -> Message:
    return replace(
        message,
        fields=tuple(_with_json_name(f) for f in message.fields),
        oneofs=tuple(replace(o, fields=tuple(map(_with_json_name, o.fields))) for o in message.oneofs),
        nested=tuple(_named(t) if isinstance(t, Message) else t for t in message.nested),
    )


def _with_json_name(field: FieldDecl) -> FieldDecl:
    return replace(field, json_name=default_json_name(field.name))

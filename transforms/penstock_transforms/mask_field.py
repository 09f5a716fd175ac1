"""``MaskField``: fields get a value that says nothing, or one that was given."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final

from penstock.api import BoundTransform, Shape
from penstock.config import ConfigDef, ConfigType, Importance, NonEmptyString, ValidList
from penstock.data import (
    BigInteger,
    FarDate,
    Float32,
    Int8,
    Int16,
    Int32,
    NanoDatetime,
    Schema,
    Struct,
    Type,
    java_class_name,
)
from penstock.data.logical import EPOCH, LOGICAL_NAMES
from penstock.errors import DataError
from penstock.java.hash_order import in_java_order
from penstock.java.numbers import MAX_DIGITS, decimal_to_long, java_decimal, to_float32, wrap
from penstock_transforms.blame import at_field
from penstock_transforms.field_path import FieldPath, FieldSyntax
from penstock_transforms.levels import Level, bind_level
from penstock_transforms.operating import Edit, OperatingTransform
from penstock_transforms.settings import REPLACE_NULL, define_field_syntax, define_replace_null

__all__ = ["MaskField", "MaskFieldKey", "MaskFieldValue"]

_CONFIG = define_field_syntax(
    define_replace_null(
        ConfigDef()
        .define(
            "fields",
            ConfigType.LIST,
            validator=ValidList.any_non_duplicate_values(False, False),
            importance=Importance.HIGH,
            doc="Fields to mask.",
        )
        .define(
            "replacement",
            ConfigType.STRING,
            None,
            validator=NonEmptyString(),
            importance=Importance.LOW,
            doc="What the masked fields get, turned into their type: only for numbers and strings. "
            "Without it: zero, false, the empty string, list or map.",
        )
    )
)

Mask = Callable[[Any], Any]

_EMPTY: Final[dict[type, Any]] = {
    bool: False, Int8: Int8(0), Int16: Int16(0), Int32: Int32(0), int: 0, BigInteger: BigInteger(0),
    Float32: Float32(0), float: 0.0, str: "", Decimal: Decimal(0),
    dt.datetime: EPOCH, NanoDatetime: EPOCH, FarDate: EPOCH, dt.date: EPOCH.date(), dt.time: dt.time(0),
}  # fmt: skip
_FROM_TEXT: Final[dict[type, Callable[[str], Any]]] = {
    Int8: lambda text: Int8(_whole(text, 8)),
    Int16: lambda text: Int16(_whole(text, 16)),
    Int32: lambda text: Int32(_whole(text, 32)),
    int: lambda text: _whole(text, 64),
    BigInteger: lambda text: BigInteger(_digits(text)),
    Float32: lambda text: Float32(to_float32(java_decimal(text))),
    float: lambda text: float(java_decimal(text)),
    str: str,
    Decimal: java_decimal,
}
#: The types whose masks have to be empty and new for each record.
_CONTAINERS: Final = frozenset({list, dict})
#: Beside a schema the value's width is the schema's.
_BOX_OF: Final[dict[Type, type]] = {
    Type.INT8: Int8, Type.INT16: Int16, Type.INT32: Int32, Type.INT64: int, Type.FLOAT32: Float32,
    Type.FLOAT64: float,
}  # fmt: skip


def _whole(text: str, bits: int) -> int:
    """``Values.convertToLong`` and narrower of a text: cut, then wrapped."""
    return wrap(decimal_to_long(java_decimal(text)), bits)


def _digits(text: str) -> int:
    if len(text) > MAX_DIGITS or not text.lstrip("+-").isdecimal():
        raise ValueError(text)
    return int(java_decimal(text))


class MaskField(OperatingTransform):
    """A null field stays null; a null part is an error, as in Kafka."""

    purpose = "mask fields"
    passes_null: ClassVar[bool] = False

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _CONFIG

    def configure(self, configs: Mapping[str, Any]) -> None:
        config = _CONFIG.parse(configs)
        syntax = FieldSyntax.of(config)
        self._fill: bool = config[REPLACE_NULL]
        self._replacement: str | None = config["replacement"]
        self._level: Level[list[str]] = Level(list)
        for text in config["fields"]:
            path = FieldPath.parse(text, syntax)
            self._level.at(path.parents).work.append(path.name)

    def bind_schema(self, shape: Shape, schema: Schema) -> BoundTransform:
        if schema.type is not Type.STRUCT:
            return self.refuse_type(shape)
        _, edit = bind_level(self._level, schema, self._local, self.purpose, self._fill)
        return self.edit(shape, schema, edit)

    def bind_schemaless(self, shape: Shape) -> BoundTransform:
        _, edit = bind_level(self._level, None, self._local, self.purpose, self._fill)
        return self.edit(shape, None, edit)

    def _local(self, schema: Schema | None, names: list[str]) -> tuple[Schema | None, Edit | None]:
        if schema is None:
            # The order of Kafka's HashSet decides which of several bad fields is complained of.
            masks = [(name, self._mask(None)) for name, _ in in_java_order(dict.fromkeys(names))]
        else:
            masks = [(f.name, self._mask(f.schema)) for f in schema.fields if f.name in names]
        schemaless = schema is None

        def mask_all(value: dict[str, Any]) -> None:
            for name, mask in masks:
                old = value.get(name)
                if old is not None:
                    try:
                        value[name] = mask(old)
                    except Exception as error:
                        at_field(error, name)
                        raise
                elif schemaless:
                    value[name] = None  # as Kafka's Map.put

        return schema, mask_all if masks else None

    def _mask(self, schema: Schema | None) -> Mask:
        replacement = self._replacement
        plain = schema is not None and schema.name not in LOGICAL_NAMES
        box = _BOX_OF.get(schema.type) if schema is not None and plain else None
        known: dict[type, Any] = {}

        def mask(value: Any) -> Any:
            kind = box or type(value)
            found = known.get(kind)
            if found is None:
                found = known[kind] = _unbox(_masked(value, schema, kind, replacement), box)
            return found.copy() if type(found) in _CONTAINERS else found

        return mask


def _unbox(value: Any, box: type | None) -> Any:
    if box is None:
        return value
    return float(value) if isinstance(value, float) else int(value)


def _masked(value: Any, schema: Schema | None, kind: type, replacement: str | None) -> Any:
    if replacement is None:
        if kind in _EMPTY:
            return _EMPTY[kind]
        if isinstance(value, list | tuple):
            return []
        is_struct = isinstance(value, Struct) or (schema is not None and schema.type is Type.STRUCT)
        if isinstance(value, dict) and not is_struct:
            return {}
        raise DataError(f"Cannot mask value of type: class {java_class_name(value, schema)}")
    convert = _FROM_TEXT.get(kind)
    if convert is None:
        raise DataError(f"Cannot mask value of type class {java_class_name(value, schema)} with custom replacement.")
    try:
        return convert(replacement)
    except ValueError as error:
        raise DataError(f"Unable to convert {replacement} (class java.lang.String) to a number") from error


class MaskFieldKey(MaskField):
    part = "key"


class MaskFieldValue(MaskField):
    part = "value"

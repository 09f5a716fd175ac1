"""Connect schemas to Avro schemas (``AvroData.fromConnectSchema``)."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import Any, Final

from penstock.data import DECIMAL_NAME, Float32, Schema, Type
from penstock.data.logical import (
    DATE_NAME,
    MILLIS_PER_DAY,
    TIME_NAME,
    TIMESTAMP_NAME,
    beyond_python,
    date_to_days,
    decimal_scale,
    decimal_to_bytes,
    time_to_millis,
)
from penstock.errors import DataError
from penstock_converters.avro import names
from penstock_converters.avro.fixed import widened
from penstock_converters.avro.instants import TIMESTAMP_WORDS
from penstock_converters.avro.names import AvroDataOptions
from penstock_converters.precision import Precision
from penstock_converters.scrub import scrub, scrub_full
from penstock_converters.sumtypes import GENERAL_ENUM, GENERAL_UNION
from penstock_registry.formats.avro.canonical import to_text
from penstock_registry.formats.avro.model import NO_DEFAULT, AvroField, AvroSchema, check_name, split_name
from penstock_registry.formats.avro.parser import valid_default

__all__ = ["ANYTHING_SCHEMA", "ToAvro", "is_union_schema"]

log = logging.getLogger(__name__)

_PRIMITIVE: Final = {
    Type.INT8: "int",
    Type.INT16: "int",
    Type.INT32: "int",
    Type.INT64: "long",
    Type.FLOAT32: "float",
    Type.FLOAT64: "double",
    Type.BOOLEAN: "boolean",
}
_LOGICAL_WORD: Final = {
    DECIMAL_NAME: "decimal",
    DATE_NAME: "date",
    TIME_NAME: "time-millis",
}
_NULL: Final = AvroSchema("null")


def is_union_schema(schema: Schema) -> bool:
    """A struct that stands for an Avro union: one field a branch."""
    return schema.type is Type.STRUCT and (schema.name == names.AVRO_UNION or GENERAL_UNION in schema.parameters)


def _anything() -> AvroSchema:
    """The schema of values that have none: a record that may hold any one kind of value."""
    anything = AvroSchema("record", name="Anything", namespace=names.NAMESPACE)
    entry = AvroSchema("record", name=names.MAP_ENTRY, namespace=names.NAMESPACE)
    entry.fields = (AvroField(names.KEY, anything), AvroField(names.VALUE, anything))

    def optional(name: str, schema: AvroSchema) -> AvroField:
        return AvroField(name, AvroSchema("union", types=(_NULL, schema)), default=None)

    words = ("boolean", "bytes", "double", "float", "int", "long", "string")
    anything.fields = (
        *(optional(word, AvroSchema(word)) for word in words),
        optional("array", AvroSchema("array", items=anything)),
        optional("map", AvroSchema("array", items=entry)),
    )
    return anything


ANYTHING_SCHEMA: Final = _anything()


class ToAvro:
    """One conversion: make one, call `convert` once. Named types met twice become one."""

    def __init__(self, options: AvroDataOptions) -> None:
        self._options = options
        self._done: dict[Schema, AvroSchema] = {}
        self._open: dict[str, tuple[Schema, AvroSchema]] = {}
        self._anonymous = 0

    def convert(self, schema: Schema | None) -> AvroSchema:
        """Raises `DataError` (`InvalidSchemaError` for names Avro does not take)."""
        if schema is None:
            return ANYTHING_SCHEMA
        return self._schema(schema, schema.optional)

    def _schema(self, schema: Schema, optional: bool) -> AvroSchema:
        if is_union_schema(schema):
            return self._union(schema, optional)
        base = self._base(schema)
        if not optional:
            return base
        if schema.default is not None and schema.type is not Type.STRUCT:
            return AvroSchema("union", types=(base, _NULL))
        return AvroSchema("union", types=(_NULL, base))

    def _union(self, schema: Schema, optional: bool) -> AvroSchema:
        types = [_NULL] if optional else []
        for field in schema.fields:
            member = self._schema(field.schema, False)
            if any(known.full_name == member.full_name for known in types):
                raise DataError(f"Duplicate in union:{member.full_name}")  # Avro's words
            types.append(member)
        return AvroSchema("union", types=tuple(types))

    def _base(self, schema: Schema) -> AvroSchema:
        open_ = self._open.get(schema.name or "")
        if open_ is not None and (schema is open_[0] or schema.fields is open_[0].fields or schema == open_[0]):
            return open_[1]
        key = schema if not schema.optional else schema.replace(optional=False)
        done = self._done.get(key)
        if done is None:
            done = self._build(schema)
            self._annotate(schema, done)
            self._done[key] = done
        return done

    def _build(self, schema: Schema) -> AvroSchema:
        kind = schema.type
        if kind in _PRIMITIVE:
            return AvroSchema(_PRIMITIVE[kind])
        if kind is Type.STRING:
            return self._string(schema)
        if kind is Type.BYTES:
            return self._bytes(schema)
        if kind is Type.ARRAY:
            return AvroSchema("array", items=self._inner(schema.value_schema))
        if kind is Type.MAP:
            return self._map(schema)
        return self._record(schema)

    def _inner(self, schema: Schema | None) -> AvroSchema:
        return ANYTHING_SCHEMA if schema is None else self._schema(schema, schema.optional)

    def _string(self, schema: Schema) -> AvroSchema:
        options = self._options
        marks = [GENERAL_ENUM] if options.general_sum_types else []
        if options.enhanced or options.general_sum_types:
            marks.append(names.AVRO_ENUM)
        mark = next((m for m in marks if m in schema.parameters), None)
        if mark is None:
            return AvroSchema("string")
        namespace, name = self._name(schema.parameters[mark])
        symbols = [(k[len(mark) + 1 :], v) for k, v in schema.parameters.items() if k.startswith(mark + ".")]
        if mark == GENERAL_ENUM and sorted(v for _, v in symbols) == sorted(map(str, range(len(symbols)))):
            symbols.sort(key=lambda pair: int(pair[1]))
        doc = names.CONNECT_ENUM_DOC if options.discard_type_doc_default else names.ENUM_DOC_PREFIX + name
        return AvroSchema(
            "enum",
            name=name,
            namespace=namespace,
            doc=schema.parameters.get(doc),
            symbols=tuple(check_name(symbol, "symbol") for symbol, _ in symbols),
            default=schema.parameters.get(names.ENUM_DEFAULT_PREFIX + name),
        )

    def _bytes(self, schema: Schema) -> AvroSchema:
        size = schema.parameters.get(names.FIXED_SIZE)
        if size is not None and schema.name is not None:
            is_decimal = schema.name == DECIMAL_NAME
            full = schema.parameters.get(names.FIXED_NAME, schema.name) if is_decimal else schema.name
            namespace, name = self._name(full)
            if not size.isdecimal():
                raise DataError(f"Parameter {names.FIXED_SIZE} of schema {schema.name} is no size: {size}")
            avro = AvroSchema("fixed", name=name, namespace=namespace, size=int(size))
        else:
            avro = AvroSchema("bytes")
        if schema.name == DECIMAL_NAME:
            avro.props["scale"] = decimal_scale(schema)
            precision = schema.parameters.get(names.DECIMAL_PRECISION)
            if precision is not None and not precision.isdecimal():
                raise DataError(f"Parameter {names.DECIMAL_PRECISION} of a Decimal is no number: {precision}")
            avro.props["precision"] = names.DEFAULT_PRECISION if precision is None else int(precision)
        return avro

    def _map(self, schema: Schema) -> AvroSchema:
        key, value = schema.key_schema, schema.value_schema
        if has_string_keys(schema, self._options):
            return AvroSchema("map", values=self._inner(value))
        if schema.name is None:
            entry = AvroSchema("record", name=names.MAP_ENTRY, namespace=names.NAMESPACE)
        else:
            namespace, name = self._name(schema.name)
            entry = AvroSchema("record", name=name, namespace=namespace)
            entry.props[names.CONNECT_INTERNAL_TYPE] = names.MAP_ENTRY
        # Without marks a field's doc is its schema's, for a map's key and value as for a struct's fields.
        docs = [s.doc if s is not None and self._options.discard_type_doc_default else None for s in (key, value)]
        entry.fields = (self._field(names.KEY, key, docs[0]), self._field(names.VALUE, value, docs[1]))
        return AvroSchema("array", items=entry)

    def _record(self, schema: Schema) -> AvroSchema:
        options = self._options
        if schema.name is None:
            self._anonymous += 1
            if self._anonymous > 1000:
                raise DataError("A struct schema that contains itself needs a name to become an Avro record")
            name = names.DEFAULT_NAME + (str(self._anonymous) if self._anonymous > 1 else "")
            record = AvroSchema("record", name=name, namespace=names.NAMESPACE)
        else:
            namespace, name = self._name(schema.name)
            record = AvroSchema("record", name=name, namespace=namespace)
        doc = names.CONNECT_RECORD_DOC if options.discard_type_doc_default else names.RECORD_DOC
        record.doc = schema.parameters.get(doc)
        before = self._open.get(schema.name or "")
        if schema.name is not None:
            self._open[schema.name] = (schema, record)
        fields: dict[str, AvroField] = {}
        for member in schema.fields:
            field_name = scrub(member.name) if options.scrub_names else member.name
            if field_name in fields:
                raise DataError(
                    f"Duplicate field {field_name} in record {record.full_name}: two fields scrub to one name"
                )
            if options.discard_type_doc_default:
                field_doc = member.schema.doc
            else:
                field_doc = schema.parameters.get(names.FIELD_DOC_PREFIX + member.name)
            fields[field_name] = self._field(field_name, member.schema, field_doc)
        record.fields = tuple(fields.values())
        if schema.name is not None:
            del self._open[schema.name]
            if before is not None:
                self._open[schema.name] = before
        return record

    def _field(self, name: str, schema: Schema | None, doc: str | None) -> AvroField:
        avro = self._inner(schema)
        check_name(name, "field name")
        default: Any = NO_DEFAULT
        if schema is not None and schema.default is not None:
            default = _widened(default_json(schema, schema.default, self._options.precision))
            if not valid_default(avro, default):
                log.warning("Ignoring invalid default for field %s: it does not fit %s", name, to_text(avro))
                default = NO_DEFAULT
        elif schema is not None and schema.optional:
            default = None
        return AvroField(name, avro, doc, default)

    def _annotate(self, schema: Schema, avro: AvroSchema) -> None:
        props, options = avro.props, self._options
        is_timestamp = schema.name == TIMESTAMP_NAME
        # Under Connect's name a JVM converter would take the number for milliseconds; without it for a number.
        named = not (is_timestamp and options.precision.is_finer)
        if options.connect_meta_data:
            if schema.doc is not None:
                props[names.CONNECT_DOC] = schema.doc
            if schema.version is not None and (named or schema.version != 1):
                props[names.CONNECT_VERSION] = schema.version
            # The mark of a default that came from an Avro field has done its duty here, and goes.
            marked = names.FIELD_DEFAULT_FLAG in schema.parameters and not options.discard_type_doc_default
            parameters = dict(schema.parameters)
            if marked:
                del parameters[names.FIELD_DEFAULT_FLAG]
            if parameters:
                props[names.CONNECT_PARAMETERS] = parameters
            if schema.default is not None and not marked:
                props[names.CONNECT_DEFAULT] = default_json(schema, schema.default, options.precision)
            if schema.name is not None and named:
                props[names.CONNECT_NAME] = schema.name
            if schema.type in (Type.INT8, Type.INT16):
                props[names.CONNECT_TYPE] = schema.type.value
        word = TIMESTAMP_WORDS[options.precision] if is_timestamp else _LOGICAL_WORD.get(schema.name or "")
        if word is not None:
            props["logicalType"] = word
        props.update((key, value) for key, value in schema.parameters.items() if key.startswith(names.AVRO_PROP))

    def _name(self, full: str) -> tuple[str | None, str]:
        namespace, name = split_name(scrub_full(full) if self._options.scrub_names else full)
        return namespace, check_name(name)


def has_string_keys(schema: Schema, options: AvroDataOptions) -> bool:
    """True if a Connect map becomes an Avro map; otherwise it becomes an array of entries."""
    key = schema.key_schema
    return key is not None and key.type is Type.STRING and (not key.optional or options.optional_map_keys)


def default_json(schema: Schema, value: Any, precision: Precision) -> Any:
    """A Connect default as the JSON Avro wants for it (``defaultValueFromConnect``)."""
    if value is None:
        return None
    kind = schema.type
    if kind is Type.BYTES:
        if not isinstance(value, Decimal):
            return bytes(value).decode("latin-1")
        raw = decimal_to_bytes(value, decimal_scale(schema))
        size = schema.parameters.get(names.FIXED_SIZE, "")
        return (widened(raw, int(size)) if size.isdecimal() else raw).decode("latin-1")
    if schema.name == DATE_NAME:
        return value // MILLIS_PER_DAY if beyond_python(DATE_NAME, value) else date_to_days(value)
    if schema.name == TIME_NAME:
        return value if beyond_python(TIME_NAME, value) else time_to_millis(value)
    if schema.name == TIMESTAMP_NAME:
        return precision.count(value)
    if kind is Type.FLOAT32:
        return Float32(value)
    if kind is Type.ARRAY:
        return [default_json(_required_schema(schema.value_schema), item, precision) for item in value]
    if kind is Type.MAP:
        keys, values = _required_schema(schema.key_schema), _required_schema(schema.value_schema)
        if keys.type is Type.STRING and not keys.optional:
            return {k: default_json(values, v, precision) for k, v in value.items()}
        return [[default_json(keys, k, precision), default_json(values, v, precision)] for k, v in value.items()]
    if is_union_schema(schema):
        # The first branch's, as Avro wants it.
        first = schema.fields[0]
        return default_json(first.schema, value.get(first.name, first.schema.default), precision)
    if kind is Type.STRUCT:
        held = ((f, value.get(f.name)) for f in schema.fields)
        return {f.name: default_json(f.schema, f.schema.default if v is None else v, precision) for f, v in held}
    return int(value) if kind.value.startswith("int") else value


def _required_schema(schema: Schema | None) -> Schema:
    if schema is None:
        raise DataError("A default of an array or map without element schema cannot be written to Avro")
    return schema


def _widened(value: Any) -> Any:
    # An Avro field's default writes a 32-bit float with a double's digits, as Avro Java does.
    if isinstance(value, Float32):
        return float(value)
    if isinstance(value, list):
        return [_widened(item) for item in value]
    if isinstance(value, dict):
        return {k: _widened(v) for k, v in value.items()}
    return value

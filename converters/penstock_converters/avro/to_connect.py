"""Avro schemas to Connect schemas (``AvroData.toConnectSchema``)."""

from __future__ import annotations

import logging
from typing import Any, Final

from penstock.data import DECIMAL_NAME, STRING, Field, Schema, SchemaBuilder, Type, validate_value
from penstock.data.logical import (
    DATE_NAME,
    SCALE_FIELD,
    TIME_NAME,
    TIMESTAMP_NAME,
)
from penstock.errors import DataError
from penstock_converters.avro import names
from penstock_converters.avro.defaults import Defaults, is_no_default, is_number, object_text
from penstock_converters.avro.instants import precision_of
from penstock_converters.avro.names import AvroDataOptions
from penstock_converters.avro.to_avro import ANYTHING_SCHEMA
from penstock_converters.avro.unions import is_map_entry, single, union_field_name
from penstock_converters.sumtypes import GENERAL_ENUM, GENERAL_UNION, GENERAL_UNION_PREFIX
from penstock_registry.formats.avro.canonical import java_json, same
from penstock_registry.formats.avro.model import AvroSchema

__all__ = ["ToConnect", "is_anything"]

log = logging.getLogger(__name__)

_CONNECT_TYPES: Final = {"int8": Type.INT8, "int16": Type.INT16}
_PLAIN: Final = {
    "boolean": Type.BOOLEAN,
    "double": Type.FLOAT64,
    "float": Type.FLOAT32,
    "string": Type.STRING,
    "bytes": Type.BYTES,
    "fixed": Type.BYTES,
    "long": Type.INT64,
    "int": Type.INT32,
    "enum": Type.STRING,
    "array": Type.ARRAY,
    "map": Type.MAP,
    "record": Type.STRUCT,
    "error": Type.STRUCT,
    "union": Type.STRUCT,
}
_ABSENT: Final = object()


def is_anything(schema: AvroSchema) -> bool:
    return schema.full_name == names.ANYTHING and same(schema, ANYTHING_SCHEMA)


class _Parts:
    """The parts of one Connect schema before it is made."""

    def __init__(self, kind: Type) -> None:
        self.type = kind
        self.name: str | None = None
        self.version: int | None = None
        self.doc: str | None = None
        self.parameters: dict[str, str] = {}
        self.optional = False
        self.key: Schema | None = None
        self.value: Schema | None = None


class ToConnect:
    """One conversion: make one, call `convert` once."""

    def __init__(self, options: AvroDataOptions) -> None:
        self._options = options
        self._open: dict[str, tuple[Schema, Schema]] = {}
        self._unions = 0

    def convert(self, avro: AvroSchema, version: int | None = None) -> Schema:
        """The Connect schema; `version` is the registry's, used where the schema has none of its own."""
        return self._schema(avro, False, _ABSENT, None, version)

    def _schema(
        self,
        avro: AvroSchema,
        optional: bool,
        default: Any = _ABSENT,
        doc: str | None = None,
        version: int | None = None,
    ) -> Schema:
        if avro.type in ("record", "error"):
            open_ = self._open.get(avro.full_name)
            if open_ is not None:
                return open_[1] if optional else open_[0]
        if avro.type == "null":
            raise DataError("Standalone null schemas are not supported by this converter")
        if avro.type == "union":
            inner = single(avro, self._options)
            if inner is not None:
                # Its default is the union's, which Confluent's converter does not hand on.
                return self._schema(inner, optional or len(avro.types) != 1, _ABSENT, doc)
        if default is not _ABSENT and is_no_default(avro, default):
            default = _ABSENT
        parts = self._parts(avro)
        parts.optional = optional or (avro.type == "union" and any(t.type == "null" for t in avro.types))
        self._annotate(parts, avro, default, doc, version)
        schema = self._build(parts, avro)
        value = self._default(schema, avro, default)
        return schema if value is None else schema.replace(default=value)

    # -- what kind of schema --------------------------------------------------------------------------------------

    def _parts(self, avro: AvroSchema) -> _Parts:
        parts = _Parts(_PLAIN[avro.type])
        logical = avro.props.get("logicalType")
        word = logical.lower() if isinstance(logical, str) else None
        if avro.type in ("bytes", "fixed"):
            self._bytes(parts, avro, word)
        elif avro.type == "int":
            self._int(parts, avro, word)
        elif precision_of(avro, self._options.precision) is not None:
            parts.name, parts.version = TIMESTAMP_NAME, 1
        elif avro.type == "enum":
            self._enum(parts, avro)
        elif avro.type == "array":
            assert avro.items is not None
            self._array(parts, avro.items)
        elif avro.type == "map":
            assert avro.values is not None
            parts.key, parts.value = STRING, self._schema(avro.values, False)
        elif avro.type == "union":
            parts.name = names.AVRO_UNION
            if self._options.general_sum_types:
                parts.name = GENERAL_UNION_PREFIX + str(self._unions)
                self._unions += 1
                parts.parameters[GENERAL_UNION] = parts.name
        return parts

    def _bytes(self, parts: _Parts, avro: AvroSchema, word: str | None) -> None:
        if word == "decimal":
            scale = avro.props.get("scale")
            parts.name, parts.version = DECIMAL_NAME, 1
            parts.parameters[SCALE_FIELD] = str(int(scale) if isinstance(scale, int | float) else 0)
            precision = avro.props.get("precision")
            if precision is not None:
                if not is_number(precision):
                    raise DataError(f"precision property must be a JSON Integer, met {java_json(precision)}")
                if int(precision) != names.DEFAULT_PRECISION:
                    parts.parameters[names.DECIMAL_PRECISION] = str(int(precision))
        if avro.type == "fixed":
            parts.parameters[names.FIXED_SIZE] = str(avro.size)
            if word == "decimal" and avro.full_name != DECIMAL_NAME:
                parts.parameters[names.FIXED_NAME] = avro.full_name

    def _int(self, parts: _Parts, avro: AvroSchema, word: str | None) -> None:
        given = avro.props.get(names.CONNECT_TYPE)
        connect_type = given if isinstance(given, str) else None
        if word == "date":
            parts.name, parts.version = DATE_NAME, 1
        elif word == "time-millis":
            parts.name, parts.version = TIME_NAME, 1
        elif word is None and connect_type is not None:
            found = _CONNECT_TYPES.get(connect_type)
            if found is None:
                raise DataError("Connect type annotation for Avro int field is null")
            parts.type = found

    def _enum(self, parts: _Parts, avro: AvroSchema) -> None:
        options = self._options
        assert avro.name is not None
        if options.connect_meta_data:
            if avro.doc is not None:
                key = names.CONNECT_ENUM_DOC if options.discard_type_doc_default else names.ENUM_DOC_PREFIX + avro.name
                parts.parameters[key] = avro.doc
            if avro.default is not None and not options.discard_type_doc_default:
                parts.parameters[names.ENUM_DEFAULT_PREFIX + avro.name] = avro.default
        mark = GENERAL_ENUM if options.general_sum_types else names.AVRO_ENUM
        parts.parameters[mark] = avro.full_name
        for index, symbol in enumerate(avro.symbols):
            parts.parameters[f"{mark}.{symbol}"] = str(index) if options.general_sum_types else symbol

    def _array(self, parts: _Parts, items: AvroSchema) -> None:
        if not is_map_entry(items):
            parts.value = self._schema(items, False)
            return
        key, value = items.field(names.KEY), items.field(names.VALUE)
        if len(items.fields) != 2 or key is None or value is None:
            raise DataError(
                "Found map encoded as array of key-value pairs, but array elements do not match the expected format."
            )
        parts.type = Type.MAP
        parts.key, parts.value = self._schema(key.schema, False), self._schema(value.schema, False)

    # -- name, version, doc, parameters ---------------------------------------------------------------------------

    def _annotate(self, parts: _Parts, avro: AvroSchema, default: Any, doc: str | None, version: int | None) -> None:
        options = self._options
        given_doc = avro.props.get(names.CONNECT_DOC)
        connect_doc = given_doc if isinstance(given_doc, str) else None
        if options.discard_type_doc_default:
            # The doc counts whatever connect.meta.data says.
            parts.doc = doc if doc is not None else avro.doc if avro.doc is not None else connect_doc
            if options.connect_meta_data and avro.doc is not None:
                parts.parameters[names.CONNECT_RECORD_DOC] = avro.doc
        elif options.connect_meta_data:
            parts.doc = connect_doc
            if avro.type in ("record", "error"):
                self._docs(parts, avro)
        self._version(parts, avro, version)
        parameters = avro.props.get(names.CONNECT_PARAMETERS)
        if options.connect_meta_data and parameters is not None:
            if not isinstance(parameters, dict):
                raise DataError(f"Expected JSON object for schema parameters but found: {java_json(parameters)}")
            for key, value in parameters.items():
                if not isinstance(value, str):
                    raise DataError(f"Expected schema parameter values to be strings but found: {java_json(value)}")
                parts.parameters.setdefault(key, value)
        for key, value in avro.props.items():
            if key.startswith(names.AVRO_PROP):
                parts.parameters.setdefault(key, object_text(value))
        if (
            default is not _ABSENT
            and names.CONNECT_DEFAULT not in avro.props
            and options.connect_meta_data
            and not options.discard_type_doc_default
        ):
            parts.parameters[names.FIELD_DEFAULT_FLAG] = "true"
        self._name(parts, avro)

    def _docs(self, parts: _Parts, avro: AvroSchema) -> None:
        if avro.doc is not None:
            parts.parameters[names.RECORD_DOC] = avro.doc
        for field in avro.fields:
            if field.doc is not None:
                parts.parameters[names.FIELD_DOC_PREFIX + field.name] = field.doc

    def _version(self, parts: _Parts, avro: AvroSchema, version: int | None) -> None:
        given = avro.props.get(names.CONNECT_VERSION)
        if given is None:
            # A logical type's own version stands; the registry's would only contradict it from its second version on.
            if version is not None and version >= 0 and parts.version is None:
                parts.version = version
            return
        if not is_number(given):
            raise DataError(f"Invalid Connect version found: {given if isinstance(given, str) else java_json(given)}")
        if given >= 0:
            if parts.version is not None and parts.version != int(given):
                raise DataError(
                    f"Mismatched versions: version already added to SchemaBuilder ({parts.version})"
                    f" differs from version in source schema ({int(given)})"
                )
            parts.version = int(given)

    def _name(self, parts: _Parts, avro: AvroSchema) -> None:
        name = avro.props.get(names.CONNECT_NAME)
        if name is not None and not isinstance(name, str):
            raise DataError(f"Invalid schema name: {java_json(name)}")
        if name is None and avro.name is not None and names.FIXED_NAME not in parts.parameters:
            name = avro.full_name
        if name is None or name.startswith(names.DEFAULT_FULL_NAME):
            return
        if parts.name is not None and parts.name != name:
            raise DataError(
                f"Mismatched names: name already added to SchemaBuilder ({parts.name})"
                f" differs from name in source schema ({name})"
            )
        parts.name = name

    # -- the schema itself ----------------------------------------------------------------------------------------

    def _build(self, parts: _Parts, avro: AvroSchema) -> Schema:
        if parts.type is not Type.STRUCT:
            return Schema(
                parts.type, parts.optional, parts.name, parts.version, parts.doc, parts.parameters,
                key_schema=parts.key, value_schema=parts.value,
            )  # fmt: skip
        if avro.type == "union":
            fields = self._branches(avro)
            return Schema(
                Type.STRUCT, parts.optional, parts.name, parts.version, parts.doc, parts.parameters,
                fields=[Field(name, i, schema) for i, (name, schema) in enumerate(fields)],
            )  # fmt: skip
        return self._record(parts, avro)

    def _record(self, parts: _Parts, avro: AvroSchema) -> Schema:
        builder = SchemaBuilder.struct().parameters(parts.parameters)
        if parts.name is not None:
            builder.name(parts.name)
        if parts.version is not None:
            builder.version(parts.version)
        if parts.doc is not None:
            builder.doc(parts.doc)

        def fields(schema: Schema, optional: Schema) -> list[tuple[str, Schema]]:
            self._open[avro.full_name] = (schema, optional)
            try:
                return [
                    (f.name, self._schema(f.schema, False, f.default if f.has_default else _ABSENT, f.doc))
                    for f in avro.fields
                ]
            finally:
                del self._open[avro.full_name]

        schema, twin = builder.build_recursive_pair(fields)
        return twin if parts.optional else schema

    def _branches(self, avro: AvroSchema) -> list[tuple[str, Schema]]:
        fields: list[tuple[str, Schema]] = []
        for index, member in enumerate(avro.types):
            if member.type == "null":
                continue
            name = union_field_name(member, index, self._options)
            if any(name == known for known, _ in fields):
                error = DataError("Multiple union schemas map to the Connect union field name")
                error.add_note(f"two branches are named {name}; enhanced.avro.schema.support=true tells them apart")
                raise error
            fields.append((name, self._schema(member, True)))
        return fields

    # -- defaults -------------------------------------------------------------------------------------------------

    def _default(self, schema: Schema, avro: AvroSchema, default: Any) -> Any:
        """The default as a value of `schema`; None where there is none, or one that is none: a reader needs it least."""
        given = avro.props.get(names.CONNECT_DEFAULT) if default is _ABSENT else default
        if given is None:
            return None
        convert = Defaults(self._options, lenient=default is _ABSENT)
        try:
            value = convert.value(schema, avro, given)
            if value is not None:
                validate_value(schema, value)
            return value
        except (TypeError, ValueError, KeyError, AttributeError, DataError) as error:
            log.warning("Ignoring invalid default %s for schema %s: %s", java_json(given), avro.full_name, error)
            return None

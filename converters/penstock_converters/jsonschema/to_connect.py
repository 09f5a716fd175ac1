"""JSON Schemas to Connect schemas (``JsonSchemaData.toConnectSchema``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from penstock.data import STRING, Schema, SchemaBuilder, Type, validate_value
from penstock.errors import DataError, SchemaBuilderError
from penstock.java.hash_order import in_java_order
from penstock.java.number_text import decimal_text
from penstock_converters.jsonschema import names
from penstock_converters.jsonschema.branches import Branches
from penstock_converters.jsonschema.names import JsonSchemaOptions
from penstock_converters.precision import Instants, Precision
from penstock_converters.sumtypes import GENERAL_ENUM, GENERAL_UNION, GENERAL_UNION_FIELD, GENERAL_UNION_PREFIX
from penstock_registry.formats.jsonschema import model as m

__all__ = ["ToConnect"]

_NUMBERS: Final = {
    "int8": Type.INT8, "int16": Type.INT16, "int32": Type.INT32, "int64": Type.INT64,
    "float32": Type.FLOAT32, "float64": Type.FLOAT64, "bytes": Type.BYTES,
}  # fmt: skip
#: The names the JVM gives these kinds; they stand in its message.
_UNSUPPORTED: Final[dict[type[m.Node], str]] = {
    m.Anything: "EmptySchema",
    m.Nothing: "FalseSchema",
    m.NullNode: "NullSchema",
    m.Const: "ConstSchema",
    m.Not: "NotSchema",
    m.Conditional: "ConditionalSchema",
}


@dataclass
class _Parts:
    """A Connect schema in the making."""

    type: Type
    name: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    key_schema: Schema | None = None
    value_schema: Schema | None = None
    optional: bool = False
    fields: Callable[[], list[tuple[str, Schema]]] | None = None


class ToConnect:
    """Maps schemas. `read_default` reads a default value's JSON. One object per text.

    With `instants` numbers under the names of finer timestamps are Timestamps, which are kept there. `branches` keeps
    which nodes the fields of unions were made of.
    """

    def __init__(
        self,
        options: JsonSchemaOptions,
        read_default: Callable[[Schema, Any], Any],
        instants: Instants | None = None,
        branches: Branches | None = None,
    ) -> None:
        self._options = options
        self._instants = instants
        self._branches = branches or Branches()
        self._read_default = read_default
        #: The structs that hold themselves, by node; found in a first pass, marked in a second.
        self._ids: dict[int, str] = {}

    def convert(self, node: m.Node, version: int | None) -> Schema:
        """The Connect schema; `version` is the registry's, for schemas that do not say theirs. Raises `DataError`."""
        try:
            schema = self._pass().schema(node, version, False)
            if self._ids:
                schema = self._pass().schema(node, version, False)
        except RecursionError:
            raise DataError("The JSON schema is nested too deeply") from None
        return schema

    def _pass(self) -> _Pass:
        return _Pass(self._options, self._read_default, self._instants, self._branches, self._ids)


class _Pass:
    def __init__(
        self,
        options: JsonSchemaOptions,
        read_default: Callable[[Schema, Any], Any],
        instants: Instants | None,
        branches: Branches,
        ids: dict[int, str],
    ) -> None:
        self._options = options
        self._instants = instants
        self._branches = branches
        self._read_default = read_default
        self._ids = ids
        self._unions = 0
        #: Structs whose fields are being made: required and optional form.
        self._open: dict[int, tuple[Schema, Schema]] = {}
        self._pending: set[int] = set()
        self._done: dict[tuple[int, bool], Schema] = {}

    def schema(self, node: m.Node, version: int | None, optional: bool) -> Schema:
        if isinstance(node, m.Reference):
            return self._referenced(node, version, optional)
        if isinstance(node, m.Combined):
            if node.criterion == "allOf":
                return self._all_of(node, version, optional)
            others = [n for n in node.subschemas if not isinstance(n, m.NullNode)]
            if len(node.subschemas) == 2 and len(others) == 1:
                return self.schema(others[0], version, True)
            if len(node.subschemas) == 1 and others and self._options.flatten_singleton_unions:
                return self.schema(others[0], version, optional)
        return self._finished(node, self._parts(node), version, optional)

    def _referenced(self, node: m.Reference, version: int | None, optional: bool) -> Schema:
        target = m.resolve(node)
        known = self._open.get(id(target))
        if known is not None:
            self._ids.setdefault(id(target), f"#id{len(self._ids) + 1}")
            return known[optional]
        done = self._done.get((id(target), optional))
        if done is not None and version is None:
            return done
        if isinstance(target, m.Reference) or id(target) in self._pending:
            raise DataError(f"The reference {node.ref} leads back to itself, which only an object may do in Connect")
        self._pending.add(id(target))
        try:
            schema = self.schema(target, version, optional)
        finally:
            self._pending.discard(id(target))
        if version is None:
            self._done[id(target), optional] = schema
        return schema

    # --- kinds

    def _parts(self, node: m.Node) -> _Parts:
        match node:
            case m.BooleanNode():
                return _Parts(Type.BOOLEAN)
            case m.NumberNode():
                return _Parts(_number_type(node))
            case m.StringNode():
                return _Parts(Type.BYTES if node.extra.get(names.CONNECT_TYPE) == "bytes" else Type.STRING)
            case m.Enumeration():
                return self._enumeration(node)
            case m.Combined():
                return self._union(node)
            case m.ArrayNode():
                return self._array(node)
            case m.ObjectNode():
                return self._object(node)
        raise DataError(f"Unsupported schema type org.everit.json.schema.{_UNSUPPORTED[type(node)]}")

    def _enumeration(self, node: m.Enumeration) -> _Parts:
        general = self._options.general_sum_types
        mark = GENERAL_ENUM if general else names.ENUM
        parameters = {mark: ""}  # a JSON enum has no name
        for index, value in enumerate(node.values):
            symbol = _symbol(value)
            parameters[f"{mark}.{symbol}"] = str(index) if general else symbol
        return _Parts(Type.STRING, parameters=parameters)

    def _union(self, node: m.Combined) -> _Parts:
        prefix = f"{names.ONE_OF}.field."
        parts = _Parts(Type.STRUCT, names.ONE_OF)
        if self._options.general_sum_types:
            self._unions += 1
            parts.name = f"{GENERAL_UNION_PREFIX}{self._unions}"
            parts.parameters[GENERAL_UNION] = parts.name
            prefix = GENERAL_UNION_FIELD
        branches = [n for n in node.subschemas if not isinstance(n, m.NullNode)]
        parts.optional = len(branches) < len(node.subschemas)

        def fields() -> list[tuple[str, Schema]]:
            made = [(f"{prefix}{i}", self.schema(n, None, True)) for i, n in enumerate(branches)]
            self._branches.keep([schema for _, schema in made], branches)
            return made

        parts.fields = fields
        return parts

    def _array(self, node: m.ArrayNode) -> _Parts:
        if node.items is None:
            raise DataError("Array schema did not specify the items type")
        items = node.items
        if node.extra.get(names.CONNECT_TYPE) == "map" and isinstance(items, m.ObjectNode):
            missing = [name for name in (names.KEY, names.VALUE) if name not in items.properties]
            if missing:
                raise DataError(f"The entries of a map have no property {missing[0]}")
            key, value = (self.schema(items.properties[name], None, False) for name in (names.KEY, names.VALUE))
            return _Parts(Type.MAP, key_schema=key, value_schema=value)
        return _Parts(Type.ARRAY, value_schema=self.schema(items, None, False))

    def _object(self, node: m.ObjectNode) -> _Parts:
        if node.extra.get(names.CONNECT_TYPE) == "map":
            if node.additional is None:
                raise DataError("A map (connect.type) needs a schema of additionalProperties, which are its values")
            return _Parts(Type.MAP, key_schema=STRING, value_schema=self.schema(node.additional, None, False))
        values = None if node.additional is None else m.resolve(node.additional)
        if not (node.properties or node.patterns or values is None or isinstance(values, m.Anything | m.Nothing)):
            # The object has only members that share a schema: a struct without fields would lose all of them.
            assert node.additional is not None
            return _Parts(Type.MAP, key_schema=STRING, value_schema=self.schema(node.additional, None, False))
        return _Parts(Type.STRUCT, fields=lambda: self._fields(node.properties, node.required))

    def _fields(self, properties: dict[str, m.Node], required: frozenset[str]) -> list[tuple[str, Schema]]:
        # Fields take the places that Connect gave them; the others follow in the order of the JVM's hash map.
        ordered = sorted(in_java_order(properties), key=lambda item: _index(item[1], len(properties)))
        loose = self._options.optional_for_nonrequired
        return [(name, self.schema(node, None, loose and name not in required)) for name, node in ordered]

    # --- allOf

    def _all_of(self, node: m.Combined, version: int | None, optional: bool) -> Schema:
        if len(node.subschemas) == 1:
            return self._annotated(self.schema(node.subschemas[0], version, optional), node)
        properties: dict[str, m.Node] = {}
        required: set[str] = set()
        _collect(node, properties, required, set())
        if properties:
            parts = _Parts(Type.STRUCT, fields=lambda: self._fields(properties, frozenset(required)))
            return self._finished(node, parts, version, optional)
        chosen = _most_telling(node.subschemas) or _only_kind(node.subschemas)
        if chosen is None:
            raise DataError(f"Unsupported criterion allOf: none of its {len(node.subschemas)} subschemas says the type")
        return self.schema(chosen, version, optional)

    def _annotated(self, schema: Schema, node: m.Combined) -> Schema:
        """The schema of an ``allOf`` of one, with what is said beside the ``allOf``."""
        made = schema if node.description is None else schema.replace(doc=node.description)
        if node.has_default and node.default is not None:
            made = self._with_default(made, node.default)
        return made if self._instants is None else self._instants.keep(made, self._instants.of(schema))

    # --- names, versions, defaults

    def _finished(self, node: m.Node, parts: _Parts, version: int | None, optional: bool) -> Schema:
        extra = node.extra
        own_version = extra.get(names.CONNECT_VERSION)
        parameters = {**parts.parameters, **_parameters(extra.get(names.CONNECT_PARAMETERS))}
        if id(node) in self._ids:
            parameters[names.ID] = self._ids[id(node)]
        schema = Schema(
            parts.type,
            name=parts.name or node.title,
            version=own_version if type(own_version) is int else version,
            doc=node.description,
            parameters=parameters,
            key_schema=parts.key_schema,
            value_schema=parts.value_schema,
        )
        precision = Precision.MILLISECONDS
        if self._instants is not None:
            schema = self._instants.adopt(schema)
            precision = self._instants.of(schema)
        optional = optional or parts.optional
        if parts.fields is not None:
            pair = self._struct(node, schema, parts.fields)
            schema = pair[optional]
            if version is None and not node.has_default and not parts.optional:
                # Both forms at once: references to it get schemas with the very same fields.
                self._done[id(node), False], self._done[id(node), True] = pair
        if node.has_default and node.default is not None:
            schema = self._with_default(schema, node.default)
        made = schema.as_optional() if optional else schema
        return made if self._instants is None else self._instants.keep(made, precision)

    def _struct(
        self, node: m.Node, head: Schema, fields: Callable[[], list[tuple[str, Schema]]]
    ) -> tuple[Schema, Schema]:
        """The struct `head`, with fields that may refer to it, required and optional."""

        def members(schema: Schema, twin: Schema) -> list[tuple[str, Schema]]:
            self._open[id(node)] = (schema, twin)
            try:
                return fields()
            finally:
                del self._open[id(node)]

        builder = SchemaBuilder.struct().parameters(head.parameters)
        if head.name is not None:
            builder.name(head.name)
        if head.version is not None:
            builder.version(head.version)
        if head.doc is not None:
            builder.doc(head.doc)
        return builder.build_recursive_pair(members)

    def _with_default(self, schema: Schema, tree: Any) -> Schema:
        default = self._read_default(schema, tree)
        try:
            validate_value(schema, default)
        except DataError as error:
            raise SchemaBuilderError("Invalid default value") from error
        return schema.replace(default=default)


def _number_type(node: m.NumberNode) -> Type:
    kind = node.extra.get(names.CONNECT_TYPE)
    if kind is None:
        return Type.INT64 if node.integer else Type.FLOAT64
    if not isinstance(kind, str) or kind not in _NUMBERS:
        raise DataError(
            f"Unsupported type {kind}: expected one of {', '.join(_NUMBERS)} as the connect.type of a number"
        )
    return _NUMBERS[kind]


def _symbol(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return decimal_text(value)
    raise DataError("An enum of null, arrays or objects has no Connect schema: expected strings, numbers or booleans")


def _parameters(found: Any) -> dict[str, str]:
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise DataError("connect.parameters has to be an object whose members are strings")
    return found


def _index(node: m.Node, unnamed: int) -> int:
    index = node.extra.get(names.CONNECT_INDEX)
    return index if type(index) is int else unnamed


def _collect(node: m.Node, properties: dict[str, m.Node], required: set[str], seen: set[int]) -> None:
    node = m.resolve(node)
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, m.Combined):
        for part in node.subschemas:
            _collect(part, properties, required, seen)
    elif isinstance(node, m.ObjectNode):
        properties.update(node.properties)
        required |= node.required


def _only_kind(nodes: list[m.Node]) -> m.Node | None:
    """The first subschema of an ``allOf``, if all that have a type have the same one."""
    typed = [n for n in nodes if not isinstance(m.resolve(n), m.Anything | m.Not | m.Conditional | m.Const)]
    return typed[0] if typed and len({type(m.resolve(n)) for n in typed}) == 1 else None


def _most_telling(nodes: list[m.Node]) -> m.Node | None:
    """The subschema of an ``allOf`` that says the type: others only narrow it."""
    by_kind = {type(node): node for node in nodes}
    combined, text, number = by_kind.get(m.Combined), by_kind.get(m.StringNode), by_kind.get(m.NumberNode)
    if combined is not None:
        return combined
    if m.Const in by_kind:
        return text or number
    if m.Enumeration in by_kind:
        return by_kind[m.Enumeration] if text is not None else number
    if isinstance(text, m.StringNode) and text.format is not None:
        return number
    return None

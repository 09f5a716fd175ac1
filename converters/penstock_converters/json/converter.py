"""``org.apache.kafka.connect.json.JsonConverter``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import orjson

from penstock.api import Deserializer, Serializer, of_one_schema
from penstock.config import ConfigDef
from penstock.data import Schema, SchemaAndValue
from penstock.errors import DataError, SerializationError
from penstock_converters.base import ConverterAndHeaderConverter
from penstock_converters.cache import BoundedCache
from penstock_converters.json.compiled import compile_writer, schemaless_writer
from penstock_converters.json.config import JsonOptions, json_config_def
from penstock_converters.json.direct import UNUSUAL, DirectReader, direct_reader
from penstock_converters.json.envelope import RecentEnvelopes
from penstock_converters.json.misfits import OnMisfit, ReadLikeKafka, refuse
from penstock_converters.json.reading import Readers
from penstock_converters.json.scalars import NeedsExact, Reader
from penstock_converters.json.schemaless import read_schemaless
from penstock_converters.json.schemas import connect_schema, json_schema
from penstock_converters.json.text import dumps, exact_loads, loads
from penstock_converters.json.writing import Writer
from penstock_converters.precision import Instants

__all__ = ["JsonConverter"]

#: A schema, what reads its payloads from text, and what reads them from trees.
_Ready = tuple[Schema, DirectReader | None, Reader]
_Read = TypeVar("_Read")
_NULL = SchemaAndValue(None, None)
_BRACE = ord("}")
_ENVELOPE_EXPECTED = (
    'JsonConverter with schemas.enable requires "schema" and "payload" fields and may not contain additional fields. '
    "If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter configuration."
)


class _Known(NamedTuple):
    """A schema that was read, and what reads values of it; `readers` know which numbers in it are finer timestamps."""

    schema: Schema
    read: Reader
    readers: Readers


class JsonConverter(ConverterAndHeaderConverter):
    """Writes the very bytes Kafka's converter writes, and reads what it reads.

    An error names in a note the field that is at fault; its message is Kafka's.
    """

    @classmethod
    def config_def(cls) -> ConfigDef:
        return json_config_def()

    def _configure(self, settings: Mapping[str, Any], is_key: bool) -> None:
        options = JsonOptions.of(settings)
        self._options = options
        self._writer = Writer(options.numeric_decimals, options.replace_null_with_default, options.precision)
        self._on_misfit: OnMisfit = refuse if options.lossy_reads_fail else ReadLikeKafka()
        self._readers = Readers(options.replace_null_with_default, on_misfit=self._on_misfit)
        self._serializers: BoundedCache[Schema, Serializer] = BoundedCache(options.cache_size)
        #: Readers, each with the schema it is for, by the JSON of that schema.
        self._ready: BoundedCache[bytes, _Ready] = BoundedCache(options.cache_size)
        self._by_json: BoundedCache[bytes, _Known] = BoundedCache(options.cache_size)
        self._fixed: _Known | None = None
        if options.schema_content is not None:
            fixed = self._configured_schema(options.schema_content)  # refused where it is none, even if not used
            self._fixed = fixed if options.schemas_enable else None

    def _configured_schema(self, content: str) -> _Known | None:
        try:
            tree = exact_loads(content.encode("utf-8", "surrogatepass"))
        except SerializationError as error:
            problem = DataError("Failed to parse schema in converter config due to serialization error: ")
            problem.add_note(str(error))
            raise problem from error
        return None if tree is None else self._reader(tree)

    # --- writing

    def serializer(self, topic: str, schema: Schema | None) -> Serializer:
        if schema is None:
            before, after = (b'{"schema":null,"payload":', b"}") if self._options.schemas_enable else (b"", b"")
            return schemaless_writer(self._writer, before, after)
        return self._serializers.get(schema) or self._serializers.put(schema, self._bound_serializer(schema))

    def _bound_serializer(self, schema: Schema) -> Serializer:
        if not self._options.schemas_enable:
            return compile_writer(self._writer, schema, b"", b"")
        before = b'{"schema":' + dumps(json_schema(schema, self._writer.tree, self._options.precision)) + b',"payload":'
        return compile_writer(self._writer, schema, before, b"}")

    # --- reading

    def deserializer(self, topic: str) -> Deserializer:
        if not self._options.schemas_enable:
            on_misfit = self._on_misfit
            return of_one_schema(None, _or_exactly(lambda tree: read_schemaless(tree, on_misfit)))
        if self._fixed is not None:
            return self._fixed_deserializer(self._fixed)
        whole = _null_or(_or_exactly(self._open_envelope))
        recent: RecentEnvelopes[_Ready] = RecentEnvelopes()

        def deserialize(data: bytes | None) -> SchemaAndValue:
            if data is None:
                return _NULL
            for start, at, (schema, direct, read) in recent.known:
                if data.startswith(start) and data[-1] == _BRACE:
                    payload = data[at:-1]
                    if direct is not None:
                        try:
                            return SchemaAndValue(schema, direct(payload))
                        except UNUSUAL:
                            pass
                    return _payload(schema, read, payload) or whole(data)
            result = whole(data)
            if result.schema is not None:
                recent.learn(data, self._known_reader)
            return result

        return deserialize

    def _fixed_deserializer(self, fixed: _Known) -> Deserializer:
        schema, read, readers = fixed
        direct = direct_reader(schema, readers)
        whole = _null_or(_or_exactly(lambda tree: SchemaAndValue(schema, read(tree))))
        if direct is None:
            return whole

        def deserialize(data: bytes | None) -> SchemaAndValue:
            if data is None:
                return _NULL
            try:
                return SchemaAndValue(schema, direct(data))
            except UNUSUAL:
                pass
            return whole(data)

        return deserialize

    def _open_envelope(self, tree: Any) -> SchemaAndValue:
        if type(tree) is not dict or len(tree) != 2 or "schema" not in tree or "payload" not in tree:
            raise DataError(_ENVELOPE_EXPECTED)
        if tree["schema"] is None:
            return SchemaAndValue(None, read_schemaless(tree["payload"], self._on_misfit))
        schema, read, _ = self._reader(tree["schema"])
        return SchemaAndValue(schema, read(tree["payload"]))

    def _reader(self, tree: Any) -> _Known:
        """The schema that `tree` describes, and its reader; the same objects for the same JSON."""
        key = _key(tree)
        known = self._by_json.get(key)
        if known is None:
            readers, instants = self._readers, None
            if self._options.precision.is_finer:
                instants = Instants()
                readers = Readers(self._options.replace_null_with_default, instants, self._on_misfit)
            schema = connect_schema(tree, readers.default, instants)
            known = self._by_json.put(key, _Known(schema, readers.reader(schema), readers))
        return known

    def _known_reader(self, tree: Any) -> _Ready | None:
        """Return what reads payloads of the schema that `tree` describes, if `_reader` has seen it."""
        key = _key(tree)
        known = self._by_json.get(key)
        if known is None:
            return None
        # Kept as well: a topic of more schemas than there are recent envelopes comes here for every record.
        ready = self._ready.get(key)
        return ready or self._ready.put(key, (known.schema, direct_reader(known.schema, known.readers), known.read))


def _payload(schema: Schema, read: Reader, payload: bytes) -> SchemaAndValue | None:
    """Return the value of a payload, or None if orjson cannot read it."""
    try:
        return SchemaAndValue(schema, read(orjson.loads(payload)))
    except NeedsExact:
        return SchemaAndValue(schema, read(exact_loads(payload)))
    except orjson.JSONDecodeError:
        return None


def _key(tree: Any) -> bytes:
    try:
        return orjson.dumps(tree)
    except orjson.JSONEncodeError:  # exact numbers, integers beyond 64 bits, lone surrogates
        return repr(tree).encode("utf-8", "surrogatepass")


def _null_or(read: Callable[[bytes], SchemaAndValue]) -> Deserializer:
    return lambda data: _NULL if data is None else read(data)


def _or_exactly(convert: Callable[[Any], _Read]) -> Callable[[bytes], _Read]:
    """Read documents with orjson, and again with exact numbers where `convert` asks for it."""

    def read(data: bytes) -> _Read:
        try:
            try:
                return convert(loads(data, leading_zeros=True))
            except NeedsExact:
                return convert(exact_loads(data))
        except SerializationError as error:
            problem = DataError("Converting byte[] to Kafka Connect data failed due to serialization error: ")
            problem.add_note(str(error))  # Kafka leaves it to the stack trace
            raise problem from error
        except RecursionError:
            raise DataError("The document is nested too deeply to be read as its schema says") from None

    return read

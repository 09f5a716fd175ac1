"""The suites for converters and header converters."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from penstock.api import Converter, HeaderConverter
from penstock.data import Schema, SchemaAndValue, validate_value
from penstock.testing.suites.checks import SuiteOfPlugin, check, refusal_of, unchanged

__all__ = ["Sample", "converter_suite", "header_converter_suite"]

_TOPIC: Final = "penstock-suite"
_SAME: Final = object()
#: Values of every kind that a converter may be handed by mistake.
_ODD_VALUES: Final[tuple[Any, ...]] = ("text", b"bytes", 1, 1.5, True, [], {}, {"no such field": 1}, {1: 2}, object())


@dataclass(frozen=True)
class Sample:
    """A value that the plugin takes, with its schema (None for a value without). `read` is what is read back, if it is
    not the value itself."""

    schema: Schema | None
    value: Any
    read: Any = _SAME

    @property
    def expected(self) -> Any:
        return self.value if self.read is _SAME else self.read


def converter_suite(
    converter: type[Converter],
    settings: Mapping[str, Any] | None = None,
    *,
    samples: Sequence[Sample],
    is_key: bool = False,
    refused_settings: Sequence[Mapping[str, Any]] = (),
    refused: Sequence[tuple[Schema | None, Any]] = (),
    malformed: Sequence[bytes] = (),
) -> type[ConverterSuite]:
    """Return the tests of a converter.

    `refused` are values (with their schemas) and `malformed` are bytes that it has to answer with a `DataError`.
    """
    check(bool(samples), "a converter's suite needs at least one Sample")

    class Suite(ConverterSuite):
        pass

    Suite.plugin, Suite.settings, Suite.refused_settings = converter, settings or {}, refused_settings
    Suite.samples, Suite.is_key, Suite.refused, Suite.malformed = samples, is_key, refused, malformed
    Suite.__name__ = Suite.__qualname__ = f"{converter.__name__}Suite"
    return Suite


class ConverterSuite(SuiteOfPlugin):
    """The promises of `penstock.api.Converter`."""

    samples: Sequence[Sample]
    is_key: bool
    refused: Sequence[tuple[Schema | None, Any]]
    malformed: Sequence[bytes]

    def configured(self, settings: Mapping[str, Any] | None = None) -> Converter:
        made: Converter = self.plugin()
        made.configure(dict(self.settings if settings is None else settings), self.is_key)
        return made

    def test_every_sample_is_read_back(self) -> None:
        converter = self.configured()
        for sample in self.samples:
            data = converter.from_connect(_TOPIC, sample.schema, sample.value)
            found = converter.to_connect(_TOPIC, data)
            check(isinstance(found, SchemaAndValue), f"to_connect has to return a SchemaAndValue, not {found!r}")
            check(
                found.value == sample.expected,
                f"{sample.value!r} was written as {data!r} and read as {found.value!r}; expected {sample.expected!r}",
            )

    def test_what_is_read_fits_the_schema_it_comes_with(self) -> None:
        converter = self.configured()
        for sample in self.samples:
            found = converter.to_connect(_TOPIC, converter.from_connect(_TOPIC, sample.schema, sample.value))
            if found.schema is not None and found.value is not None:
                validate_value(found.schema, found.value)

    def test_bytes_are_bytes_or_a_tombstone(self) -> None:
        converter = self.configured()
        for sample in self.samples:
            data = converter.from_connect(_TOPIC, sample.schema, sample.value)
            check(data is None or type(data) is bytes, f"from_connect has to return bytes or None, not {data!r}")

    def test_both_forms_do_the_same(self) -> None:
        converter = self.configured()
        for sample in self.samples:
            data = converter.from_connect(_TOPIC, sample.schema, sample.value)
            serialize, deserialize = converter.serializer(_TOPIC, sample.schema), converter.deserializer(_TOPIC)
            for _ in range(3):  # a bound function is called for record after record
                check(
                    serialize(sample.value) == data, f"serializer() writes {sample.value!r} otherwise than from_connect"
                )
                check(
                    deserialize(data) == converter.to_connect(_TOPIC, data),
                    f"deserializer() reads {data!r} otherwise than to_connect",
                )

    def test_two_instances_understand_each_other(self) -> None:
        for sample in self.samples:
            data = self.configured().from_connect(_TOPIC, sample.schema, sample.value)
            found = self.configured().to_connect(_TOPIC, data).value
            check(found == sample.expected, f"a second instance reads {data!r} as {found!r}")

    def test_a_tombstone_is_read_as_null(self) -> None:
        check(self.configured().to_connect(_TOPIC, None).value is None, "to_connect(topic, None) has to read as null")

    def test_a_null_is_read_as_null(self) -> None:
        converter = self.configured()
        for sample in self.samples:
            schema = None if sample.schema is None or sample.schema.default is not None else sample.schema.as_optional()
            if refusal_of("a null", converter.from_connect, _TOPIC, schema, None) is None:
                data = converter.from_connect(_TOPIC, schema, None)
                found = converter.to_connect(_TOPIC, data).value
                check(found is None, f"a null of {schema!r} was written as {data!r} and read as {found!r}")

    def test_values_are_not_changed(self) -> None:
        converter = self.configured()
        for sample in self.samples:
            unchanged("a value", sample.value, converter.from_connect, _TOPIC, sample.schema, sample.value)

    def test_values_of_other_types_are_data_errors(self) -> None:
        converter = self.configured()
        for sample in self.samples:
            for value in _ODD_VALUES:
                what = f"writing {value!r} under {sample.schema!r}"
                refusal_of(what, converter.from_connect, _TOPIC, sample.schema, value)

    def test_what_has_to_be_refused_is_refused(self) -> None:
        converter = self.configured()
        for schema, value in self.refused:
            error = refusal_of(f"writing {value!r}", converter.from_connect, _TOPIC, schema, value)
            check(error is not None, f"{value!r} under {schema!r} was written: expected a DataError")
        for data in self.malformed:
            error = refusal_of(f"reading {data!r}", converter.to_connect, _TOPIC, data)
            check(error is not None, f"{data!r} was read: expected a DataError")

    def test_damaged_bytes_are_read_or_refused_as_data_errors(self) -> None:
        converter = self.configured()
        for sample in self.samples:
            data = converter.from_connect(_TOPIC, sample.schema, sample.value)
            for damaged in _damaged(data or b""):
                refusal_of(f"reading {damaged!r}", converter.to_connect, _TOPIC, damaged)

    def test_it_goes_on_after_a_record_that_it_refused(self) -> None:
        converter = self.configured()
        sample = self.samples[0]
        expected = converter.from_connect(_TOPIC, sample.schema, sample.value)
        refusal_of("writing an object()", converter.from_connect, _TOPIC, sample.schema, object())
        refusal_of("reading damaged bytes", converter.to_connect, _TOPIC, b"\xff\x00\xff")
        again = converter.from_connect(_TOPIC, sample.schema, sample.value)
        check(again == expected, f"after an error {sample.value!r} is written as {again!r}, before it as {expected!r}")


def _damaged(data: bytes) -> Iterator[bytes]:
    """Bytes that are nearly `data`, and some that have nothing to do with it. The same ones in every run."""
    yield from (b"", b"\x00", b"\xff" * 8, b"{", b'"\\ud800"', data + b"\x00", data + data)
    yield from (data[:n] for n in range(min(len(data), 40)))
    chance = random.Random(len(data))  # noqa: S311 - no secret: the same damage every time
    for _ in range(60 if data else 0):
        at = chance.randrange(len(data))
        yield data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]


class _AsConverter(Converter):
    """A header converter in a converter's form."""

    header_converter: type[HeaderConverter]

    def __init__(self) -> None:
        self._inner = self.header_converter()

    def configure(self, configs: Mapping[str, Any], is_key: bool) -> None:
        self._inner.configure(configs)

    def from_connect(self, topic: str, schema: Schema | None, value: Any) -> bytes | None:
        return self._inner.from_connect_header(topic, "header", schema, value)

    def to_connect(self, topic: str, data: bytes | None) -> SchemaAndValue:
        return self._inner.to_connect_header(topic, "header", data)

    def close(self) -> None:
        self._inner.close()


def header_converter_suite(
    converter: type[HeaderConverter],
    settings: Mapping[str, Any] | None = None,
    *,
    samples: Sequence[Sample],
    refused_settings: Sequence[Mapping[str, Any]] = (),
    refused: Sequence[tuple[Schema | None, Any]] = (),
    malformed: Sequence[bytes] = (),
) -> type[ConverterSuite]:
    """Return the tests of a header converter: those of a converter, over its two methods."""
    adapter = type(
        converter.__name__, (_AsConverter,),
        {"header_converter": converter, "version": converter.version, "config_def": converter.config_def},
    )  # fmt: skip
    return converter_suite(
        adapter, settings, samples=samples, refused_settings=refused_settings, refused=refused, malformed=malformed
    )

"""Typed records out of a CSV file (RFC 4180: quotes are doubled inside quotes, quoted fields may hold line ends)."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from penstock.api import SourceTask
from penstock.config import ConfigDef, ConfigType, Importance, ValidString
from penstock.data import BOOLEAN, FLOAT64, INT64, STRING, Schema, SchemaBuilder, Type, decimal_schema
from penstock.errors import ConfigError, DataError
from penstock_connectors.files.csv_text import csv_splitter, text_fit
from penstock_connectors.files.fitting import Misfit
from penstock_connectors.files.inference import temporal_schema
from penstock_connectors.files.settings import decimal_fields, key_extractor, schema_of, source_config_def
from penstock_connectors.files.source import (
    BOM,
    SKIP,
    BadRecord,
    FileRecordsConnector,
    FileRecordsTask,
    Plan,
    misfit_text,
)
from penstock_connectors.reading import RecordReader, Split, split_at_newlines

__all__ = ["CsvSource", "CsvSourceTask"]

CONFIG_DEF: Final = (
    source_config_def()
    .define("csv.separator", ConfigType.STRING, ",", importance=Importance.MEDIUM,
            doc=r"The character between fields; \t is a tab.")
    .define("csv.quote", ConfigType.STRING, '"', importance=Importance.LOW,
            doc="The character around fields that hold separators or line ends; empty if there is none.")
    .define("csv.header", ConfigType.STRING, "names", validator=ValidString("names", "skip", "none"), importance=Importance.MEDIUM,
            doc="What the first record is: 'names' of the columns, something to 'skip', or, with 'none', data already. The latter two need csv.columns.")
    .define("csv.columns", ConfigType.LIST, "", importance=Importance.MEDIUM,
            doc="The columns' names where the file does not give them.")
    .define("csv.null", ConfigType.STRING, "", importance=Importance.LOW,
            doc="The text that means null, in columns whose schema is optional.")
)  # fmt: skip


class CsvSource(FileRecordsConnector):
    """A row is a struct of its columns, or with ``schema=none`` a map of strings."""

    @classmethod
    def config_def(cls) -> ConfigDef:
        return CONFIG_DEF

    @property
    def task_class(self) -> type[SourceTask]:
        return CsvSourceTask

    def start(self, props: Mapping[str, str]) -> None:
        super().start(props)
        check_csv(CONFIG_DEF.parse(props))


def check_csv(config: Mapping[str, Any]) -> None:
    columns, header = config["csv.columns"], config["csv.header"]
    if (header == "names") == bool(columns):
        expected = "no csv.columns, since the file names them" if header == "names" else "csv.columns"
        raise ConfigError("csv.header", header, f"Expected {expected} beside it")
    if columns:
        _check_names(columns, "csv.columns")
    separator_of(config)
    if len(config["csv.quote"].encode()) > 1:
        raise ConfigError("csv.quote", config["csv.quote"], "Expected one ASCII character, or none")


def separator_of(config: Mapping[str, Any]) -> str:
    text: str = config["csv.separator"]
    text = "\t" if text == "\\t" else text
    if len(text.encode()) != 1 or text in '\r\n"':
        raise ConfigError("csv.separator", text, r"Expected one ASCII character, or \t")
    return text


def _check_names(names: Sequence[str], where: str) -> None:
    for name in names:
        if not name.strip():
            raise ConfigError(f"{where} has a column without a name: {', '.join(map(repr, names))}")
    if len(set(names)) != len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise ConfigError(f"{where} has the column {twice!r} twice")


class CsvSourceTask(FileRecordsTask):
    who: ClassVar[str] = "CsvSource"

    @classmethod
    def config_def(cls) -> ConfigDef:
        return CONFIG_DEF

    def start(self, props: Mapping[str, str]) -> None:
        super().start(props)
        check_csv(self.config)
        self._separator = separator_of(self.config)
        self._quote: str = self.config["csv.quote"]
        # The csv module's own limit of 128 KiB is for the whole process; max.record.bytes is the one that counts here.
        csv.field_size_limit(max(csv.field_size_limit(), 2 * self.config["max.record.bytes"]))

    def splitter(self) -> Split:
        if not self._quote:
            return split_at_newlines
        return csv_splitter(self._separator.encode(), self._quote.encode())

    def plan(self, head: RecordReader, sample: int) -> Plan | None:
        names = self._names(head)
        if names is None:
            return None
        rows = self._row_decoder(len(names), lambda row: row)
        schema = schema_of(self.config)
        if schema is None and self.config["schema"] == "infer":
            seen = self.sample(head, sample, rows)
            if not seen:
                return None
            schema = self._infer(names, [row for row, _ in seen])
        key_schema, key = key_extractor(self.config["key.field"], schema)
        return Plan(schema, key_schema, self._row_decoder(len(names), self._converter(names, schema)), key)

    def _names(self, head: RecordReader) -> list[str] | None:
        given: list[str] = self.config["csv.columns"]
        if self.config["csv.header"] == "none":
            return given
        first = head.take(1)
        if not first and self.stops and head.at_end and head.partial:
            first = [head.take_rest()]
        if not first:
            return None
        self.start_position = head.position
        self.start_line = first[0].count(b"\n") or 1
        if given:
            return given
        try:
            (names,) = self._row_decoder(None, lambda row: row)(first, 0)
        except BadRecord as error:
            raise DataError(f"{self.config['file']!r}, line 1: {error.problem}") from error
        if names is SKIP:
            raise DataError(f"{self.config['file']!r}, line 1: expected the columns' names, met an empty line")
        _check_names(names, f"{self.config['file']!r}, line 1")
        return list(names)

    def _infer(self, names: list[str], rows: list[list[str]]) -> Schema:
        decimals = decimal_fields(self.config)
        unmet = sorted(decimals.keys() - set(names))
        if unmet:
            raise ConfigError("decimal.fields", unmet[0], f"Expected one of the columns {', '.join(names)}")
        builder = SchemaBuilder.struct()
        if self.config["schema.name"]:
            builder.name(self.config["schema.name"])
        null, dates = self.config["csv.null"], self.config["schema.infer.dates"]
        for index, name in enumerate(names):
            texts = [row[index] for row in rows if row[index] != null]
            schema = decimal_schema(decimals[name]) if name in decimals else _column_schema(texts, dates)
            builder.field(name, schema.as_optional() if len(texts) < len(rows) else schema)
        return builder.build()

    def _converter(self, names: list[str], schema: Schema | None) -> Callable[[list[str]], Any]:
        if schema is None:
            return lambda row: dict(zip(names, row, strict=True))
        members = _members(names, schema)
        null = self.config["csv.null"]

        def convert(row: list[str]) -> dict[str, Any]:
            value: dict[str, Any] = {}
            name = ""
            try:
                for (name, nullable, fit), text in zip(members, row, strict=True):
                    value[name] = None if nullable and text == null else fit(text)
            except Misfit as error:
                raise error.within(name) from None
            return value

        return convert

    def _row_decoder(
        self, width: int | None, convert: Callable[[list[str]], Any]
    ) -> Callable[[list[bytes], int], list[Any]]:
        def decode(raws: list[bytes], position: int) -> list[Any]:
            if position == 0 and raws[0].startswith(BOM):
                raws = [raws[0][len(BOM) :], *raws[1:]]
            values: list[Any] = []
            texts = map(bytes.decode, raws)  # UTF-8, strictly
            reader = (
                csv.reader(texts, delimiter=self._separator, quotechar=self._quote, strict=True)
                if self._quote
                else csv.reader(texts, delimiter=self._separator, quoting=csv.QUOTE_NONE)
            )
            try:
                for row in reader:
                    if not row:
                        values.append(SKIP)
                        continue
                    if width is not None and len(row) != width:
                        raise BadRecord(values, f"the row has {len(row)} fields, expected {width}")
                    if reader.line_num != len(values) + 1:
                        raise BadRecord(values, "a quote is opened and not closed")
                    values.append(convert(row))
            except UnicodeDecodeError as error:
                raise BadRecord(values, f"not UTF-8: {error.reason} at byte {error.start + 1} of the row") from error
            except csv.Error as error:
                raise BadRecord(values, f"malformed CSV: {error}") from error
            except Misfit as error:
                raise BadRecord(values, misfit_text(error), hint=True) from None
            return values

        return decode


def _members(names: list[str], schema: Schema) -> list[tuple[str, bool, Callable[[str], Any]]]:
    if schema.type is not Type.STRUCT:
        raise ConfigError(f"The schema of a CSV file must be a struct, met {schema!r}")
    members = []
    for name in names:
        field = schema.field(name)
        if field is None:
            known = ", ".join(f.name for f in schema.fields)
            raise ConfigError(f"The file's column {name!r} is not a field of the schema, which has {known}")
        members.append((name, field.schema.optional, text_fit(field.schema, name)))
    for field in schema.fields:
        if field.name not in names and not field.schema.optional and field.schema.default is None:
            raise ConfigError(f"The schema's field {field.name!r} is required, but no column of the file")
    return members


_INT: Final = re.compile(r"-?(0|[1-9]\d{0,17})", re.ASCII)
_FLOAT: Final = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def _column_schema(texts: list[str], dates: bool) -> Schema:
    """The narrowest schema that holds every text; what looks like a code (leading zeros, a plus) stays a string."""
    if not texts:
        return STRING
    if all(map(_INT.fullmatch, texts)):
        return INT64
    if all(map(_FLOAT.fullmatch, texts)):
        return FLOAT64
    if all(text in ("true", "false") for text in texts):
        return BOOLEAN
    if dates:
        first = temporal_schema(texts[0])
        if first is not None and all(temporal_schema(text) is first for text in texts):
            return first
    return STRING

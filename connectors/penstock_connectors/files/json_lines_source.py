"""Typed records out of a file of JSON lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

import orjson

from penstock.api import SourceTask
from penstock.config import ConfigDef, ConfigType, Importance, ValidString
from penstock.data import Schema
from penstock.errors import DataError
from penstock_connectors.files.fitting import Misfit, fit_for
from penstock_connectors.files.inference import Inference
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

__all__ = ["JsonLinesSource", "JsonLinesSourceTask"]

CONFIG_DEF: Final = source_config_def().define(
    "unknown.fields",
    ConfigType.STRING,
    "fail",
    validator=ValidString("fail", "ignore"),
    importance=Importance.LOW,
    doc="What to do with fields that the schema does not name: 'fail', or 'ignore' to leave them out.",
)


class JsonLinesSource(FileRecordsConnector):
    """One JSON text a line; blank lines are passed over."""

    @classmethod
    def config_def(cls) -> ConfigDef:
        return CONFIG_DEF

    @property
    def task_class(self) -> type[SourceTask]:
        return JsonLinesSourceTask


class JsonLinesSourceTask(FileRecordsTask):
    who: ClassVar[str] = "JsonLinesSource"

    @classmethod
    def config_def(cls) -> ConfigDef:
        return CONFIG_DEF

    def splitter(self) -> Split:
        return split_at_newlines

    def plan(self, head: RecordReader, sample: int) -> Plan | None:
        schema = schema_of(self.config)
        if schema is None and self.config["schema"] == "infer":
            schema = self._infer(head, sample)
            if schema is None:
                return None
        key_schema, key = key_extractor(self.config["key.field"], schema)
        fit = None if schema is None else fit_for(schema, self.config["unknown.fields"] == "ignore")
        return Plan(schema, key_schema, _decoder(fit), key)

    def _infer(self, head: RecordReader, sample: int) -> Schema | None:
        seen = self.sample(head, sample, _decoder(None))
        if not seen:
            return None
        inference = Inference(
            self.config["schema.name"], self.config["schema.infer.dates"], decimal_fields(self.config)
        )
        inference.see_all(seen)
        try:
            return inference.schema
        except DataError as error:
            raise DataError(f"{self.config['file']!r}: {error.message}") from error


def _decoder(fit: Callable[[Any], Any] | None) -> Callable[[list[bytes], int], list[Any]]:
    loads = orjson.loads

    def decode(raws: list[bytes], position: int) -> list[Any]:
        values: list[Any] = []
        add = values.append
        if position == 0 and raws[0].startswith(BOM):
            raws = [raws[0][len(BOM) :], *raws[1:]]
        # One try around the loop: what was added before an error says where it happened.
        remaining = iter(raws)
        while True:
            try:
                if fit is None:
                    for raw in remaining:
                        add(loads(raw))
                else:
                    for raw in remaining:
                        add(fit(loads(raw)))
                return values
            except orjson.JSONDecodeError as error:
                if raw.strip():
                    raise BadRecord(values, f"malformed JSON at column {error.colno}: {error.msg}") from error
                add(SKIP)
            except Misfit as error:
                raise BadRecord(values, misfit_text(error), hint=True) from None

    return decode

"""The base of penstock's own converters: one class serves as converter and as header converter, as in Kafka."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from penstock import KAFKA_VERSION
from penstock.api import Converter, HeaderConverter
from penstock.config import ConfigDef, ConfigType, Importance
from penstock.config.validators import ValidString
from penstock.data import Schema, SchemaAndValue

__all__ = ["TYPE_CONFIG", "ConverterAndHeaderConverter", "converter_config_def"]

TYPE_CONFIG = "converter.type"


def converter_config_def() -> ConfigDef:
    """``ConverterConfig.newConfigDef()``: the one setting all of Kafka's converters have."""
    return ConfigDef().define(
        TYPE_CONFIG,
        ConfigType.STRING,
        importance=Importance.LOW,
        doc="What this converter is used for: key, value or header. The worker sets it.",
        validator=ValidString("key", "value", "header"),
    )


class ConverterAndHeaderConverter(Converter, HeaderConverter):
    """Headers are converted as values of no particular topic would be.

    `configure` is called in either form: with ``is_key`` for keys and values, without for headers.
    """

    version: ClassVar[str] = KAFKA_VERSION

    @classmethod
    def config_def(cls) -> ConfigDef:
        return converter_config_def()

    def configure(self, configs: Mapping[str, Any], is_key: bool | None = None) -> None:
        # The worker names the use in converter.type; where it did not, the form of the call says it.
        kind = configs.get(TYPE_CONFIG, "header" if is_key is None else "key" if is_key else "value")
        self._configure(self.config_def().parse({**configs, TYPE_CONFIG: kind}), is_key=kind == "key")

    def _configure(self, settings: Mapping[str, Any], is_key: bool) -> None:
        """`settings` are parsed and complete."""

    def from_connect_header(self, topic: str, key: str, schema: Schema | None, value: Any) -> bytes | None:
        return self.from_connect(topic, schema, value)

    def to_connect_header(self, topic: str, key: str, data: bytes | None) -> SchemaAndValue:
        return self.to_connect(topic, data)

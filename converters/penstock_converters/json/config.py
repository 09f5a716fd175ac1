"""``org.apache.kafka.connect.json.JsonConverterConfig``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.config import ConfigDef, ConfigType, Importance, Width
from penstock.config.validators import CaseInsensitiveValidString
from penstock_converters.base import converter_config_def
from penstock_converters.precision import Precision, define_precision

__all__ = ["JsonOptions", "json_config_def"]


def json_config_def() -> ConfigDef:
    definition = (
        converter_config_def()
        .define(
            "schemas.enable", ConfigType.BOOLEAN, True, importance=Importance.HIGH,
            doc="Whether each message is an envelope of schema and payload, or the payload alone.",
            group="Schemas", order=0, width=Width.MEDIUM, display_name="Enable Schemas",
        )
        .define(
            "schemas.cache.size", ConfigType.INT, 1000, importance=Importance.HIGH,
            doc="How many schemas one converter keeps prepared, for writing and for reading each.",
            group="Schemas", order=1, width=Width.MEDIUM, display_name="Schema Cache Size",
        )
        .define(
            "schema.content", ConfigType.STRING, None, importance=Importance.HIGH,
            doc="A schema, in the envelope's own form, that messages are read with; they are then payloads without "
            "an envelope. Only where schemas are enabled.",
            group="Schemas", order=2, width=Width.MEDIUM, display_name="Schema Content",
        )
        .define(
            "decimal.format", ConfigType.STRING, "BASE64", importance=Importance.LOW,
            doc="How decimals are written: BASE64 (the unscaled value's bytes) or NUMERIC (a JSON number). Both are read.",
            validator=CaseInsensitiveValidString("NUMERIC", "BASE64"),
            group="Serialization", order=0, width=Width.MEDIUM, display_name="Decimal Format",
        )
        .define(
            "replace.null.with.default", ConfigType.BOOLEAN, True, importance=Importance.LOW,
            doc="Whether a null takes its schema's default, when written and when read.",
            group="Serialization", order=1, width=Width.MEDIUM, display_name="Replace null with default",
        )
        .define(
            "lossy.reads", ConfigType.STRING, "warn", importance=Importance.LOW,
            doc="What becomes of JSON that does not fit its schema and that Kafka's converter reads as another value: a text "
            "in a number's place (0), a number in a text's place (null), a number out of range (wrapped, or infinite). "
            "warn reads the same and warns of it once a field; fail is an error that names the field.",
            validator=CaseInsensitiveValidString("warn", "fail"),
            group="Serialization", order=2, width=Width.MEDIUM, display_name="Lossy Reads", internal=True,
        )
    )  # fmt: skip
    return define_precision(definition, internal=True)


@dataclass(frozen=True)
class JsonOptions:
    """The settings, parsed."""

    schemas_enable: bool
    cache_size: int
    schema_content: str | None
    numeric_decimals: bool
    replace_null_with_default: bool
    lossy_reads_fail: bool
    precision: Precision

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> JsonOptions:
        return cls(
            settings["schemas.enable"],
            settings["schemas.cache.size"],
            settings["schema.content"] or None,
            settings["decimal.format"].upper() == "NUMERIC",
            settings["replace.null.with.default"],
            settings["lossy.reads"].lower() == "fail",
            Precision.of(settings),
        )

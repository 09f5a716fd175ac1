"""Settings that all converters with a schema registry have in common (``AbstractKafkaSchemaSerDeConfig``)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

from penstock.config import ConfigDef, ConfigType, Importance, Range
from penstock.errors import ConfigError
from penstock_converters.contexts import NULL_CONTEXT
from penstock_converters.schema_id_headers import DUAL_DESERIALIZER, PREFIX_SERIALIZER
from penstock_registry.client.factory import ClientSettings

__all__ = ["check_keys", "registry_config_def"]

log = logging.getLogger(__name__)

_TOPIC_STRATEGY: Final = "io.confluent.kafka.serializers.subject.TopicNameStrategy"


def registry_config_def() -> ConfigDef:
    """A fresh definition, for a converter to add its own settings to."""
    high, medium, low = Importance.HIGH, Importance.MEDIUM, Importance.LOW
    boolean, integer, text = ConfigType.BOOLEAN, ConfigType.INT, ConfigType.STRING
    return (
        ConfigDef()
        .define("schema.registry.url", ConfigType.LIST, importance=high,
                doc="Where the schema registry is: http(s) URLs with commas between them, local://NAME for a registry "
                    "of this process, or mock://NAME for one in memory.")
        .define("auto.register.schemas", boolean, True, importance=medium,
                doc="Whether a schema that is not registered yet is registered when a record needs it.")
        .define("use.schema.id", integer, -1, importance=low,
                doc="Write with the schema of this id instead of the data's own; -1 for none.")
        .define("id.compatibility.strict", boolean, True, importance=low,
                doc="With use.schema.id: refuse data whose schema the registered one could not read.")
        .define("use.latest.version", boolean, False, importance=low,
                doc="Without auto.register.schemas: write with the subject's latest schema instead of the data's own.")
        .define("latest.compatibility.strict", boolean, True, importance=low,
                doc="With use.latest.version: refuse data whose schema the latest one could not read.")
        .define("normalize.schemas", boolean, False, importance=medium,
                doc="Whether schemas are brought into a normal form when they are registered or looked up.")
        .define("key.subject.name.strategy", ConfigType.CLASS, _TOPIC_STRATEGY, importance=medium,
                doc="How the subject of a topic's key schema is named.")
        .define("value.subject.name.strategy", ConfigType.CLASS, _TOPIC_STRATEGY, importance=medium,
                doc="How the subject of a topic's value schema is named.")
        .define("context.name.strategy", ConfigType.CLASS, NULL_CONTEXT, importance=low,
                doc="Which context of the registry a topic's subjects are in; none, or a class of one's own.")
        .define("latest.cache.ttl.sec", integer, -1, importance=low,
                doc="With use.latest.version: after how many seconds the latest version is asked for again; -1 for never.")
        .define("key.schema.id.serializer", ConfigType.CLASS, PREFIX_SERIALIZER, importance=medium,
                doc="Where a key's schema is named: before the data by its id, or in a header by its GUID "
                    "(HeaderSchemaIdSerializer).")
        .define("value.schema.id.serializer", ConfigType.CLASS, PREFIX_SERIALIZER, importance=medium,
                doc="Where a value's schema is named: before the data by its id, or in a header by its GUID "
                    "(HeaderSchemaIdSerializer).")
        .define("key.schema.id.deserializer", ConfigType.CLASS, DUAL_DESERIALIZER, importance=medium,
                doc="Where a key's schema is looked for: in the header and else before the data, or before the data "
                    "only (PrefixSchemaIdDeserializer).")
        .define("value.schema.id.deserializer", ConfigType.CLASS, DUAL_DESERIALIZER, importance=medium,
                doc="Where a value's schema is looked for: in the header and else before the data, or before the data "
                    "only (PrefixSchemaIdDeserializer).")
        .define("schemas.cache.config", integer, 1000, importance=low, validator=Range.at_least(0),
                doc="How many schemas this converter keeps ready for use.")
        .define("max.schemas.per.subject", integer, 1000, importance=low, validator=Range.at_least(1),
                doc="How many schemas the registry's client remembers.")
        .define("basic.auth.credentials.source", text, "URL", importance=medium,
                doc="Where user and password come from: URL (before the @ of the registry's URL), USER_INFO, or SASL_INHERIT "
                    "(out of sasl.jaas.config beside it).")
        .define("basic.auth.user.info", ConfigType.PASSWORD, "", importance=medium,
                doc="user:password, for USER_INFO.")
        .define("bearer.auth.credentials.source", text, "", importance=medium,
                doc="Where a bearer token comes from: STATIC_TOKEN or OAUTHBEARER; empty for none.")
        .define("bearer.auth.token", ConfigType.PASSWORD, "", importance=medium, doc="The token, for STATIC_TOKEN.")
    )  # fmt: skip


#: Keys of Confluent's serializers that change what is written or read, and are not supported.
_REFUSED: Final = {
    "use.latest.with.metadata": "metadata selection of schemas is not supported",
    "use.schema.guid": "the schema to write with is named by use.schema.id",
    "rule.executors": "data contract rules are not run",
    "rule.actions": "data contract rules are not run",
    "enable.rule.service.loader": "data contract rules are not run",
    "propagate.schema.tags": "tag metadata is not supported",
    "reference.subject.name.strategy": "references are registered by name",
    "schema.reflection": "there are no Java classes to reflect on",
    "avro.reflection.allow.null": "there are no Java classes to reflect on",
    "specific.avro.reader": "there are no generated Java classes",
    "avro.use.logical.type.converters": "Connect's logical types are always converted",
    "schema.format": "schemas are fetched as they were registered",
    "preserve.additional.properties": "properties that a schema does not name are not kept",
}
_NO_EFFECT_VALUES: Final = {"false", "", "none", "null"}
#: Known to Confluent's clients, of no effect here.
_NO_EFFECT: Final = frozenset(
    {
        "latest.cache.size", "missing.id.cache.ttl.sec", "missing.version.cache.ttl.sec",
        "missing.schema.cache.ttl.sec", "missing.cache.size", "avro.remove.java.properties", "json.indent.output",
        # for Java classes that schemas are made of
        "json.schema.spec.version", "json.oneof.for.nullables", "json.default.property.inclusion",
        "json.write.dates.iso8601", "json.schema.scan.packages", "json.key.type", "json.value.type", "type.property",
        "http.connect.timeout.ms", "url.random.initial.index",
    }
)  # fmt: skip
#: The settings that the worker adds to every converter's.
_WORKERS: Final = frozenset({"converter.type", "schemas.enable"})


def check_keys(configs: Mapping[str, Any], known: Iterable[str], who: str) -> None:
    """Refuse what is not supported by name, warn of what has no effect or is not known."""
    names = set(known) | ClientSettings.KEYS | _WORKERS
    for key, value in configs.items():
        if key in names or key.removeprefix("schema.registry.").startswith("ssl."):
            continue
        reason = _REFUSED.get(key)
        if key.startswith(("rule.executors.", "rule.actions.", "validation.rules.")):
            reason = "data contract rules are not run"
        if reason is not None:
            if str(value).strip().lower() in _NO_EFFECT_VALUES:
                continue
            raise ConfigError(f"{who}: the setting {key} is not supported: {reason}. Remove it.")
        if key in _NO_EFFECT:
            log.warning("%s: the setting %s has no effect", who, key)
        else:
            log.warning("%s: unknown setting %s", who, key)

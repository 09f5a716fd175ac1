"""What this package brings to penstock; nothing it needs at run time is imported here."""

from __future__ import annotations

from penstock.api import Plugin, hookimpl


@hookimpl
def penstock_register_schema_formats() -> list[Plugin]:
    return [
        Plugin("AVRO", "penstock_registry.formats.avro:AvroFormat", summary="Avro schemas"),
        Plugin("PROTOBUF", "penstock_registry.formats.protobuf:ProtobufFormat", summary="Protobuf schemas"),
        Plugin("JSON", "penstock_registry.formats.jsonschema:JsonSchemaFormat", summary="JSON Schemas"),
    ]


@hookimpl
def penstock_register_services() -> list[Plugin]:
    return [
        Plugin(
            "schema-registry",
            "penstock_registry.server.service:RegistryService",
            summary="Schema registry with Confluent's HTTP API",
        )
    ]

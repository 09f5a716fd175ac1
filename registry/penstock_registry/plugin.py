"""The plugins of this package; nothing they need at run time is imported here."""

from __future__ import annotations

from penstock.api import Plugin, hookimpl
from penstock_registry.languages import BUILT_IN


@hookimpl
def penstock_register_schema_formats() -> list[Plugin]:
    return [
        Plugin("AVRO", BUILT_IN["AVRO"], summary="Avro schemas"),
        Plugin("PROTOBUF", BUILT_IN["PROTOBUF"], summary="Protobuf schemas"),
        Plugin("JSON", BUILT_IN["JSON"], summary="JSON Schemas"),
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

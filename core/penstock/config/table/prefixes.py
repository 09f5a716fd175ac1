"""Families of settings under a prefix, which other rooms check."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["PREFIXES", "Prefix"]


class Prefix(NamedTuple):
    name: str
    doc: str


PREFIXES: Final[tuple[Prefix, ...]] = (
    Prefix("producer.", "settings of the producers of source tasks and dead letters"),
    Prefix("consumer.", "settings of the consumers of sink tasks"),
    Prefix("admin.", "settings of the admin clients of connectors"),
    Prefix("key.converter.", "settings of the default key converter"),
    Prefix("value.converter.", "settings of the default value converter"),
    Prefix("header.converter.", "settings of the default header converter"),
    Prefix("config.providers.", "class and settings of each config provider"),
    Prefix("config.storage.", "topic settings for the configuration topic, where it is made"),
    Prefix("offset.storage.", "topic settings for the offset topic, where it is made"),
    Prefix("status.storage.", "topic settings for the status topic, where it is made"),
    Prefix("listeners.https.", "TLS settings of the REST API, in place of the worker's own"),
    Prefix("admin.listeners.https.", "TLS settings of the admin listeners"),
    Prefix("metrics.context.", "labels for metrics"),
    Prefix("registry.", "settings of the embedded registry, as `penstock registry` takes them"),
    Prefix("schema.registry.", "settings of the embedded registry, as `penstock registry` takes them"),
)

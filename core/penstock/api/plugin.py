"""The base of all plugins, and the descriptor that a hook returns for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from penstock import KAFKA_VERSION
from penstock.api.metrics import Measured
from penstock.config import ConfigDef

__all__ = ["ConnectPlugin", "Plugin", "Versioned"]


class Versioned:
    """A class that has a version.

    `version` is what the REST API reports for it. A plugin known under a JVM class name reports the Kafka release it
    follows; anything else should give its own distribution's version.
    """

    version: ClassVar[str] = "undefined"


class ConnectPlugin(Versioned, Measured):
    """Base of converters, header converters, transforms and predicates (``ConnectPlugin``, KIP-891).

    Instances are made without arguments, configured once, used from one task's thread (converters also from the
    thread that commits), and closed once. A class may be instantiated many times in one process.
    """

    @classmethod
    def config_def(cls) -> ConfigDef:
        """The settings this plugin takes. Called for validation and docs, before any instance exists."""
        return ConfigDef()

    def close(self) -> None:
        """Called once, after the last use, also when `configure` failed. Must not raise."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """Announces a plugin without importing it.

    `name` is the short name used in configs (``avro``); `target` is ``"module:Class"``, imported when first needed;
    `aliases` are further full names, the JVM class name first. The last segment of an alias (``AvroConverter``,
    ``Cast$Value``) works as well, as do ``FileStreamSource`` for ``FileStreamSourceConnector`` and the like.
    """

    name: str
    target: str
    aliases: tuple[str, ...] = ()
    #: One line for listings.
    summary: str = ""
    #: True for converters that need a schema registry: shown by ``penstock plugins``.
    uses_registry: bool = False
    #: "source" or "sink", for connectors only: known without importing the class.
    connector_type: str = ""
    #: The version shown where the class is not imported; built-ins known by a JVM name follow Kafka.
    version: str = KAFKA_VERSION
    #: Free for a plugin kind's own use, e.g. a schema format's type name.
    extra: Mapping[str, str] = field(default_factory=dict)

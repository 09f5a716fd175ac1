"""The parts of a registry that plugins may add to: schema formats and long-lived services."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from penstock.errors import DataError
from penstock.measurements import Measurement

__all__ = [
    "HasFields",
    "HasMeasurements",
    "HasSummary",
    "InvalidSchemaError",
    "KnowsLenience",
    "ParsedSchema",
    "ReadsRegistered",
    "SchemaFormat",
    "SchemaReference",
    "Service",
]


class InvalidSchemaError(DataError):
    """A schema text that cannot be parsed; the message says where and why."""


class SchemaReference(NamedTuple):
    """A schema's use of another, registered one."""

    name: str
    subject: str
    version: int


class ParsedSchema(Protocol):
    """A schema as the registry sees it. Immutable, safe from any thread."""

    @property
    def schema_type(self) -> str:
        """``AVRO``, ``PROTOBUF``, ``JSON`` or a further format's name."""

    @property
    def canonical(self) -> str:
        """The text that is stored and returned; two registrations are the same if this and the references are."""

    @property
    def references(self) -> Sequence[SchemaReference]:
        """Return the references that the schema was registered or parsed with, in their order."""

    @property
    def name(self) -> str | None:
        """The full name a record-name strategy uses; None if the schema has none."""

    def normalized(self) -> ParsedSchema:
        """Return the same schema with everything that does not matter in one fixed form (``normalize.schemas``)."""

    def formatted(self, form: str) -> str:
        """The text in another form (``format=resolved``, ``serialized``); an unknown form gives `canonical`."""

    def incompatibilities(self, previous: ParsedSchema) -> list[str]:
        """Return why data written with `previous` cannot be read with this schema; empty if it can. Each message has its
        own path, old and new."""


@runtime_checkable
class HasFields(Protocol):
    """A parsed schema whose fields can be told (``validateFields`` needs it)."""

    def top_level_fields(self) -> frozenset[str]:
        """The names of the fields of the record, object or first message; empty if it is none of these."""


@runtime_checkable
class KnowsLenience(Protocol):
    """A parsed schema whose language has a milder rule of compatibility (``compatibilityPolicy=LENIENT``)."""

    def incompatibilities_lenient(self, previous: ParsedSchema) -> list[str]:
        """Return the reasons as `ParsedSchema.incompatibilities` does, by the milder rule."""


class SchemaFormat(ABC):
    """A schema language. Stateless, safe from any thread."""

    #: ``AVRO``, ``PROTOBUF``, ``JSON`` or another name.
    schema_type: str

    @abstractmethod
    def parse(
        self,
        text: str,
        references: Sequence[SchemaReference] = (),
        resolved: Mapping[str, str] | None = None,
    ) -> ParsedSchema:
        """Parse and check. `resolved` has the text of every reference, direct and transitive, by its name, in an
        order that has each after those it needs. Raises `InvalidSchemaError`."""


@runtime_checkable
class ReadsRegistered(Protocol):
    """A format that is milder with a text that a registry holds than with one that is to be registered."""

    def parse_registered(
        self,
        text: str,
        references: Sequence[SchemaReference] = (),
        resolved: Mapping[str, str] | None = None,
    ) -> ParsedSchema:
        """Parse as `SchemaFormat.parse` does. Raises `InvalidSchemaError`."""


@runtime_checkable
class HasSummary(Protocol):
    """A service that tells what it runs with, for the log at its start."""

    def summary(self) -> Mapping[str, str]:
        """Return some lines, what each is about and what it says, without secrets. Only between start and stop."""


@runtime_checkable
class HasMeasurements(Protocol):
    """A service that is measured."""

    def measurements(self) -> Iterable[Measurement]:
        """Return everything that is measured now, from any thread. Nothing outside start and stop."""


class Service(Protocol):
    """Long-lived company of a worker, such as the embedded registry. Made by the command line, not by a connector."""

    def start(self, config: Mapping[str, str]) -> None:
        """Begin serving; returns once it can answer. Raises `ConfigError` or `WorkerError`."""

    def stop(self) -> None:
        """Stop serving; may be called twice."""

    @property
    def urls(self) -> Sequence[str]:
        """Return the URL at which others reach it."""

"""The interface of a schema registry for converters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from penstock.api import SchemaReference
from penstock.errors import DataError

__all__ = ["RegisteredSchema", "RegistryClient", "RegistryRequestError"]


@dataclass(frozen=True, slots=True)
class RegisteredSchema:
    """A schema as a registry knows it. `subject`, `version` and `guid` are None where the answer does not tell them;
    `id` is -1 of a schema that was asked for by GUID, which has an id of its own in each context."""

    id: int
    schema: str
    schema_type: str = "AVRO"
    references: tuple[SchemaReference, ...] = ()
    subject: str | None = None
    version: int | None = None
    guid: str | None = None


class RegistryRequestError(DataError):
    """The registry refused a request: an unknown id, an incompatible schema, and so on.

    `error_code` is Confluent's (40401, 42201, 409, ...); its first three digits are the HTTP status. `reason` is the
    registry's own text.
    """

    java_class = "io.confluent.kafka.schemaregistry.client.rest.exceptions.RestClientException"

    def __init__(self, reason: str, error_code: int, where: str = "") -> None:
        super().__init__(f"{reason}; error code: {error_code}{where}")
        self.reason = reason
        self.error_code = error_code

    @property
    def not_found(self) -> bool:
        return self.error_code == 404 or self.error_code // 100 == 404


class RegistryClient(ABC):
    """One schema registry. Safe from any thread.

    Every method raises `RetriableError` if the registry does not answer or answers with a server error,
    `ConfigError` if it refuses these credentials, and `RegistryRequestError` if it refuses the request.
    """

    @abstractmethod
    def register(
        self,
        subject: str,
        schema: str,
        schema_type: str = "AVRO",
        references: Sequence[SchemaReference] = (),
        normalize: bool = False,
    ) -> RegisteredSchema:
        """Register `schema` under `subject`, or find it there. `version` may be None in the answer."""

    @abstractmethod
    def lookup(
        self,
        subject: str,
        schema: str,
        schema_type: str = "AVRO",
        references: Sequence[SchemaReference] = (),
        normalize: bool = False,
        deleted: bool = False,
    ) -> RegisteredSchema:
        """Return the registration of `schema` under `subject`; with `deleted` also a soft-deleted one."""

    @abstractmethod
    def schema_by_id(self, id: int, subject: str | None = None) -> RegisteredSchema:  # noqa: A002 - the registry's word
        """Return the schema of an id; `subject` says in which context to look."""

    @abstractmethod
    def schema_by_guid(self, guid: str) -> RegisteredSchema:
        """Return the schema of a GUID (in small letters, with dashes), in whatever context it stands."""

    @abstractmethod
    def latest(self, subject: str) -> RegisteredSchema:
        """Return the latest version of `subject`."""

    @abstractmethod
    def version(self, subject: str, version: int) -> RegisteredSchema:
        """One version of `subject`."""

    def close(self) -> None:
        """Release connections. Called when the process no longer needs this registry."""

    def resolve(self, references: Sequence[SchemaReference]) -> dict[str, str]:
        """Return the texts of references, transitive ones included, by name; each stands after those it needs."""
        texts: dict[str, str] = {}
        self._resolve(references, texts, frozenset())
        return texts

    def _resolve(
        self, references: Sequence[SchemaReference], texts: dict[str, str], pending: frozenset[SchemaReference]
    ) -> None:
        for reference in references:
            if reference.name in texts or reference in pending:
                continue
            found = self.version(reference.subject, reference.version)
            self._resolve(found.references, texts, pending | {reference})
            texts[reference.name] = found.schema

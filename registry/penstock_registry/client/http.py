"""A registry over HTTP. Confluent-kafka's client does authentication, TLS, several URLs and retries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry import SchemaReference as WireReference
from confluent_kafka.schema_registry.error import OAuthTokenError, SchemaRegistryError

from penstock.api import SchemaReference
from penstock.credentials import without_credentials
from penstock.errors import ConfigError, ConnectError, RetriableError
from penstock_registry.client.interface import RegisteredSchema, RegistryClient, RegistryRequestError

try:  # newer clients stand on httpx2, whose exceptions are not httpx's: take the one this client raises
    from confluent_kafka.schema_registry.common._httpx_compat import httpx
except ModuleNotFoundError:
    import httpx  # type: ignore[no-redef]  # one or the other, never both

__all__ = ["HttpClient"]

T = TypeVar("T")
#: A worker must notice a dead registry long before its poll interval is over.
_DEFAULTS: Final[Mapping[str, Any]] = {
    "timeout": 30.0,
    "max.retries": 2,
    "retries.wait.ms": 200,
    "retries.max.wait.ms": 2000,
    # CachingClient says what is cached, and for how long; two caches would only disagree.
    "cache.capacity": 1,
}


class HttpClient(RegistryClient):
    """`config` has confluent-kafka's keys except ``url``, which `urls` stands for."""

    def __init__(self, urls: Sequence[str], config: Mapping[str, Any]) -> None:
        bare = [without_credentials(url) for url in urls]
        self._shown = ", ".join(bare)
        # The HTTP library logs the URL of every request: the client gets user and password apart from it.
        user_info = next((info for info in map(_user_info, urls) if info), None)
        if user_info and "basic.auth.user.info" not in config:
            config = {**config, "basic.auth.user.info": user_info}
        try:
            self._client = SchemaRegistryClient({**_DEFAULTS, **config, "url": ",".join(bare)})
        except (ValueError, TypeError, OSError) as error:
            raise ConfigError(f"Schema registry client for {self._shown}: {error}") from error

    def register(
        self,
        subject: str,
        schema: str,
        schema_type: str = "AVRO",
        references: Sequence[SchemaReference] = (),
        normalize: bool = False,
    ) -> RegisteredSchema:
        wire = _to_wire(schema, schema_type, references)
        found = self._ask(
            f"registering subject {subject}",
            lambda: self._client.register_schema_full_response(subject, wire, normalize_schemas=normalize),
        )
        return self._answered(found, schema, schema_type, references, subject)

    def lookup(
        self,
        subject: str,
        schema: str,
        schema_type: str = "AVRO",
        references: Sequence[SchemaReference] = (),
        normalize: bool = False,
        deleted: bool = False,
    ) -> RegisteredSchema:
        wire = _to_wire(schema, schema_type, references)
        # Its cache would give back what `schema_by_id` left there for the same schema, an answer that has no id.
        self._client.clear_caches()  # type: ignore[no-untyped-call]  # a library without full types
        found = self._ask(
            f"looking up subject {subject}",
            lambda: self._client.lookup_schema(subject, wire, normalize_schemas=normalize, deleted=deleted),
        )
        return self._answered(found, schema, schema_type, references, subject)

    def _answered(
        self, found: Any, schema: str, schema_type: str, references: Sequence[SchemaReference], subject: str
    ) -> RegisteredSchema:
        if not isinstance(found.schema_id, int):
            raise RetriableError(f"Schema registry at {self._shown} gave an answer without an id for subject {subject}")
        return RegisteredSchema(
            found.schema_id, schema, schema_type, tuple(references), subject, found.version, found.guid
        )

    def schema_by_id(self, id: int, subject: str | None = None) -> RegisteredSchema:  # noqa: A002 - the registry's word
        found = self._ask(f"fetching schema id {id}", lambda: self._client.get_schema(id, subject_name=subject))
        return RegisteredSchema(id, found.schema_str or "", found.schema_type or "AVRO", _references(found))

    def schema_by_guid(self, guid: str) -> RegisteredSchema:
        found = self._ask(f"fetching schema guid {guid}", lambda: self._client.get_schema_by_guid(guid))
        return RegisteredSchema(-1, found.schema_str or "", found.schema_type or "AVRO", _references(found), guid=guid)

    def latest(self, subject: str) -> RegisteredSchema:
        # Its cache of latest versions has no age limit by default; a converter decides itself when to ask again.
        self._client.clear_latest_caches()  # type: ignore[no-untyped-call]  # a library without full types
        return self._registered(
            self._ask(
                f"fetching the latest version of subject {subject}", lambda: self._client.get_latest_version(subject)
            )
        )

    def version(self, subject: str, version: int) -> RegisteredSchema:
        return self._registered(
            self._ask(
                f"fetching version {version} of subject {subject}",
                lambda: self._client.get_version(subject, version, deleted=True),
            )
        )

    def close(self) -> None:
        self._client.close()

    def _registered(self, found: Any) -> RegisteredSchema:
        schema = found.schema
        return RegisteredSchema(
            found.schema_id,
            schema.schema_str,
            schema.schema_type or "AVRO",
            _references(schema),
            found.subject,
            found.version,
            found.guid,
        )

    def _ask(self, doing: str, request: Callable[[], T]) -> T:
        try:
            return request()
        except SchemaRegistryError as error:
            raise self._refused(doing, error) from error
        except httpx.UnsupportedProtocol as error:
            raise ConfigError(f"Schema registry at {self._shown}: {error}") from error
        except (httpx.HTTPError, OSError) as error:
            raise RetriableError(
                f"Schema registry at {self._shown} does not answer while {doing}: {type(error).__name__}: {error}"
            ) from error
        except OAuthTokenError as error:
            raise RetriableError(f"No bearer token for the schema registry at {self._shown} while {doing}") from error
        except (ValueError, TypeError) as error:
            raise RetriableError(
                f"Schema registry at {self._shown} gave an answer that is none of a registry while {doing}: {error}"
            ) from error

    def _refused(self, doing: str, error: SchemaRegistryError) -> ConnectError:
        status = error.http_status_code
        where = f" ({doing} at {self._shown})"
        if status in (401, 403):
            return ConfigError(
                f"Schema registry at {self._shown} refused the credentials while {doing} (HTTP {status}):"
                f" {error.error_message}; check basic.auth.* and bearer.auth.*"
            )
        if status >= 500 or status in (408, 429):
            return RetriableError(
                f"Schema registry at {self._shown} failed while {doing} (HTTP {status}): {error.error_message}"
            )
        code = error.error_code if isinstance(error.error_code, int) and error.error_code > 0 else status
        return RegistryRequestError(error.error_message, code, where)


def _user_info(url: str) -> str | None:
    """``user:password`` of the URL, decoded; None if it has none."""
    parts = urlsplit(url)
    if parts.username is None:
        return None
    return f"{unquote(parts.username)}:{unquote(parts.password or '')}"


def _to_wire(schema: str, schema_type: str, references: Sequence[SchemaReference]) -> Schema:
    return Schema(schema, schema_type, [WireReference(r.name, r.subject, r.version) for r in references])


def _references(schema: Any) -> tuple[SchemaReference, ...]:
    return tuple(SchemaReference(r.name, r.subject, r.version) for r in schema.references or ())

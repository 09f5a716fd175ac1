"""Every error the registry answers with: code, HTTP status, message. Confluent's table (``Errors``), in its groups.

Clients match on the code, and some on the message, so the messages are Confluent's to the letter, its typing errors
included. Nothing else in the server makes up a code.
"""

from __future__ import annotations

from collections.abc import Iterable

from penstock.errors import ConnectError

__all__ = ["RegistryError"]


class RegistryError(ConnectError):
    """An answer that is not a success. `code` goes into ``error_code``; `http_status` is the answer's status."""

    java_class = "io.confluent.kafka.schemaregistry.rest.exceptions.RestException"

    def __init__(self, code: int, http_status: int, message: str) -> None:
        # Texts of clients stand in messages, and an answer is UTF-8: what has no form in it shows as Java shows it.
        super().__init__(message.encode("utf-8", "replace").decode())
        self.code = code
        self.http_status = http_status


# --- HTTP itself -----------------------------------------------------------------------------------------------------

_REASONS = {
    400: "Bad Request",
    404: "HTTP 404 Not Found",
    405: "HTTP 405 Method Not Allowed",
    406: "HTTP 406 Not Acceptable",
    415: "HTTP 415 Unsupported Media Type",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def http_error(status: int) -> RegistryError:
    return RegistryError(status, status, _REASONS.get(status, f"HTTP {status}"))


def not_here(what: str) -> RegistryError:
    return RegistryError(
        404, 404, f"HTTP 404 Not Found: this registry has no {what}; docs/registry.md lists what it has"
    )


def bad_body(problem: str) -> RegistryError:
    return RegistryError(400, 400, problem)


def missing_body(operation: str) -> RegistryError:
    return RegistryError(422, 422, f"{operation}.request must not be null (was null)")


def body_too_large(limit: int) -> RegistryError:
    return RegistryError(413, 413, f"The request is larger than registry.max.request.size={limit} bytes")


def unauthorized(message: str) -> RegistryError:
    return RegistryError(401, 401, message)


def forbidden(operation: str, resource: str) -> RegistryError:
    return RegistryError(40301, 403, f"User is denied operation {operation} on {resource}")


# --- 404xx: nothing there --------------------------------------------------------------------------------------------


def subject_not_found(subject: str) -> RegistryError:
    return RegistryError(40401, 404, f"Subject '{subject}' not found.")


def version_not_found(version: int) -> RegistryError:
    return RegistryError(40402, 404, f"Version {version} not found.")


def schema_not_found(schema_id: int | str | None = None) -> RegistryError:
    return RegistryError(40403, 404, "Schema not found" if schema_id is None else f"Schema {schema_id} not found")


def subject_soft_deleted(subject: str) -> RegistryError:
    return RegistryError(40404, 404, f"Subject '{subject}' was soft deleted.Set permanent=true to delete permanently")


def subject_not_soft_deleted(subject: str) -> RegistryError:
    return RegistryError(40405, 404, f"Subject '{subject}' was not deleted first before being permanently deleted")


def version_soft_deleted(subject: str, version: int) -> RegistryError:
    return RegistryError(
        40406,
        404,
        f"Subject '{subject}' Version {version} was soft deleted.Set permanent=true to delete permanently",
    )


def version_not_soft_deleted(subject: str, version: int) -> RegistryError:
    return RegistryError(
        40407,
        404,
        f"Subject '{subject}' Version {version} was not deleted first before being permanently deleted",
    )


def compatibility_not_configured(subject: str) -> RegistryError:
    return RegistryError(40408, 404, f"Subject '{subject}' does not have subject-level compatibility configured")


def mode_not_configured(subject: str) -> RegistryError:
    return RegistryError(40409, 404, f"Subject '{subject}' does not have subject-level mode configured")


# --- 409xx: at odds with what is there -------------------------------------------------------------------------------


def incompatible_schema(subject: str, details: list[str]) -> RegistryError:
    return RegistryError(
        40901,
        409,
        f'Schema being registered is incompatible with an earlier schema for subject "{subject}", '
        f"details: [{', '.join(details)}]",
    )


# --- 422xx: a request that makes no sense ----------------------------------------------------------------------------


def invalid_schema(details: str) -> RegistryError:
    return RegistryError(42201, 422, details)


def invalid_version(version: str) -> RegistryError:
    return RegistryError(
        42202,
        422,
        f"The specified version '{version}' is not a valid version id. "
        'Allowed values are between [1, 2^31-1] and the string "latest"',
    )


def invalid_compatibility() -> RegistryError:
    return RegistryError(
        42203,
        422,
        "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, "
        "forward_transitive, and full_transitive",
    )


def invalid_policy() -> RegistryError:
    return RegistryError(42203, 422, "Invalid compatibility policy. Valid values are strict and lenient")


def invalid_mode(
    message: str = "Invalid mode. Valid values are READWRITE, READONLY, IMPORT and FORWARD.",
) -> RegistryError:
    return RegistryError(42204, 422, message)


def not_permitted(message: str) -> RegistryError:
    return RegistryError(42205, 422, message)


def id_too_high(schema_id: int, subject: str, context: str, limit: int) -> RegistryError:
    return not_permitted(
        f"The id {schema_id} of {subject} is beyond registry.max.import.id={limit}: schemas that are registered in "
        f"context {context} later would have no ids left"
    )


def no_ids_left(context: str, highest: int, holders: Iterable[tuple[str, int]]) -> RegistryError:
    names = ", ".join(f"{subject} version {version}" for subject, version in holders) or "another subject"
    return not_permitted(
        f"Context {context} has no ids left: the highest one there is, {highest}, was given to {names}. Register in "
        "another context"
    )


def reference_exists(subject: str, version: int) -> RegistryError:
    return RegistryError(
        42206,
        422,
        f"One or more references exist to the schema {{magic=1,keytype=SCHEMA,subject={subject},version={version}}}.",
    )


def invalid_subject(subject: str) -> RegistryError:
    return RegistryError(42208, 422, f"The specified subject '{subject}' is not a valid.")


def schema_too_large(size: int, limit: int) -> RegistryError:
    return RegistryError(
        42209, 422, f"Schema is too large: {size} bytes, and registry.max.schema.size={limit}. Split it with references"
    )


def record_too_large(problem: str) -> RegistryError:
    return RegistryError(42209, 422, f"Schema is too large for the store: {problem}. Split it with references")


def schema_too_deep(limit: int) -> RegistryError:
    return RegistryError(
        42209, 422, f"Schema is nested too deeply: more than registry.max.schema.nesting={limit}. Split it by name"
    )


def context_not_empty(context: str) -> RegistryError:
    return RegistryError(42211, 422, f"The specified context ':{context}:' is not empty.")


# --- 500xx: the registry's own trouble -------------------------------------------------------------------------------


def forwarding_failed(leader: str, problem: str) -> RegistryError:
    return RegistryError(50003, 500, f"Error while forwarding the request to the leader {leader}: {problem}")


def unknown_leader(reason: str = "no registry leads now") -> RegistryError:
    return RegistryError(50004, 500, f"The request needs the leader, and the leader is unknown: {reason}")


def store_failed(message: str) -> RegistryError:
    return RegistryError(50001, 500, f"Error in the backend data store: {message}")

"""The endpoints' names in metrics: those of Confluent's registry (its ``PerformanceMetric`` annotations)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = ["BY_ID", "ENDPOINTS", "LOOKUP", "REGISTER", "VERSION", "endpoint_of"]

BY_ID: Final = "schemas.ids.get-schema"
LOOKUP: Final = "subjects.get-schema"
REGISTER: Final = "subjects.versions.register"
VERSION: Final = "subjects.versions.get-schema"

#: By method and path; ``*`` stands for a part that is the caller's.
_NAMES: Final = {
    ("GET", "subjects"): "subjects.list",
    ("POST", "subjects", "*"): LOOKUP,
    ("DELETE", "subjects", "*"): "subjects.delete-subject",
    ("GET", "subjects", "*", "metadata"): "subjects.get-latest-with-metadata",
    ("GET", "subjects", "*", "versions"): "subjects.versions.list",
    ("POST", "subjects", "*", "versions"): REGISTER,
    ("GET", "subjects", "*", "versions", "*"): VERSION,
    ("DELETE", "subjects", "*", "versions", "*"): "subjects.versions.deleteSchemaVersion-schema",
    ("GET", "subjects", "*", "versions", "*", "schema"): "subjects.versions.get-schema.only",
    ("GET", "subjects", "*", "versions", "*", "referencedby"): "subjects.versions.list-schema-refs",
    ("POST", "subjects", "*", "versions", "*", "tags"): "subjects.versions.modify.tags",
    ("GET", "schemas"): "schemas.get-schemas",
    ("GET", "schemas", "types"): "schemas.get-types",
    ("GET", "schemas", "ids", "*"): BY_ID,
    ("GET", "schemas", "ids", "*", "schema"): "schemas.ids.get-schema.only",
    ("GET", "schemas", "ids", "*", "subjects"): "schemas.get-subjects",
    ("GET", "schemas", "ids", "*", "versions"): "schemas.get-versions",
    ("GET", "schemas", "guids", "*"): "schemas.guids.get-schema",
    ("GET", "schemas", "guids", "*", "ids"): "schemas.guids.get-ids",
    ("POST", "compatibility", "subjects", "*", "versions"): "compatibility.subjects.versions.verify",
    ("POST", "compatibility", "subjects", "*", "versions", "*"): "compatibility.subjects.versions.verify",
    ("GET", "config"): "config.get-global",
    ("PUT", "config"): "config.update-global",
    ("DELETE", "config"): "config.delete-global",
    ("GET", "config", "*"): "config.get-subject",
    ("PUT", "config", "*"): "config.update-subject",
    ("DELETE", "config", "*"): "config.delete-subject",
    ("GET", "mode"): "mode.get-global",
    ("PUT", "mode"): "mode.update-global",
    ("DELETE", "mode"): "mode.delete-global",
    ("GET", "mode", "*"): "mode.get-subject",
    ("PUT", "mode", "*"): "mode.update-subject",
    ("DELETE", "mode", "*"): "mode.delete-subject",
    ("GET", "contexts"): "contexts.list",
    ("DELETE", "contexts", "*"): "context.delete",
    ("GET", "v1", "metadata", "id"): "metadata.id",
    ("GET", "v1", "metadata", "version"): "metadata.version",
    ("GET", "v1", "metadata", "deployment"): "metadata.deployment",
}
#: Every name there is.
ENDPOINTS: Final = tuple(dict.fromkeys(_NAMES.values()))
#: Asked by machines again and again: they would bury the requests of users.
_PROBES: Final = frozenset({"health", "master_available", "metrics"})
#: The beginnings of paths behind which a caller's own part stands, whatever it is called.
_OWN: Final = frozenset(key[:n] for key in _NAMES for n, part in enumerate(key) if part == "*")


def endpoint_of(method: str, segments: Sequence[str]) -> str | None:
    """Return the name of the endpoint that a request is for; an empty one for a path that none has, None for what is not
    counted. `segments` are the path's, without a context prefix, decoded. HEAD is counted as GET."""
    if segments and segments[0] in _PROBES:
        return None
    key: tuple[str, ...] = ("GET" if method == "HEAD" else method,)
    for segment in segments[:6]:
        key = (*key, "*" if key in _OWN else segment)
    return _NAMES.get(key, "") if len(segments) <= 6 else ""

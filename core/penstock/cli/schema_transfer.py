"""Export and import of all that a registry holds: ids, versions, deleted marks, config and modes stay as they were."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from penstock.cli.registry_http import RegistryHttp, RegistryHttpError, segment
from penstock.errors import ConfigError, ConnectError

__all__ = ["Summary", "export_registry", "import_registry"]

_FORMAT: Final = "penstock-schemas"
_VERSION: Final = 1
_MEMBERS: Final = ("schemaType", "schema", "references", "metadata", "ruleSet")

Place = tuple[str, int]


class Summary(NamedTuple):
    subjects: int
    versions: int
    deleted: int

    def __str__(self) -> str:
        return f"{self.versions} versions of {self.subjects} subjects ({self.deleted} softly deleted)"


# --- export ----------------------------------------------------------------------------------------------------------


def export_registry(registry: RegistryHttp, file: Path, prefix: str) -> Summary:
    """Write what begins with `prefix` (``:*:`` is all of every context). Raises `ConnectError`."""
    alive = {_place(entry) for entry in registry.pages("/schemas", subjectPrefix=prefix)}
    versions = []
    for entry in registry.pages("/schemas", subjectPrefix=prefix, deleted=True):
        kept = {name: entry[name] for name in _MEMBERS if entry.get(name)}
        deleted = _place(entry) not in alive
        versions.append(
            {"subject": entry["subject"], "version": entry["version"], "id": entry["id"], **kept, "deleted": deleted}
        )
    versions.sort(key=_place)
    subjects = sorted({entry["subject"] for entry in versions})
    scopes = [*(_contexts(registry) if prefix.startswith(":") else []), *subjects]
    document = {
        "format": _FORMAT,
        "formatVersion": _VERSION,
        "config": registry.find("/config") or {},
        "mode": (registry.find("/mode") or {}).get("mode"),
        "configs": _settings(registry, "config", scopes),
        "modes": {name: answer["mode"] for name, answer in _settings(registry, "mode", scopes).items()},
        "schemas": versions,
    }
    try:
        file.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConnectError(f"Cannot write {file}: {error.strerror}") from error
    return _summary(versions)


def _place(entry: Mapping[str, Any]) -> Place:
    return entry["subject"], entry["version"]


def _contexts(registry: RegistryHttp) -> list[str]:
    return [f":{name}:" for name in registry.find("/contexts") or () if name != "."]


def _settings(registry: RegistryHttp, kind: str, scopes: Sequence[str]) -> dict[str, Any]:
    found = ((name, registry.find(f"/{kind}/{segment(name)}")) for name in scopes)
    return {name: answer for name, answer in found if answer}


def _summary(versions: Sequence[Mapping[str, Any]]) -> Summary:
    return Summary(len({v["subject"] for v in versions}), len(versions), sum(1 for v in versions if v["deleted"]))


# --- import ----------------------------------------------------------------------------------------------------------


def import_registry(registry: RegistryHttp, file: Path, settings: bool, say: Callable[[str], None]) -> Summary:
    """Put the file's schemas in with their ids and versions, then the deleted marks, config and modes.

    May be done again after it broke off: what is there already stays. Raises `ConnectError` at the first thing the
    registry does not take, and takes the subjects out of import mode first.
    """
    document = _read(file)
    schemas: list[dict[str, Any]] = document["schemas"]
    subjects = sorted({entry["subject"] for entry in schemas})
    before = _settings(registry, "mode", subjects)
    modes = {name: answer["mode"] for name, answer in before.items()}
    try:
        for subject in subjects:
            registry.ask("PUT", f"/mode/{segment(subject)}", {"mode": "IMPORT"}, force=True)
        ordered = list(_in_order(schemas))
        there = {_place(entry) for entry in registry.pages("/schemas", subjectPrefix=":*:", deleted=True)}
        for entry in ordered:
            _put(registry, entry, there)
        for entry in reversed(ordered):  # who references goes before what is referenced
            if entry["deleted"]:
                _delete(registry, entry)
    finally:
        for subject in subjects:
            _set_mode(registry, subject, modes.get(subject), say)
    if settings:
        _put_settings(registry, document, say)
    return _summary(schemas)


def _read(file: Path) -> dict[str, Any]:
    try:
        document: Any = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConnectError(f"Cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise ConnectError(f"{file} is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise ConfigError(f"{file} was not written by penstock schema export")
    if document.get("formatVersion") != _VERSION:
        raise ConfigError(f"{file} was written by a newer penstock (format {document.get('formatVersion')})")
    return document


def _in_order(schemas: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Return the schemas, each after those that it references."""
    by_place = {_place(entry): entry for entry in schemas}
    done: set[Place] = set()

    def visit(place: Place, above: tuple[Place, ...]) -> Iterator[dict[str, Any]]:
        if place in done or place not in by_place or place in above:
            return
        entry = by_place[place]
        for reference in entry.get("references") or ():
            yield from visit((_qualified(place[0], reference["subject"]), reference["version"]), (*above, place))
        done.add(place)
        yield entry

    for place in by_place:
        yield from visit(place, ())


def _qualified(parent: str, subject: str) -> str:
    """A plain name in a reference belongs to the context of who references."""
    if subject.startswith(":.") or not parent.startswith(":."):
        return subject.removeprefix(":.:")
    return f":{parent[1:].partition(':')[0]}:{subject}"


def _put(registry: RegistryHttp, entry: Mapping[str, Any], there: set[Place]) -> None:
    subject, version = _place(entry)
    if (subject, version) in there:
        known = registry.ask("GET", f"/subjects/{segment(subject)}/versions/{version}", deleted=True)
        if known["id"] != entry["id"] or known["schema"] != entry["schema"]:
            raise ConnectError(
                f"{subject} version {version} is there already with another schema or id ({known['id']}, not {entry['id']}): "
                "import into a registry or a context that does not have it"
            )
        return
    body = {name: entry[name] for name in _MEMBERS if name in entry}
    body |= {"id": entry["id"], "version": version}
    try:
        registry.ask("POST", f"/subjects/{segment(subject)}/versions", body)
    except RegistryHttpError as error:
        raise RegistryHttpError(
            error.code, f"{subject} version {version} (id {entry['id']}): {error.message}"
        ) from error


def _delete(registry: RegistryHttp, entry: Mapping[str, Any]) -> None:
    subject, version = _place(entry)
    if registry.find(f"/subjects/{segment(subject)}/versions/{version}") is not None:
        registry.ask("DELETE", f"/subjects/{segment(subject)}/versions/{version}")


def _set_mode(registry: RegistryHttp, scope: str, mode: str | None, say: Callable[[str], None]) -> None:
    """Set a mode, None to take it away. Never raises: it also runs while another error is on its way."""
    try:
        if mode is None:
            registry.ask("DELETE", f"/mode/{segment(scope)}")
        else:
            registry.ask("PUT", f"/mode/{segment(scope)}", {"mode": mode}, force=True)
    except ConnectError as error:
        if not (mode is None and isinstance(error, RegistryHttpError) and 40400 <= error.code < 40500):
            say(f"mode of {scope} could not be set to {mode or 'what holds above it'}: {error.message}")


def _put_settings(registry: RegistryHttp, document: Mapping[str, Any], say: Callable[[str], None]) -> None:
    if document.get("config"):
        registry.ask("PUT", "/config", _config_body(document["config"]))
    for scope, config in document.get("configs", {}).items():
        registry.ask("PUT", f"/config/{segment(scope)}", _config_body(config))
    for scope, mode in document.get("modes", {}).items():
        _set_mode(registry, scope, mode, say)
    if document.get("mode"):
        registry.ask("PUT", "/mode", {"mode": document["mode"]}, force=True)


def _config_body(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config as PUT takes it: GET's ``compatibilityLevel`` is PUT's ``compatibility``."""
    return {"compatibility" if name == "compatibilityLevel" else name: value for name, value in config.items()}

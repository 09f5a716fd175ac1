"""The schema registry of the converters: whether it answers, lets them in, and takes new schemas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from penstock.credentials import without_credentials
from penstock.doctor.finding import Finding, broken, ok, skipped, warning
from penstock.doctor.registry_access import RegistryAccess, registry_accesses
from penstock.doctor.situation import Situation
from penstock.errors import ConnectError

__all__ = ["OpenRegistry", "Registry", "RegistryCheck"]

_PARTS: Final = ("key", "value")
_CLOSED: Final = ("READONLY", "READONLY_OVERRIDE")


class Registry(Protocol):
    """A registry, as some converter reaches it."""

    def ask(self, method: str, path: str) -> Any:
        """Return the JSON of the answer. Raises `ConnectError`; a refusal's has the registry's `code`."""


OpenRegistry = Callable[[RegistryAccess], Registry]


class RegistryCheck:
    """Asks each registry that a key or value converter uses, with that converter's credentials."""

    name = "registry"
    needs = ()

    def __init__(self, situation: Situation, open_registry: OpenRegistry) -> None:
        self._situation, self._open = situation, open_registry

    def findings(self) -> Iterator[Finding]:
        users: dict[RegistryAccess, list[str]] = {}
        for part in _PARTS:
            name, settings, _ = self._situation.converter(part)
            url = settings.get("schema.registry.url", "")
            if not name or not url:
                continue
            try:
                accesses = registry_accesses(settings)
            except ConnectError as error:
                yield broken(f"{part}.converter", error.message, "Correct the converter's settings for the registry")
                continue
            if not accesses:
                yield skipped(
                    f"{part}.converter", f"{without_credentials(url)} is a registry inside the worker's process"
                )
            for access in accesses:
                users.setdefault(access, []).append(part)
        if not users:
            yield ok("converters", "none of them asks a schema registry over HTTP")
        for access, parts in users.items():
            yield from self._ask(access, parts)

    def _ask(self, access: RegistryAccess, parts: list[str]) -> Iterator[Finding]:
        about = without_credentials(access.url)
        try:
            registry = self._open(access)
            types = registry.ask("GET", "/schemas/types")
            mode = registry.ask("GET", "/mode").get("mode", "")
            level = registry.ask("GET", "/config").get("compatibilityLevel", "")
        except ConnectError as error:
            yield self._refused(about, error, parts)
            return
        except (AttributeError, TypeError):
            yield broken(about, "what answers there is no schema registry", "Correct schema.registry.url")
            return
        yield ok(about, f"answers: {', '.join(sorted(types))}; mode {mode}, compatibility {level}")
        if mode in _CLOSED and self._registers(parts):
            yield warning(
                about,
                f"its mode is {mode}: a record with a schema that is not registered yet fails the task",
                "PUT /mode with READWRITE, or register the schemas first and set auto.register.schemas=false",
            )
        elif mode == "IMPORT" and self._registers(parts):
            yield warning(
                about,
                "its mode is IMPORT: it takes only schemas that come with an id, which converters do not send",
                "PUT /mode with READWRITE once the import is done",
            )
        if level == "NONE":
            yield warning(
                about,
                "its compatibility level is NONE: a schema that readers cannot follow is taken, too",
                "PUT /config with BACKWARD, or set a level for the subjects that matter",
            )

    def _refused(self, about: str, error: ConnectError, parts: list[str]) -> Finding:
        code = getattr(error, "code", 0)
        settings = f"{parts[0]}.converter.basic.auth.* or {parts[0]}.converter.bearer.auth.*"
        if code == 401 or code // 100 == 401:
            return broken(about, "it does not know this user, or the password is wrong (401)", f"Correct {settings}")
        if code == 403 or code // 100 == 403:
            return broken(
                about,
                "it knows this user, but does not allow the request (403)",
                "Give the user a role that may read, and write where schemas are to be registered",
            )
        advice = "Start the registry, or correct schema.registry.url"
        if self._situation.worker["schema.registry.embedded"] and about == self._situation.registry_url:
            return warning(about, f"the worker's own registry does not answer now: {error.message}", "Start the worker")
        return broken(about, error.message, advice)

    def _registers(self, parts: list[str]) -> bool:
        """Return whether the connector writes through one of the converters, and registers what it writes."""
        if not self._situation.is_source:
            return False
        found = [self._situation.converter(part)[1].get("auto.register.schemas", "true") for part in parts]
        return any(text.strip().lower() == "true" for text in found)

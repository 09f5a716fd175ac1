"""Config and mode: of everything, of a context, of a subject; what holds for a subject; changing them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from penstock_registry.server.catalog import Catalog
from penstock_registry.server.content import StoredSchema
from penstock_registry.server.errors import (
    compatibility_not_configured,
    invalid_compatibility,
    invalid_mode,
    invalid_policy,
    mode_not_configured,
    not_permitted,
    subject_not_found,
)
from penstock_registry.server.levels import CompatibilityLevel, Mode
from penstock_registry.server.log import CheckedLog
from penstock_registry.server.requests import optional_bool, optional_text, read_metadata, read_rule_set
from penstock_registry.server.subjects import Subject, check_subject
from penstock_registry.store import ClearSubjectKey, ConfigKey, Key, ModeKey, SchemaKey

__all__ = ["Settings", "config_answer"]


_TEXTS = ("alias", "aliasForDeks", "compatibilityPolicy", "compatibilityGroup")
_POLICIES = ("STRICT", "LENIENT")
_FLAGS = ("normalize", "validateFields", "validateNewSchemas", "validateRules")
_METADATA = ("defaultMetadata", "overrideMetadata")
_RULES = ("defaultRuleSet", "overrideRuleSet")
#: The order of Confluent's records and answers.
_ORDER = (
    "alias", "aliasForDeks", "normalize", "validateFields", "validateNewSchemas", "validateRules",
    "compatibilityLevel", "compatibilityPolicy", "compatibilityGroup", *_METADATA, *_RULES,
)  # fmt: skip


class Settings:
    """Config and mode. `writer` is the lock every change of the registry is made under."""

    def __init__(
        self,
        catalog: Catalog,
        log: CheckedLog,
        writer: threading.RLock,
        *,
        default_level: CompatibilityLevel = CompatibilityLevel.BACKWARD,
        mode_mutability: bool = True,
    ) -> None:
        self._catalog = catalog
        self._log = log
        self._writer = writer
        self._default_level = default_level
        self._mode_mutability = mode_mutability

    # --- what holds --------------------------------------------------------------------------------------------------

    def config_in_scope(self, subject: str | None) -> dict[str, Any]:
        """Every setting that holds for `subject`: its own, then its context's, then the global one."""
        result: dict[str, Any] = {"compatibilityLevel": self._default_level.value}
        with self._catalog.lock:
            for scope in reversed(_scopes(subject)):
                own = self._catalog.config(scope) or {}
                # An alias is a subject's own: what stands in for one subject stands in for no other.
                result |= {
                    key: value
                    for key, value in own.items()
                    if key != "subject" and (key != "alias" or scope == subject)
                }
        return _ordered(result)

    def mode_in_scope(self, subject: str | None) -> Mode:
        with self._catalog.lock:
            if self._catalog.mode(None) == Mode.READONLY_OVERRIDE.value:
                return Mode.READONLY_OVERRIDE
            for scope in _scopes(subject):
                if (mode := self._catalog.mode(scope)) is not None:
                    return Mode(mode)
        return Mode.READWRITE

    def check_writable(self, subject: str | None) -> Mode:
        """Return the mode of `subject`. Raises 42205 if it is read-only."""
        mode = self.mode_in_scope(subject)
        if mode in (Mode.READONLY, Mode.READONLY_OVERRIDE):
            raise not_permitted(f"{shown_subject(subject)} is in read-only mode")
        return mode

    def alias_of(self, subject: str) -> str:
        """Return the subject that stands behind `subject`: itself, unless its config names another."""
        own = self._catalog.config(str(Subject.parse(subject)))
        alias = own.get("alias") if own else None
        return Subject.parse(subject).qualify(alias) if alias else subject

    def aliases(self) -> dict[str, list[str]]:
        """Return the other names of each subject that has any."""
        found: dict[str, list[str]] = {}
        for name, config in self._catalog.configs().items():
            if name is not None and config.get("alias"):
                found.setdefault(Subject.parse(name).qualify(config["alias"]), []).append(name)
        return {subject: sorted(names) for subject, names in found.items()}

    # --- config ------------------------------------------------------------------------------------------------------

    def config(self, subject: str | None, default_to_global: bool = False) -> dict[str, Any]:
        """Return a config as GET /config answers it. Raises 40408 if the subject has none of its own and the global one is not
        asked for."""
        own = self._catalog.config(subject)
        if subject is not None and own is None and not default_to_global:
            raise compatibility_not_configured(subject)
        if subject is None or default_to_global:
            return config_answer(self.config_in_scope(subject))
        level = self.config_in_scope(subject)["compatibilityLevel"]
        return config_answer({"compatibilityLevel": level, **(own or {})})

    def update_config(self, subject: str | None, body: Mapping[str, Any]) -> dict[str, Any]:
        """Change the members `body` has, a null takes one away. Answers the whole, the level as ``compatibility``."""
        changes = _read_changes(body)
        if subject is not None:
            check_subject(subject)
            if changes.get("alias"):  # what stands for a subject must be a name that one can have
                check_subject(Subject.parse(subject).qualify(changes["alias"]))
        with self._writer:
            self.check_writable(subject)
            merged = {**(self._catalog.config(subject) or {}), **changes}
            merged.pop("subject", None)
            answer = {key: value for key, value in _ordered(merged).items() if value is not None}
            stored = {key: value for key, value in answer.items() if value != "" or key != "alias"}
            value = stored if subject is None else {"subject": subject, **stored}
            self._log.append([(ConfigKey(subject), value)])
        return {"compatibility" if key == "compatibilityLevel" else key: value for key, value in answer.items()}

    def delete_config(self, subject: str | None) -> dict[str, Any]:
        """Take a config away and answer what it was. Raises 40401 if the subject has none."""
        with self._writer:
            if subject is not None and self._catalog.config(subject) is None:
                raise subject_not_found(subject)
            self.check_writable(subject)
            previous = self.config(subject)
            self._log.append([(ConfigKey(subject), None)])
        return previous

    # --- mode --------------------------------------------------------------------------------------------------------

    def mode(self, subject: str | None, default_to_global: bool = False) -> str:
        own = self._catalog.mode(subject)
        if own is not None and not default_to_global:
            return own
        if subject is not None and not default_to_global:
            raise mode_not_configured(subject)
        return self.mode_in_scope(subject).value

    def update_mode(self, subject: str | None, text: str | None, force: bool = False) -> None:
        """Set a mode; None takes it away. Raises 42204 for no mode, 42205 if it must not be set now."""
        mode = None if text is None else Mode.__members__.get(text.upper())
        if text is not None and mode is None:
            raise invalid_mode()
        if mode is Mode.FORWARD and subject is not None:
            raise invalid_mode("Forward mode only supported on global level")
        if subject is not None:
            check_subject(subject)
        with self._writer:
            self._check_mutable()
            records: list[tuple[Key, Mapping[str, Any] | None]] = []
            if mode is Mode.IMPORT and not force and self.mode_in_scope(subject) is not Mode.IMPORT:
                if self._catalog.has_any(subject):
                    raise not_permitted("Cannot import since found existing subjects")
                records += self._clearing(subject)
            if mode is None:
                if self._catalog.mode(subject) is None:
                    return
                records.append((ModeKey(subject), None))
            else:
                value = {"mode": mode.value} if subject is None else {"subject": subject, "mode": mode.value}
                records.append((ModeKey(subject), value))
            self._log.append(records)

    def _clearing(self, scope: str | None) -> list[tuple[Key, Mapping[str, Any] | None]]:
        """Make the records that forget the soft-deleted versions of a scope, but for those that others reference."""
        found = self._catalog.soft_deleted(scope)
        going = set(found)
        while True:
            held = {
                key for key in going if any(self._key(one) not in going for one in self._catalog.referrers(key, True))
            }
            if not held:
                break
            going -= held
        if len(going) == len(found):
            return [(ClearSubjectKey(scope), {} if scope is None else {"subject": scope})]
        return [(key, None) for key in found if key in going]

    @staticmethod
    def _key(stored: StoredSchema) -> SchemaKey:
        return SchemaKey(stored.subject, stored.version)

    def delete_mode(self, subject: str | None, recursive: bool = False) -> str:
        """Take a mode away and answer what it was; with `recursive`, also those of the subjects under it."""
        with self._writer:
            own = self._catalog.mode(subject)
            if subject is not None and own is None:
                raise subject_not_found(subject)
            self._check_mutable()
            names = [subject]
            if recursive:
                names += [name for name in self._catalog.modes() if name != subject and subject in _scopes(name)]
            self._log.append([(ModeKey(name), None) for name in names])
        return own if own is not None else Mode.READWRITE.value

    def _check_mutable(self) -> None:
        if not self._mode_mutability:
            raise not_permitted("Mode changes are not allowed")


def shown_subject(subject: str | None) -> str:
    """Return the name of a subject and its context in messages."""
    context = "" if subject is None else Subject.parse(subject).context_prefix
    return f"Subject {'null' if subject is None else subject} in context {context}"


def config_answer(config: Mapping[str, Any]) -> dict[str, Any]:
    return _ordered({key: value for key, value in config.items() if key != "subject"})


def _scopes(subject: str | None) -> list[str | None]:
    """Return the scopes in which a setting for `subject` is looked for, nearest first."""
    if subject is None:
        return [None]
    prefix = Subject.parse(subject).context_prefix
    return [subject, prefix, None] if prefix and prefix != subject else [subject, None]


def _ordered(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: config[key] for key in _ORDER if key in config}


def _read_changes(body: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name in ("compatibility", "compatibilityLevel"):
        if name in body:
            level = optional_text(body, name)
            if level is not None and level.upper() not in CompatibilityLevel.__members__:
                raise invalid_compatibility()
            changes["compatibilityLevel"] = None if level is None else level.upper()
    changes |= {name: optional_text(body, name) for name in _TEXTS if name in body}
    if (policy := changes.get("compatibilityPolicy")) is not None:
        if policy.upper() not in _POLICIES:
            raise invalid_policy()
        changes["compatibilityPolicy"] = policy.upper()
    changes |= {name: optional_bool(body, name) for name in _FLAGS if name in body}
    changes |= {name: read_metadata(body, name) for name in _METADATA if name in body}
    changes |= {name: read_rule_set(body, name) for name in _RULES if name in body}
    return changes

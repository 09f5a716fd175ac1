"""Deleting versions, subjects and contexts: first softly, then for good."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from penstock_registry.server.catalog import Catalog
from penstock_registry.server.errors import (
    context_not_empty,
    reference_exists,
    subject_not_found,
    subject_not_soft_deleted,
    subject_soft_deleted,
    version_not_found,
    version_not_soft_deleted,
    version_soft_deleted,
)
from penstock_registry.server.log import CheckedLog
from penstock_registry.server.settings import Settings
from penstock_registry.server.subjects import DEFAULT_CONTEXT, context_of
from penstock_registry.store import ConfigKey, ContextKey, DeleteSubjectKey, Key, ModeKey, SchemaKey
from penstock_registry.store.records import DEFAULT_TENANT

__all__ = ["Deleting"]

_Records = list[tuple[Key, Mapping[str, Any] | None]]


class Deleting:
    def __init__(
        self,
        catalog: Catalog,
        log: CheckedLog,
        writer: threading.RLock,
        settings: Settings,
    ) -> None:
        self._catalog = catalog
        self._log = log
        self._writer = writer
        self._settings = settings

    def delete_version(self, subject: str, version: int, permanent: bool = False) -> int:
        """Delete one version (-1: the latest) and answer its number.

        Raises 40401, 40402, 40406 (soft-deleted already), 40407 (not soft-deleted yet), 42205, 42206 (referenced).
        """
        with self._writer:
            if not self._catalog.has_subject(subject, deleted=True):
                raise subject_not_found(subject)
            stored = self._catalog.version(subject, version, deleted=True)
            if stored is None:
                raise version_not_found(version)
            if stored.deleted and not permanent:
                raise version_soft_deleted(subject, stored.version)
            self._settings.check_writable(subject)
            key = SchemaKey(subject, stored.version)
            self._check_unreferenced(key, permanent)
            if not permanent:
                self._log.append([(key, replace(stored, deleted=True).to_value())])
                return stored.version
            if not stored.deleted:
                raise version_not_soft_deleted(subject, stored.version)
            records: _Records = [(key, None)]
            if len(self._catalog.versions(subject, deleted=True)) == 1:
                records += self._settings_records(subject)
            self._log.append(records)
        return stored.version

    def delete_subject(self, subject: str, permanent: bool = False) -> list[int]:
        """Delete all of a subject and answer its versions. Raises 40401, 40404, 40405, 42205, 42206."""
        with self._writer:
            if not self._catalog.has_subject(subject, deleted=True):
                raise subject_not_found(subject)
            if not permanent and not self._catalog.has_subject(subject):
                raise subject_soft_deleted(subject)
            self._settings.check_writable(subject)
            versions = self._catalog.versions(subject, deleted=permanent)
            for stored in versions:
                self._check_unreferenced(SchemaKey(subject, stored.version), permanent)
                if permanent and not stored.deleted:
                    raise subject_not_soft_deleted(subject)
            numbers = [stored.version for stored in versions]
            if not permanent:
                value = {"subject": subject, "version": numbers[-1]}
                self._log.append([(DeleteSubjectKey(subject), value)])
                return numbers
            records: _Records = [(SchemaKey(subject, number), None) for number in reversed(numbers)]
            self._log.append(records + self._settings_records(subject))
        return numbers

    def delete_context(self, context: str) -> None:
        """Forget an empty context; one nobody knows is forgotten already. Raises 42211 while subjects are in it."""
        with self._writer:
            if any(context_of(subject) == context for subject, _ in self._catalog.subjects()):
                raise context_not_empty(context)
            if context != DEFAULT_CONTEXT and self._catalog.knows_context(context):
                self._log.append([(ContextKey(DEFAULT_TENANT, context), None)])

    def _check_unreferenced(self, key: SchemaKey, permanent: bool) -> None:
        """Raise 42206 if a schema references `key`. A soft-deleted one counts against a deletion for good: it can be brought
        back."""
        if self._catalog.referrers(key, deleted=permanent):
            raise reference_exists(key.subject, key.version)

    def _settings_records(self, subject: str) -> _Records:
        """With its last version a subject's own mode and config go."""
        records: _Records = []
        if self._catalog.mode(subject) is not None:
            records.append((ModeKey(subject), None))
        if self._catalog.config(subject) is not None:
            records.append((ConfigKey(subject), None))
        return records

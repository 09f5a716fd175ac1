"""The worker's settings: what is of no effect, and clients of tasks that lack the worker's security."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from penstock.doctor.finding import Finding, broken, ok, warning
from penstock.doctor.situation import CONSUMER, PRODUCER, WORKER, Situation

__all__ = ["SettingsCheck"]

_SECURITY: Final = "security.protocol"


class SettingsCheck:
    """Looks at the worker's settings as they stand, without asking anybody."""

    name = "settings"
    needs = ()

    def __init__(self, situation: Situation) -> None:
        self._situation = situation

    def findings(self) -> Iterator[Finding]:
        situation = self._situation
        config = situation.worker
        yield ok(config.mode, f"{len(config.raw)} settings of the worker are valid ({config.mode} mode)")
        for text in config.warnings:
            setting, _, _ = text.partition(" ")
            yield warning(setting, text, "Take the setting out, or correct its name; docs/config.md lists all")
        yield from self._task_clients()
        if not situation.distributed:
            yield from self._offsets_file()

    def _task_clients(self) -> Iterator[Finding]:
        """Find clients of tasks that reach a secured cluster without security: a worker's own settings are not theirs."""
        situation = self._situation
        protocol = situation.connection(WORKER).get(_SECURITY, "PLAINTEXT")
        if protocol.upper() == "PLAINTEXT":
            return
        wanted = [CONSUMER, PRODUCER] if situation.connector is None else [CONSUMER if situation.is_sink else PRODUCER]
        for role in wanted:
            if _SECURITY not in situation.connection(role):
                yield warning(
                    f"{role}.{_SECURITY}",
                    f"the worker uses {protocol}, but {role}s of tasks take of the worker's connection settings only "
                    "bootstrap.servers, as in Kafka Connect: they would connect without security",
                    f"Repeat the worker's security.*, sasl.* and ssl.* settings with the prefix {role}. (and those of "
                    f"a connector of its own with {role}.override.)",
                )

    def _offsets_file(self) -> Iterator[Finding]:
        name = self._situation.worker["offset.storage.file.filename"]
        if not name:
            return
        file = Path(name)
        place = file if file.exists() else file.absolute().parent
        if not place.exists():
            yield broken(
                "offset.storage.file.filename",
                f"{place}, the folder of the offsets' file, does not exist",
                "Make the folder, or name another file",
            )
        elif not os.access(place, os.W_OK):
            yield broken(
                "offset.storage.file.filename",
                f"{place} may not be written by this user",
                "Run the worker as a user who may, or change the rights",
            )
        else:
            yield ok("offset.storage.file.filename", f"source offsets are kept in {name}")

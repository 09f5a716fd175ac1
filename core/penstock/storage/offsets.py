"""Source offsets: how far each source partition has been read and safely written.

``org.apache.kafka.connect.storage.OffsetBackingStore``, with keys already split into connector and partition. Two
partitions are the same if their JSON is, whatever the order of their members.
"""

from __future__ import annotations

import json
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from penstock.errors import ConfigError, DataError, WorkerError

__all__ = ["FileOffsetStore", "MemoryOffsetStore", "OffsetStore", "partition_key"]

Offsets = Sequence[tuple[Mapping[str, Any], Mapping[str, Any] | None]]


def partition_key(partition: Mapping[str, Any]) -> str:
    """Return one text per source partition. Raises `DataError` if it holds what JSON cannot."""
    try:
        return orjson.dumps(partition, option=orjson.OPT_SORT_KEYS).decode()
    except (TypeError, ValueError):
        pass  # orjson takes neither lone surrogates (file names that are not UTF-8 have them) nor numbers beyond 64 bits
    try:
        return json.dumps(partition, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"Source partition {partition!r} cannot be stored: {error}; use JSON's types only") from error


class OffsetStore(ABC):
    """The interface of a store of source offsets. Safe from any thread."""

    def start(self) -> None:
        """Called once, before anything else. Raises `WorkerError` if the store cannot be read."""

    def stop(self) -> None:
        """Called once, last."""

    @abstractmethod
    def write(self, connector: str, offsets: Offsets) -> None:
        """Store offsets durably, all or none; None as an offset forgets the partition. Returns when they are safe;
        raises `WorkerError` or `RetriableError` otherwise, and then what was stored before still stands."""

    @abstractmethod
    def read(self, connector: str, partitions: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any] | None]: ...

    @abstractmethod
    def all(self, connector: str) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """Return every partition of a connector with its offset, in the order first stored."""


class MemoryOffsetStore(OffsetStore):
    """Offsets that live as long as the process: for ``penstock dev`` and tests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offsets: dict[str, dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]]] = {}

    def write(self, connector: str, offsets: Offsets) -> None:
        with self._lock:
            changed = self._changed(connector, offsets)
            self._save({**self._offsets, connector: changed})
            self._offsets[connector] = changed

    def _changed(self, connector: str, offsets: Offsets) -> dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]]:
        changed = dict(self._offsets.get(connector, {}))
        for partition, offset in offsets:
            key = partition_key(partition)
            if offset is None:
                changed.pop(key, None)
            else:
                changed[key] = (partition, offset)
        return changed

    def _save(self, offsets: Mapping[str, Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]]) -> None:
        """Do nothing: memory is all there is."""

    def read(self, connector: str, partitions: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any] | None]:
        with self._lock:
            known = self._offsets.get(connector, {})
            found = [known.get(partition_key(p)) for p in partitions]
        return [dict(f[1]) if f else None for f in found]

    def all(self, connector: str) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        with self._lock:
            return list(self._offsets.get(connector, {}).values())


_JAVA_SERIALISED: Final = b"\xac\xed"


class FileOffsetStore(MemoryOffsetStore):
    """Offsets in one JSON file (``offset.storage.file.filename``).

    Written aside, fsynced and renamed, so that a crash at any moment leaves the old file or the new one. A file the
    JVM worker wrote (Java serialisation) is refused, never overwritten.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self._path = Path(path)

    def start(self) -> None:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            self._check_writable()
            return
        except OSError as error:
            raise WorkerError(f"Cannot read the offsets file {self._path}: {error.strerror}") from error
        if data.startswith(_JAVA_SERIALISED):
            raise ConfigError(
                f"The offsets file {self._path} was written by the JVM worker (Java serialisation) and is left alone; "
                f"run `penstock offsets import {self._path} {self._path}.json` and name the new file in offset.storage.file.filename"
            )
        if data.strip():
            self._load(data)
        self._check_writable()

    def _load(self, data: bytes) -> None:
        try:
            for entry in json.loads(data)["offsets"]:
                connector, partition, offset = entry["connector"], entry["partition"], entry["offset"]
                if not isinstance(connector, str) or not isinstance(partition, dict) or not isinstance(offset, dict):
                    raise TypeError("an entry has a name, a partition and an offset")
                self._offsets.setdefault(connector, {})[partition_key(partition)] = (partition, offset)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, DataError) as error:
            problem = (
                f"it is not JSON ({error})"
                if isinstance(error, ValueError)
                else "it has no list of offsets as written here"
            )
            raise WorkerError(
                f"The offsets file {self._path} is not penstock's: {problem}; it is left alone. Move it away, or name another in offset.storage.file.filename"
            ) from error

    def _check_writable(self) -> None:
        # The worker fails at its start rather than at the first commit, a minute later.
        folder = self._path.parent
        if not folder.is_dir():
            raise WorkerError(
                f"Cannot write the offsets file {self._path}: its folder does not exist; create it or change offset.storage.file.filename"
            )
        if not os.access(folder, os.W_OK):
            raise WorkerError(f"Cannot write the offsets file {self._path}: no permission to write in {folder}")

    def _save(self, offsets: Mapping[str, Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]]) -> None:
        entries = [
            {"connector": c, "partition": p, "offset": o} for c, known in offsets.items() for p, o in known.values()
        ]
        aside = self._path.with_name(self._path.name + ".tmp")
        data = _file_text({"version": 1, "offsets": entries})
        try:
            with open(aside, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, self._path)
            _sync_folder(self._path.parent)
        except OSError as error:
            raise WorkerError(
                f"Cannot write the offsets file {self._path}: {error.strerror}; the offsets stored before still stand"
            ) from error


def _file_text(tree: Mapping[str, Any]) -> bytes:
    """Return `tree` as JSON in UTF-8. Raises `DataError` for what JSON cannot hold."""
    try:
        return orjson.dumps(tree, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        pass  # as in `partition_key`
    try:
        return json.dumps(tree).encode() + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"Source offsets cannot be stored: {error}; use JSON's types only") from error


def _sync_folder(folder: Path) -> None:
    # The rename itself must survive a power cut too.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

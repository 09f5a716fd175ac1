"""A file that holds each record once, and beside it the file that says up to which record.

``FILE.offsets`` tells how long the data file was at the last commit and which records those bytes hold. A commit makes
the data durable first and then puts a new ``FILE.offsets`` in the place of the old one, in one step. What lies behind
the recorded length was never committed: it is cut off when the file is opened again, and its records are consumed again.

This upholds Delivery 10. (docs/delivery.md).
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from penstock.api import TopicPartition
from penstock.errors import ConnectError

__all__ = ["ExactFile"]

_log: Final = logging.getLogger(__name__)
_VERSION: Final = 1
#: The bytes before the recorded length that a checksum covers; it tells another file from the one that was written.
_TAIL: Final = 4096


class ExactFile:
    """One writer's data file with its offsets. For one thread.

    The writer holds a lock on the data file from `acquire` to `close`; a worker that stands still keeps it, so that
    nobody else writes until it has gone on and seen that its task is not its own any more.
    """

    def __init__(self, path: str, who: str, connector: str) -> None:
        """`who` begins every message; `connector` is the name of the one connector that writes to the file."""
        self._path, self._who, self._connector = path, who, connector
        self._side = path + ".offsets"
        self._descriptor = -1
        #: How long the file is, and how much of it is committed.
        self._length = self._committed = 0
        #: The next record of each partition, as it is committed.
        self.offsets: dict[TopicPartition, int] = {}

    @property
    def held(self) -> bool:
        """Return whether this writer has the file."""
        return self._descriptor >= 0

    def acquire(self) -> bool:
        """Open the file and cut off what was not committed; False if another writer has it now.

        Raises `ConnectError` if it is not the file that was written: it is shorter, has other content, has no offsets
        beside it, or is another connector's.
        """
        if self.held:
            return True
        with self._errors("open"):
            descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._state()  # of another connector: nothing to wait for
                os.close(descriptor)
                return False
            self._descriptor = descriptor
            self._recover()
        except BaseException:
            self._descriptor = -1
            os.close(descriptor)
            raise
        return True

    def _recover(self) -> None:
        with self._errors("read"):
            size = os.fstat(self._descriptor).st_size
        state = self._state()
        if state is None:
            if size:
                raise ConnectError(
                    f"{self._who}: '{self._path}' holds {size} bytes and there is no '{self._side}' that says which records "
                    "they are. Move the file away, or set another 'file'"
                )
            self._length = self._committed = 0
            self._save({})  # says whose file it is from now on
            return
        length, tail, offsets = state
        if size < length:
            raise ConnectError(
                f"{self._who}: '{self._path}' has {size} bytes, but {length} are committed according to '{self._side}': "
                f"it was cut or replaced. Put the file back, or move both away to begin a new one"
            )
        self._committed = length
        if self._tail() != tail:
            raise ConnectError(
                f"{self._who}: the {min(length, _TAIL)} bytes up to byte {length} of '{self._path}' are not those that "
                f"'{self._side}' was written for: the file was changed or replaced. Put the file back, or move both away to begin a new one"
            )
        self.offsets = offsets
        self._length = size
        if size > length:
            _log.info(
                "%s: cuts %d bytes off '%s' that were written and not committed; their records come again",
                self._who, size - length, self._path,
            )  # fmt: skip
            self.roll_back()

    def write(self, data: bytes) -> None:
        """Append all of `data`. Raises `ConnectError`; then part of it may have been written, and `roll_back` takes it back."""
        with self._errors("write to"):
            self._refuse_others()
            left = memoryview(data)
            while left:
                written = os.write(self._descriptor, left)
                self._length += written
                left = left[written:]

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Make what was written durable, together with `offsets`, the next record of each partition. Partitions that
        are not named keep theirs. Raises `ConnectError`; what is committed then is the old or the new state, as a whole.
        """
        merged = {**self.offsets, **offsets}
        if merged == self.offsets and self._length == self._committed:
            return
        with self._errors("write to"):
            self._refuse_others()
            os.fsync(self._descriptor)
        before, self._committed = self._committed, self._length
        try:
            self._save(merged)
        except BaseException:
            self._committed = before
            raise

    def roll_back(self) -> None:
        """Take back what was written since the last commit."""
        with self._errors("cut"):
            os.ftruncate(self._descriptor, self._committed)
            self._length = self._committed

    def change(self, offsets: Mapping[TopicPartition, int | None]) -> None:
        """Go on from other `offsets`; None: none is known, and the consumer's counts. Empty: none is known of any
        partition, as when a group that has no offsets is reset. What is written stays."""
        if not offsets:
            self._save({})
            return
        kept = {p: o for p, o in self.offsets.items() if p not in offsets}
        self._save(kept | {TopicPartition(*p): o for p, o in offsets.items() if o is not None})

    def close(self) -> None:
        """Let go of the file. What is not committed is cut off when it is opened again."""
        if self.held:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    # ---- inside

    def _refuse_others(self) -> None:
        here = os.fstat(self._descriptor)
        there = os.stat(self._path)
        if (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino):
            raise ConnectError(
                f"{self._who}: '{self._path}' was replaced while it was written. Stop the connector before the file is moved, "
                f"and move '{self._side}' with it"
            )
        if here.st_size != self._length:
            raise ConnectError(
                f"{self._who}: '{self._path}' has {here.st_size} bytes, but {self._length} were written: another program "
                "writes to it or cuts it. With exactly.once=true the file must have no other writer"
            )

    def _tail(self) -> int:
        start = max(0, self._committed - _TAIL)
        with self._errors("read"):
            return zlib.crc32(os.pread(self._descriptor, self._committed - start, start))

    def _state(self) -> tuple[int, int, dict[TopicPartition, int]] | None:
        """Return length, checksum and offsets of the last commit; None before the first."""
        try:
            with self._errors("read"), open(self._side, "rb") as file:
                text = file.read()
        except FileNotFoundError:
            return None
        try:
            state = json.loads(text)
            if state["version"] != _VERSION:
                raise ValueError(f"version {state['version']}")
            owner = state["connector"]
            offsets = {TopicPartition(e["topic"], int(e["partition"])): int(e["offset"]) for e in state["offsets"]}
            found = int(state["length"]), int(state["tail"]), offsets
        except (ValueError, KeyError, TypeError) as error:
            raise ConnectError(
                f"{self._who}: '{self._side}' is not a file of offsets, version {_VERSION}, or it was damaged ({error}). "
                f"Put it back from a copy, or move it and '{self._path}' away to begin a new file"
            ) from error
        if owner != self._connector:
            raise ConnectError(
                f"{self._who}: '{self._path}' belongs to connector {owner}, according to '{self._side}'. "
                "Give each connector a file of its own"
            )
        return found

    def _save(self, offsets: Mapping[TopicPartition, int]) -> None:
        entries = [{"topic": t, "partition": p, "offset": o} for (t, p), o in sorted(offsets.items())]
        state: dict[str, Any] = {
            "version": _VERSION, "connector": self._connector, "length": self._committed, "tail": self._tail(), "offsets": entries,
        }  # fmt: skip
        aside = self._side + ".tmp"
        with self._errors("write the offsets of"):
            self._write_aside(aside, json.dumps(state).encode() + b"\n")
            os.replace(aside, self._side)
            self._sync_folder()
        self.offsets = dict(offsets)

    def _write_aside(self, path: str, data: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _sync_folder(self) -> None:
        folder = os.open(os.path.dirname(os.path.abspath(self._path)), os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            if what == "read":
                raise
            raise ConnectError(
                f"Couldn't find or create file '{self._path}' for {self._who}: it is gone, or its folder is not there"
            ) from None
        except OSError as error:
            raise ConnectError(f"{self._who} cannot {what} '{self._path}': {error.strerror}") from error

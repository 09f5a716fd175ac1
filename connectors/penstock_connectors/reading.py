"""Reading records out of a growing file: big chunks of bytes in, whole records out, byte positions exact.

A record here is a run of bytes that ends with its terminator; what follows the last terminator waits until more is
there. Everything is called from one task's thread, except `PollPause.stop`.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from typing import Final, Protocol

from penstock.errors import ConnectError

__all__ = [
    "ByteSource",
    "FileBytes",
    "PollPause",
    "RecordReader",
    "Split",
    "StandardInput",
    "file_error",
    "split_at_newlines",
    "split_universal",
]

CHUNK: Final = 1 << 18


class ByteSource(Protocol):
    def read(self, size: int) -> bytes:
        """Up to `size` bytes; empty if there are none now."""

    @property
    def ended(self) -> bool:
        """True if no more bytes will ever come (a closed pipe); a file may always grow."""

    def close(self) -> None: ...


class FileBytes:
    """The bytes of a file from a position on. Keeps the file open, so a renamed file is read to its end.

    Opening raises what `open` raises for a file, `ConnectError` for what can be no file's name. A position beyond the file's end is allowed: reading waits until it is reached.
    """

    ended: Final = False

    def __init__(self, path: str, position: int) -> None:
        try:
            self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - lives as long as the task
        except ValueError as error:  # a NUL, or half of a surrogate pair
            raise ConnectError(f"cannot open {path!a}: no file can have this name ({error})") from error
        if position:  # a named pipe has no positions
            self._file.seek(position)

    def read(self, size: int) -> bytes:
        return self._file.read(size) or b""

    @property
    def size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def same_file_as(self, path: str) -> bool:
        """False if `path` names another file by now; a path that is gone for the moment counts as the same."""
        try:
            there = os.stat(path)
        except OSError:
            return True
        return os.path.samestat(there, os.fstat(self._file.fileno()))

    def close(self) -> None:
        self._file.close()


class StandardInput:
    """A file descriptor that is read without blocking; 0 is the process's standard input. Never closed here."""

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        self.ended = False

    def read(self, size: int) -> bytes:
        if self.ended or not select.select([self._descriptor], [], [], 0)[0]:
            return b""
        data = os.read(self._descriptor, size)
        self.ended = not data
        return data

    def close(self) -> None:
        """Standard input belongs to the process."""


#: Cuts bytes into whole records, terminators kept, and the rest that is not complete yet.
Split = Callable[[bytes], tuple[list[bytes], bytes]]


def split_at_newlines(data: bytes) -> tuple[list[bytes], bytes]:
    r"""Records end with ``\n``."""
    parts = data.split(b"\n")
    rest = parts.pop()
    return [part + b"\n" for part in parts], rest


def split_universal(data: bytes) -> tuple[list[bytes], bytes]:
    r"""Records end with ``\n``, ``\r\n`` or ``\r`` (``FileStreamSourceTask.extractLine``)."""
    lines = data.splitlines(keepends=True)
    # A \r at the very end may be the first half of \r\n: it waits for the next byte.
    rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
    return lines, rest


class RecordReader:
    """Takes records out of a `ByteSource` and knows where each one ends.

    `position` is the offset just after the last record that `take` returned.
    """

    def __init__(
        self, source: ByteSource, split: Split, position: int = 0, chunk: int = CHUNK, longest: int | None = None
    ) -> None:
        self._source = source
        self._split = split
        self._chunk = chunk
        self._longest = longest
        self._ready: list[bytes] = []
        self._next = 0
        self._rest = b""
        self.position = position
        #: True if the last read found nothing more.
        self.at_end = False

    def take(self, limit: int) -> list[bytes]:
        """Up to `limit` records, fewer only at the end of what is there now, or before one that is too long."""
        taken: list[bytes] = []
        self.at_end = False
        while len(taken) < limit:
            if self._next == len(self._ready) and (self.too_long or not self._fill()):
                break
            some = self._ready[self._next : self._next + limit - len(taken)]
            self._next += len(some)
            taken += some
        self.position += sum(map(len, taken))
        return taken

    def take_rest(self) -> bytes:
        """Return the bytes after the last terminator, given up as a record; empty if there are none."""
        rest, self._rest = self._rest, b""
        self.position += len(rest)
        return rest

    @property
    def partial(self) -> int:
        """Return how many bytes wait for their record's end."""
        return len(self._rest)

    @property
    def too_long(self) -> bool:
        """True if more than `longest` bytes wait: then `take` looks no further for an end."""
        return self._longest is not None and len(self._rest) > self._longest

    def _fill(self) -> bool:
        while True:
            # Reading at least as much as already waits keeps a very long record linear in its length.
            data = self._source.read(max(self._chunk, len(self._rest)))
            if not data:
                self.at_end = True
                return False
            self._ready, self._rest = self._split(self._rest + data if self._rest else data)
            self._next = 0
            if self._ready:
                return True
            if self.too_long:
                return False


class PollPause:
    """The pause of a source that has nothing, which `stop` (from another thread) cuts short."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def wait(self, seconds: float) -> None:
        self._stopped.wait(seconds)

    def stop(self) -> None:
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()


def file_error(who: str, doing: str, path: str, error: OSError) -> ConnectError:
    """An unreadable or unwritable file, in words."""
    return ConnectError(f"{who} cannot {doing} {path!r}: {error.strerror or error}")

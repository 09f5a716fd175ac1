"""A file that lines are appended to, by one task or by several."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

from penstock.api import SinkConnector, TopicPartition
from penstock.errors import ConnectError

__all__ = ["AppendedFile", "AppendingSinkConnector"]

log = logging.getLogger(__name__)


class AppendedFile:
    """Open for appending, made if it is not there; its folder must be. `who` is named in errors.

    Each `write` is one append, so that whole batches of several tasks stand one after the other.
    """

    def __init__(self, path: str, who: str) -> None:
        self._path, self._who = path, who
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise ConnectError(f"Couldn't find or create file '{path}' for {who}: {error.strerror}") from error
        except ValueError as error:  # a NUL, or half of a surrogate pair
            raise ConnectError(f"{who} cannot open {path!a}: no file can have this name ({error})") from error
        self._closed = False

    def write(self, data: bytes) -> None:
        """All of `data`, or a `ConnectError`; then part of it may have been written."""
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            # Kafka's PrintStream swallows this, and the records with it.
            raise ConnectError(f"{self._who} cannot write to '{self._path}': {error.strerror}") from error

    def mend(self) -> None:
        """End a line that a crash or a full disk left without its end, so that the next one stands by itself."""
        size = os.fstat(self._descriptor).st_size
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            log.warning(
                "%s: the last line of '%s' is incomplete; it is ended here and goes on below", self._who, self._path
            )
            self.write(b"\n")

    def sync(self) -> None:
        """Returns once what was written is on the disk."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise ConnectError(f"{self._who} cannot sync '{self._path}': {error.strerror}") from error

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            os.close(self._descriptor)


class AppendingSinkConnector(SinkConnector):
    """The base of sinks into a file: every task appends to the same file, each batch in one write."""

    def start(self, props: Mapping[str, str]) -> None:
        self._props = dict(props)
        self.config_def().parse(props)

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [dict(self._props) for _ in range(max_tasks)]

    def stop(self) -> None:
        """Do nothing: `start` took nothing."""

    def alter_offsets(self, props: Mapping[str, str], offsets: Mapping[TopicPartition, int | None]) -> bool:
        """The tasks keep no state of their own: any offsets will do."""
        return True

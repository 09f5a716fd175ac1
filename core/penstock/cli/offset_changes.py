"""Changes of a connector's offsets for ``penstock offsets``, shown before they are made (KIP-875)."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from penstock.cli.worker_http import WorkerHttp, WorkerHttpError, connector_path
from penstock.errors import ConnectError

__all__ = ["Change", "ConnectorView", "Entry", "confirmed", "offset_text", "partition_text", "print_changes"]

#: Partition and offset as REST has them; None forgets the partition's offset.
Entry: TypeAlias = tuple[Mapping[str, Any], Mapping[str, Any] | None]

_PAUSE_S: Final = 0.2
_PATIENCE_S: Final = 90.0
#: A rebalance goes on, or members of the group are still leaving: the same request succeeds a moment later.
_AGAIN: Final = (409, 503)
_TOO_SOON: Final = ("haven't stopped completely", "have not stopped", "non-empty", "not empty")


@dataclass(frozen=True)
class Change:
    """A partition's offset before and after; None where there is none."""

    partition: Mapping[str, Any]
    old: Mapping[str, Any] | None
    new: Mapping[str, Any] | None


class ConnectorView:
    """One connector as its worker's REST API tells it. `clock` and `pause` are those of `time`."""

    def __init__(
        self,
        http: WorkerHttp,
        name: str,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http, self.name, self._clock, self._pause = http, name, clock, pause

    def status(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._http.ask("GET", connector_path(self.name, "/status"))
        return found

    def config(self) -> dict[str, str]:
        found: dict[str, str] = self._http.ask("GET", connector_path(self.name, "/config"))
        return found

    @property
    def is_sink(self) -> bool:
        return str(self.status().get("type")) == "sink"

    def offsets(self) -> list[Entry]:
        answer = self._http.ask("GET", connector_path(self.name, "/offsets"))
        return [(entry["partition"], entry["offset"]) for entry in answer["offsets"]]

    def changes(self, wanted: Sequence[Entry]) -> list[Change]:
        """Return what `wanted` means, given the offsets of now."""
        old = {_key(partition): offset for partition, offset in self.offsets()}
        return [Change(partition, old.get(_key(partition)), offset) for partition, offset in wanted]

    def write(self, wanted: Sequence[Entry]) -> str:
        """Set offsets; return what the worker says."""
        body = {"offsets": [{"partition": partition, "offset": offset} for partition, offset in wanted]}
        return self._patiently("PATCH", body)

    def reset(self) -> str:
        """Forget all offsets; return what the worker says."""
        return self._patiently("DELETE", None)

    def _patiently(self, method: str, body: Any) -> str:
        deadline = self._clock() + _PATIENCE_S
        while True:
            try:
                answer = self._http.ask(method, connector_path(self.name, "/offsets"), body)
                return str((answer or {}).get("message", ""))
            except WorkerHttpError as error:
                later = error.code in _AGAIN or any(text in error.message for text in _TOO_SOON)
                if not later or self._clock() >= deadline:
                    raise
                self._pause(_PAUSE_S)

    # ---- stopping

    @contextmanager
    def stopped(self, may_stop: bool) -> Iterator[None]:
        """Have the connector stopped inside, and in the state from before afterwards, also after an error.

        Raises `ConnectError` at once if it is not STOPPED and `may_stop` is false.
        """
        state = self._state()
        if state == "STOPPED":
            yield
            return
        if not may_stop:
            raise ConnectError(
                f"Connector {self.name} is {state}, and offsets can be changed only while it is STOPPED: give --stop to have it "
                f"stopped and brought back, or stop it with PUT /connectors/{self.name}/stop"
            )
        self._http.ask("PUT", connector_path(self.name, "/stop"))
        print(f"Stopping {self.name}")
        try:
            self._await_stop()
            yield
        finally:
            back = "pause" if state == "PAUSED" else "resume"
            self._http.ask("PUT", connector_path(self.name, f"/{back}"))
            print(f"{self.name} is {'paused' if back == 'pause' else 'running'} again")

    def _state(self) -> str:
        return str(self.status()["connector"]["state"])

    def _await_stop(self) -> None:
        deadline = self._clock() + _PATIENCE_S
        while True:
            status = self.status()
            if status["connector"]["state"] == "STOPPED" and not status["tasks"]:
                return
            if self._clock() >= deadline:
                raise ConnectError(f"Connector {self.name} did not stop within {_PATIENCE_S:g} s; nothing was changed")
            self._pause(_PAUSE_S)


def _key(partition: Mapping[str, Any]) -> str:
    """Return a text that is the same for the same partition; a sink's number may be given as text."""
    if partition.keys() == {"kafka_topic", "kafka_partition"}:
        partition = {**partition, "kafka_partition": str(partition["kafka_partition"])}
    return json.dumps(partition, sort_keys=True)


def partition_text(partition: Mapping[str, Any]) -> str:
    """Return ``orders-0`` for a sink's partition, JSON for a source's."""
    if partition.keys() == {"kafka_topic", "kafka_partition"}:
        return f"{partition['kafka_topic']}-{partition['kafka_partition']}"
    return json.dumps(partition, ensure_ascii=False)


def offset_text(offset: Mapping[str, Any] | None) -> str:
    if offset is None:
        return "none"
    if offset.keys() == {"kafka_offset"}:
        return str(offset["kafka_offset"])
    return json.dumps(offset, ensure_ascii=False)


def print_changes(name: str, changes: Sequence[Change]) -> None:
    """Print old and new offset of each partition."""
    if not changes:
        print(f"{name} has no offsets: nothing to change")
    width = max((len(partition_text(change.partition)) for change in changes), default=0)
    for change in changes:
        old, new = offset_text(change.old), offset_text(change.new)
        same = "  (no change)" if old == new else ""
        print(f"{partition_text(change.partition):<{width}}  {old} -> {new}{same}")


def confirmed(question: str, yes: bool, dry_run: bool) -> bool:
    """Return whether to go on: never in a dry run, at once with `yes`, otherwise as the user answers."""
    if dry_run:
        print("Dry run: nothing was changed")
        return False
    if yes:
        return True
    print(f"{question} [y/N] ", end="", flush=True)
    answer = sys.stdin.readline().strip().lower()
    if answer in ("y", "yes"):
        return True
    print("" if answer else "\nNo answer: give --yes where nobody can be asked", end="\n" if not answer else "")
    print("Nothing was changed")
    return False

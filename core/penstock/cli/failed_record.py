"""Finds the one record at which a task failed, in the trace that its status shows."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from penstock.cli.offset_changes import Entry
from penstock.errors import ConnectError

__all__ = ["FailedRecord", "failed_record"]

_CONSUMED: Final = re.compile(r"failed for the record at topic (\S+), partition (\d+), offset (\d+)")
_PUT: Final = re.compile(r"put\(\) of \S+ failed for (\d+) records \((\S+)-(\d+) from offset (\d+)\)")
_SOURCE: Final = re.compile(
    r"failed for the record at source partition (\{.*?\}), source offset (\{.*?\})(, in a transaction)?, topic "
)
_BY_HAND: Final = (
    "Find the record, and name the offset behind it with: penstock offsets set {name} --partition P --offset O"
)


class FailedRecord(NamedTuple):
    """The place of the record in words, and the offset that stands behind it."""

    place: str
    behind: Entry
    #: A sink's record: the offset that must be committed, so that nothing before the record is skipped too.
    offset: int | None = None


def failed_record(name: str, status: Mapping[str, Any], task: int | None) -> FailedRecord:
    """Return the record named by the failed task of `status`; `task` chooses one of several.

    Raises `ConnectError` that says what to do if no task has failed, or its trace names no single record.
    """
    failed: Sequence[Mapping[str, Any]] = [t for t in status["tasks"] if t["state"] == "FAILED"]
    if task is not None:
        failed = [t for t in failed if t["id"] == task]
    if not failed:
        which = f"No task of connector {name} is FAILED" if task is None else f"Task {task} of {name} is not FAILED"
        stopped = status["connector"]["state"] == "STOPPED"
        raise ConnectError(
            f"{which}: there is no record to skip"
            + (". A stop takes the trace away: start it, wait until it fails, then skip with --stop" if stopped else "")
        )
    if len(failed) > 1:
        numbers = ", ".join(str(t["id"]) for t in failed)
        raise ConnectError(f"Tasks {numbers} of connector {name} are FAILED: choose one with --task, the others follow")
    return _named(name, str(failed[0].get("trace") or ""), str(status.get("type")) == "sink")


def _named(name: str, trace: str, sink: bool) -> FailedRecord:
    if sink:
        consumed, put = _CONSUMED.search(trace), _PUT.search(trace)
        if put is not None and int(put[1]) > 1:
            raise ConnectError(
                f"The task of {name} failed in put() for {put[1]} records at once ({put[2]}-{put[3]} from offset {put[4]}), and only the "
                "connector knows which of them are written. Set consumer.override.max.poll.records=1 in its configuration, "
                "restart it, and skip what it then fails at"
            )
        if consumed is not None:
            return _of_kafka(consumed[1], int(consumed[2]), int(consumed[3]))
        if put is not None and int(put[1]) == 1:
            return _of_kafka(put[2], int(put[3]), int(put[4]))
    for match in _SOURCE.finditer(trace):
        try:
            partition, offset = ast.literal_eval(match[1]), ast.literal_eval(match[2])
        except (ValueError, SyntaxError):
            continue
        if match[3]:
            raise ConnectError(
                f"The task of {name} failed at source partition {match[1]}, source offset {match[2]}, and its transaction was aborted with "
                "the records before it: skipping would lose them. Set errors.tolerance=all and errors.log.enable=true, restart "
                "it, and set them back once it is past the record"
            )
        return FailedRecord(f"source partition {match[1]}, source offset {match[2]}", (partition, offset))
    first = next(iter(trace.strip().splitlines()), "")
    raise ConnectError(f"The trace of {name}'s task names no record ({first[:300]}). {_BY_HAND.format(name=name)}")


def _of_kafka(topic: str, partition: int, offset: int) -> FailedRecord:
    place = f"topic {topic}, partition {partition}, offset {offset}"
    behind = {"kafka_topic": topic, "kafka_partition": partition}, {"kafka_offset": offset + 1}
    return FailedRecord(place, behind, offset)

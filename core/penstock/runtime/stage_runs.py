"""Run one record through a chain of transforms stage by stage, and keep what every stage made of it.

Every stage is bound and run as in a worker, copies and predicates included, but alone, so that the record before it
can be compared with the record after it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from penstock.api import Shape
from penstock.data import ConnectRecord
from penstock.errors import ConnectError
from penstock.runtime.chain import Chain, Stage, StageError

__all__ = ["ChainRun", "StageFailed", "StageRun", "run_chain"]


class StageFailed(ConnectError):
    """A stage could not handle the record; the message names the stage, and the cause is what it raised."""

    def __init__(self, run: StageRun, record: ConnectRecord) -> None:
        super().__init__(
            f"stage {run.alias} ({run.class_name}) failed for the record of topic {record.topic}: {run.error_text}"
        )
        self.stage = run


@dataclass(frozen=True, slots=True)
class StageRun:
    """One stage: what came in and what came out.

    `after` is None if the record was dropped or the stage failed. `applied` is False where the predicate kept the
    transform away; then `after` is `before`.
    """

    alias: str
    class_name: str
    before: ConnectRecord
    after: ConnectRecord | None
    applied: bool = True
    error: Exception | None = None

    @property
    def error_text(self) -> str:
        """The error's message, with what was noted on its way (the field)."""
        notes = getattr(self.error, "__notes__", [])
        kind = "" if isinstance(self.error, ConnectError) else f"{type(self.error).__name__}: "
        return "; ".join([f"{kind}{self.error}", *notes])


@dataclass(frozen=True, slots=True)
class ChainRun:
    """All stages that the record came to, in order."""

    record: ConnectRecord
    stages: list[StageRun] = field(default_factory=list)

    @property
    def failed(self) -> StageRun | None:
        return next((stage for stage in self.stages if stage.error is not None), None)

    @property
    def result(self) -> ConnectRecord | None:
        """The record after the last stage, or None if it was dropped. Raises `StageFailed` if a stage failed."""
        failed = self.failed
        if failed is not None:
            raise StageFailed(failed, self.record) from failed.error
        return self.stages[-1].after if self.stages else self.record

    def stage(self, alias: str) -> StageRun:
        """The stage of that alias; a KeyError if the record did not come to it."""
        for stage in self.stages:
            if stage.alias == alias:
                return stage
        raise KeyError(alias)


def run_chain(chain: Chain, record: ConnectRecord) -> ChainRun:
    """Run `record` through `chain`, stage by stage, as far as it gets. The record is not altered."""
    run = ChainRun(record)
    current: ConnectRecord | None = record
    for stage in chain.stages:
        if current is None:
            break
        done = _run_stage(stage, current)
        run.stages.append(done)
        current = done.after
    return run


def _run_stage(stage: Stage, record: ConnectRecord) -> StageRun:
    try:
        applied = _applies(stage, record)
        after = _apply(stage, record) if applied else record
    except StageError as error:
        return _failed(stage, record, error.__cause__)
    except Exception as error:
        return _failed(stage, record, error)
    return StageRun(stage.alias, stage.class_name, record, after, applied)


def _failed(stage: Stage, record: ConnectRecord, error: BaseException | None) -> StageRun:
    if not isinstance(error, Exception):
        raise TypeError(f"stage {stage.alias} failed without an error") from error
    return StageRun(stage.alias, stage.class_name, record, None, error=error)


def _applies(stage: Stage, record: ConnectRecord) -> bool:
    if stage.predicate is None:
        return True
    holds = stage.predicate.bind(Shape(record.topic, record.key_schema, record.value_schema))
    return (holds if isinstance(holds, bool) else holds(record)) is not stage.negate


def _apply(stage: Stage, record: ConnectRecord) -> ConnectRecord | None:
    alone = Chain([Stage(stage.alias, stage.transform, stage.class_name)])
    bound = alone.bind(Shape(record.topic, record.key_schema, record.value_schema))
    after: ConnectRecord | None = record if bound.apply is None else bound.apply(record)
    return after

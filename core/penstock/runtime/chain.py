"""The chain of transforms: bound once per shape, then run per record.

A polled batch is cut into runs of one shape. For each shape the chain is bound once (`Chain.bind`): every transform
does its schema work, predicates that the shape decides disappear, and one shallow copy is put before the first
transform that writes a part of the record (see `penstock.api.BoundTransform`). Neighbours that only edit the same dict
are run on it in one go. What is left per record is a row of plain calls.

Where the shape after a stage depends on the record, the rest of the chain is bound when such a record comes by.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, NamedTuple

from penstock.api import BoundPredicate, BoundTransform, Predicate, Shape, Transform, apply_bound
from penstock.runtime.copies import copies_before, copy_record_and_value, owned_after
from penstock.runtime.part_steps import PartStep, part_steps, shape_of_parts

__all__ = ["BoundChain", "Chain", "Stage", "StageError"]

Apply = Callable[[Any], Any]

#: Bound rests kept per chain; beyond it they are thrown away and bound again as needed.
_MAX_BOUND: Final = 1000


@dataclass(frozen=True, slots=True)
class Stage:
    """One transform of a chain, with the predicate that guards it, if any."""

    alias: str
    transform: Transform
    class_name: str
    predicate: Predicate | None = None
    negate: bool = False
    predicate_alias: str = ""
    predicate_class: str = ""


class StageError(Exception):
    """A transform or its predicate raised; the cause is what it raised."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.alias)
        self.stage = stage


@dataclass(frozen=True, slots=True)
class BoundChain:
    """`apply` takes a record of the shape bound to; gives a record or None. `shape` None: look at the record. `parts`
    say the same as `apply` where the chain only works on key and value; the records that they take are of `parts_shape`
    then."""

    apply: Apply | None
    shape: Shape | None
    parts: tuple[PartStep, ...] | None = None
    parts_shape: Shape | None = None


class Chain:
    """The transforms of one task. Not thread-safe: a task has its own."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = tuple(stages)
        self._rests: dict[tuple[int, Shape, frozenset[str]], BoundChain] = {}

    @property
    def stages(self) -> tuple[Stage, ...]:
        return self._stages

    def bind(self, shape: Shape, owned: frozenset[str] = frozenset()) -> BoundChain:
        """`owned` are the parts of its records that nobody else holds, as `BoundTransform.writes` names them.

        Raises `StageError` if a transform cannot handle the shape at all.
        """
        if not self._stages:
            return BoundChain(None, shape)
        return self._rest_of_chain(0, shape, owned)

    def close(self) -> None:
        for stage in self._stages:
            stage.transform.close()
            if stage.predicate is not None:
                stage.predicate.close()

    def _rest_of_chain(self, index: int, shape: Shape, owned: frozenset[str]) -> BoundChain:
        key = (index, shape, owned)
        known = self._rests.get(key)
        if known is None:
            if len(self._rests) >= _MAX_BOUND:
                self._rests.clear()
            known = self._rests[key] = self._bind_from(index, shape, owned)
        return known

    def _bind_from(self, index: int, shape: Shape, owned: frozenset[str]) -> BoundChain:
        """Bind stages from `index` on, up to the end or to where the shape is no longer known."""
        steps: list[_Step] = []
        after: Shape | None = shape
        for at in range(index, len(self._stages)):
            stage = self._stages[at]
            try:
                test, bound = _bind_stage(stage, shape)
            except StageError:
                if not steps:
                    raise
                # A record of this shape fails only if it comes as far as this step.
                steps.append(_Step(self._step_by_record(at, owned), stage))
                return BoundChain(_runner(steps), None)
            if bound is None:
                continue
            copies = copies_before(bound.writes, owned)
            then = owned_after(bound, owned)
            if test is None:
                steps.append(_Step(_row((*copies, bound.apply)), stage, bound, tuple(copies)))
                owned, after = then, bound.shape
            elif bound.shape == shape:
                steps.append(_Step(_guarded(test, (*copies, bound.apply)), stage))
                owned, after = owned & then, shape
            else:  # two shapes from here on: each way is bound when a record takes it
                steps.append(_Step(self._fork(test, copies, bound, at + 1, shape, owned, then), stage))
                return BoundChain(_runner(steps), None)
            if after is None:
                parts, parts_shape = self._usual_parts(at + 1, steps, owned)
                if at + 1 < len(self._stages):
                    steps.append(_Step(self._step_by_record(at + 1, owned), stage))
                return BoundChain(_runner(steps), None, parts, parts_shape)
            shape = after
        if not steps:
            return BoundChain(None, after, (), after)
        return BoundChain(_runner(steps), after, part_steps(step.bound for step in steps), after)

    def _usual_parts(
        self, index: int, steps: Sequence[_Step], owned: frozenset[str]
    ) -> tuple[tuple[PartStep, ...] | None, Shape | None]:
        """Return the steps on parts, and the shape afterwards, of the records that the last of `steps` has a shape for beforehand."""
        parts, last = part_steps(step.bound for step in steps), steps[-1].bound
        shape = None if last is None else shape_of_parts(last)
        if parts is None or shape is None:
            return None, None
        if index == len(self._stages):
            return parts, shape
        try:
            rest = self._rest_of_chain(index, shape, owned)
        except StageError:
            return None, None  # each record has it as its own error
        return (None, None) if rest.parts is None else ((*parts, *rest.parts), rest.parts_shape)

    def _step_by_record(self, index: int, owned: frozenset[str]) -> Apply:
        """The rest of the chain, chosen by each record's own shape."""
        rest = self._rest_of_chain

        def step(record: Any) -> Any:
            apply = rest(index, Shape(record.topic, record.key_schema, record.value_schema), owned).apply
            return record if apply is None else apply(record)

        return step

    def _fork(
        self,
        test: Callable[[Any], bool],
        copies: Sequence[Apply],
        bound: BoundTransform,
        index: int,
        shape: Shape,
        owned: frozenset[str],
        then: frozenset[str],
    ) -> Apply:
        transform = _row((*copies, bound.apply))
        dynamic = self._step_by_record(index, then)
        rest = self._rest_of_chain

        def step(record: Any) -> Any:
            if test(record):
                record = transform(record)
                return None if record is None else dynamic(record)
            apply = rest(index, shape, owned).apply
            return record if apply is None else apply(record)

        return step


class _Step(NamedTuple):
    """One call of the bound chain, and the stage that is to blame for what it raises.

    `bound` and `copies` are there where the stage always applies; `apply` is the two in a row.
    """

    apply: Apply
    stage: Stage
    bound: BoundTransform | None = None
    copies: tuple[Apply, ...] = ()

    @property
    def edits(self) -> str | None:
        """The part of the record that is all this step edits, if there is one."""
        in_place = self.bound.in_place if self.bound is not None and self.bound.shape is not None else None
        return None if in_place is None else in_place.part


def _bind_stage(stage: Stage, shape: Shape) -> tuple[Callable[[Any], bool] | None, BoundTransform | None]:
    """(test, transform): test None means always; transform None means never."""
    try:
        test: BoundPredicate = True if stage.predicate is None else stage.predicate.bind(shape)
        if isinstance(test, bool):
            return None, stage.transform.bind(shape) if test is not stage.negate else None
        if stage.negate:
            holds = test
            return (lambda record: not holds(record)), _bind_guarded(stage.transform, shape)
        return test, _bind_guarded(stage.transform, shape)
    except Exception as error:
        raise StageError(stage) from error


def _bind_guarded(transform: Transform, shape: Shape) -> BoundTransform:
    """A transform that cannot handle the shape fails the records that its predicate lets through, and no others."""
    try:
        return transform.bind(shape)
    except Exception:
        # Bound anew, so that each record has an error of its own.
        return BoundTransform(lambda record: apply_bound(transform.bind(shape), record), shape)


def _row(steps: Sequence[Apply]) -> Apply:
    """Several copies and one transform as one function. Copies never drop."""
    if len(steps) == 1:
        return steps[0]
    if len(steps) == 2:
        first, second = steps
        return lambda record: second(first(record))

    def run(record: Any) -> Any:
        for step in steps:
            record = step(record)
        return record

    return run


def _guarded(test: Callable[[Any], bool], steps: Sequence[Apply]) -> Apply:
    transform = _row(steps)
    return lambda record: transform(record) if test(record) else record


def _runner(steps: Sequence[_Step]) -> Apply:
    """The steps in a row; None ends it; what a step raises names its stage."""
    fused: list[_Step] = []
    for part, group in groupby(steps, key=lambda step: step.edits):
        neighbours = list(group)
        edits = {id(step.bound.in_place.edit) for step in neighbours if step.bound and step.bound.in_place}
        # An edit that occurs twice would not tell which of its stages failed.
        if part is None or (len(neighbours) == 1 and len(steps) > 1) or len(edits) < len(neighbours):
            fused += neighbours
        else:
            fused.append(_Step(_edited_at_once(part, neighbours), neighbours[0].stage))
            if len(neighbours) == len(steps):
                return fused[0].apply
    return _in_a_row(fused)


def _in_a_row(steps: Sequence[_Step]) -> Apply:
    calls = tuple(step.apply for step in steps)
    stages = [step.stage for step in steps]

    def run(record: Any) -> Any:
        at = 0
        try:
            for at, step in enumerate(calls):  # noqa: B007 - `at` is for the handler
                record = step(record)
                if record is None:
                    return None
        except StageError:
            raise
        except Exception as error:
            raise StageError(stages[at]) from error
        return record

    return run


def _edited_at_once(part: str, steps: Sequence[_Step]) -> Apply:
    """Steps that only edit the dict in the same part, on one copy, with the last one's schema put beside it."""
    ways = [step.bound.in_place for step in steps if step.bound is not None and step.bound.in_place is not None]
    edits = tuple(way.edit for way in ways)
    after = steps[-1].bound.shape if steps[-1].bound is not None else None
    assert after is not None  # `_Step.edits` looks for both
    copy = _row(steps[0].copies) if steps[0].copies else None
    otherwise = _in_a_row(steps)

    def blame(error: Exception, at: int) -> tuple[Stage, Exception]:
        return steps[at].stage, ways[at].explain(error)

    return (_edited_value if part == "value" else _edited_key)(edits, after, copy, otherwise, blame)


# Written out for key and value: attribute access by name costs as much as everything else here does.


def _edited_value(
    edits: Sequence[Callable[[Any], None]],
    after: Shape,
    copy: Apply | None,
    otherwise: Apply,
    blame: Callable[[Exception, int], tuple[Stage, Exception]],
) -> Apply:
    schema, first = after.value_schema, edits[0]
    copies_both = copy is copy_record_and_value  # the usual case of a source: written out, to save the call

    def run(record: Any) -> Any:
        value = record.value
        if not isinstance(value, dict):
            return otherwise(record)
        if copies_both:
            record = record.__copy__()
            record.value = value = value.copy()
        elif copy is not None:
            record = copy(record)
            value = record.value
        edit = first
        try:
            for edit in edits:
                edit(value)
        except Exception as error:
            stage, cause = blame(error, edits.index(edit))
            raise StageError(stage) from cause
        record.value_schema = schema
        return record

    return run


def _edited_key(
    edits: Sequence[Callable[[Any], None]],
    after: Shape,
    copy: Apply | None,
    otherwise: Apply,
    blame: Callable[[Exception, int], tuple[Stage, Exception]],
) -> Apply:
    schema, first = after.key_schema, edits[0]

    def run(record: Any) -> Any:
        if not isinstance(record.key, dict):
            return otherwise(record)
        if copy is not None:
            record = copy(record)
        key, edit = record.key, first
        try:
            for edit in edits:
                edit(key)
        except Exception as error:
            stage, cause = blame(error, edits.index(edit))
            raise StageError(stage) from cause
        record.key_schema = schema
        return record

    return run

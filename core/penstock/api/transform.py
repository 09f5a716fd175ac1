"""Transforms and predicates: what happens to a record between connector and converter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, NamedTuple

from penstock.api.plugin import ConnectPlugin
from penstock.data import ConnectRecord, Schema

__all__ = [
    "LEFT_TO_APPLY",
    "NOTHING",
    "WHOLE_RECORD",
    "BoundPredicate",
    "BoundTransform",
    "InPlace",
    "NewPart",
    "Predicate",
    "Shape",
    "Transform",
    "apply_bound",
]

NOTHING: frozenset[str] = frozenset()
#: The parts that a per-record transform may change in place: none, since Connect's contract is to return a new record.
WHOLE_RECORD: frozenset[str] = frozenset({"key", "value", "headers"})


#: Returned by `NewPart.make` for a record that has to go through `BoundTransform.apply`.
LEFT_TO_APPLY: Final = object()


class Shape(NamedTuple):
    """The shape that the records of a run share. The worker compares its parts by identity first, then by equality."""

    topic: str
    key_schema: Schema | None
    value_schema: Schema | None


class InPlace(NamedTuple):
    """A change to nothing but the top-level dict of a record's key or value.

    Where several such transforms follow each other the chain runs their `edit`s in a row on one copy. `explain` makes of
    what `edit` raised the error that `BoundTransform.apply` would have raised.
    """

    #: ``"key"`` or ``"value"``.
    part: str
    edit: Callable[[dict[str, Any]], None]
    explain: Callable[[Exception], Exception]


class NewPart(NamedTuple):
    """A change to nothing but a record's key or value, which becomes another object.

    `make` takes the old part and returns the new one; it raises what it raises, since a record at which it fails goes
    through `BoundTransform.apply` again. With `keeps_null` a null is not given to it: such a record takes `apply`.
    """

    #: ``"key"`` or ``"value"``.
    part: str
    make: Callable[[Any], Any]
    keeps_null: bool
    #: The shape of the records that `make` made the part of, where `BoundTransform.shape` depends on the record. `make` may
    #: then return `LEFT_TO_APPLY`, for a record that takes another shape or is dropped.
    shape: Shape | None = None


class BoundTransform(NamedTuple):
    """A transform tied to one shape.

    `apply` takes a record of the shape it was bound to and returns a record, or None to drop it. It may return
    another record (then it owns that one), or the same one after changing it, provided it says what it changes:

    * `writes`: the parts it alters *in place*: ``"record"`` (attributes of the record itself, such as topic, or
      putting another object in place of key, value or headers), ``"key"``, ``"value"`` (setting or deleting entries
      of the top-level dict), ``"headers"`` (the list). Before the first transform that writes a part, the chain puts
      one shallow copy of it; a copy of ``"key"``, ``"value"`` or ``"headers"`` implies one of the record. Anything
      deeper (a nested dict, a list) must be copied by the transform itself.
    * `replaces`: which of ``"key"``, ``"value"``, ``"headers"`` it may put another object in place of, that somebody
      else may hold too (a nested value that becomes the value). The chain forgets its own copy of that part.
      A part replaced by a fresh object that nobody else holds belongs in `owns` instead.
    * `shape` is the shape afterwards, or None if it depends on the record (a topic made from a timestamp).
    * `in_place`: for speed, where `apply` does this and no more to a record whose part is a dict: it edits the dict
      and puts the schema of `shape` beside it. What it does to a null or another type is left to `apply`.
    """

    apply: Callable[[Any], Any]
    shape: Shape | None
    writes: frozenset[str] = NOTHING
    replaces: frozenset[str] = NOTHING
    owns: frozenset[str] = NOTHING
    in_place: InPlace | None = None
    new_part: NewPart | None = None


class Transform(ConnectPlugin):
    """Changes, reroutes or drops records.

    A subclass offers one of two forms. The simple one, `apply`, is called per record and must not alter the record it
    is given: it returns it as it is, or a new one (``copy.copy`` and assign), or None to drop it. The bound one,
    `bind`, is called once per shape and returns a function plus a declaration of what the function touches; schema
    work belongs in `bind`. The base class binds a simple form.

    Called from the task's thread. Raise `DataError` for a record that cannot be handled; under
    ``errors.tolerance=all`` it is then skipped or goes to the dead letter queue.
    """

    def configure(self, configs: Mapping[str, Any]) -> None:
        """Called once, first, with the transform's own keys, prefix taken off. Raises `ConfigError`."""

    def apply(self, record: Any) -> Any:
        """One record in; the same, a new one or None out."""
        if type(self).bind is Transform.bind:
            raise TypeError(f"{type(self).__name__} implements neither apply nor bind")
        return apply_bound(self.bind(Shape(record.topic, record.key_schema, record.value_schema)), record)

    def bind(self, shape: Shape) -> BoundTransform:
        """Tie the transform to records of one shape. Called again for each new shape; the worker caches the result.

        Raises `DataError` if no record of that shape can be handled; it counts as each such record's error.
        """
        if type(self).apply is Transform.apply:
            raise TypeError(f"{type(self).__name__} implements neither apply nor bind")
        return BoundTransform(self.apply, None, replaces=WHOLE_RECORD)


#: True or False where the shape alone decides, else a function of the record.
BoundPredicate = bool | Callable[[Any], bool]


class Predicate(ConnectPlugin):
    """Decides whether a transform applies to a record (KIP-585). Same two forms as `Transform`."""

    #: Set if `test` looks at nothing but the topic name: the base class then decides once per shape.
    decides_by_topic: ClassVar[bool] = False

    def configure(self, configs: Mapping[str, Any]) -> None:
        """Called once, first, with the predicate's own keys, prefix taken off. Raises `ConfigError`."""

    def test(self, record: Any) -> bool:
        """Return whether `record`, a source's or a sink's, matches. It must not be altered."""
        raise TypeError(f"{type(self).__name__} does not implement test")

    def bind(self, shape: Shape) -> BoundPredicate:
        """Return the answer for all records of this shape, or a function that decides per record."""
        if self.decides_by_topic:
            return self.test(ConnectRecord(shape.topic))
        return self.test


def apply_bound(bound: BoundTransform, record: Any) -> Any:
    """Run a bound transform on a record that somebody else owns: copy what it writes, then call it."""
    if bound.writes:
        record = record.__copy__()
        if "key" in bound.writes and isinstance(record.key, dict):
            record.key = record.key.copy()
        if "value" in bound.writes and isinstance(record.value, dict):
            record.value = record.value.copy()
        if "headers" in bound.writes:
            record.headers = type(record.headers)(record.headers)
    return bound.apply(record)

"""Keys of maps that are arrays, maps or structs: the same values in a form that Python's dicts can have as keys."""

from __future__ import annotations

from typing import Any, Final, NoReturn, Self

from penstock.data.schema import Schema, Type

__all__ = ["FrozenDict", "as_key", "needs_freezing"]


class FrozenDict(dict[Any, Any]):
    """A map or a struct that is a map's key: it cannot be changed, equals a dict of the same entries, and has a hash.

    It is a ``dict`` for everybody who reads it. What is inside has to be hashable as well; see `as_key`.
    """

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]  # a dict has no hash, because it can change
        return hash(frozenset(self.items()))

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("a key of a map cannot be changed; make a dict of it first")

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = _refuse
    __ior__ = _refuse

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[type[Self], tuple[dict[Any, Any]]]:
        return type(self), (dict(self),)


_NESTED: Final = (Type.ARRAY, Type.MAP, Type.STRUCT)


def needs_freezing(schema: Schema | None) -> bool:
    """Are values of this schema changeable, so that a dict takes them as keys only through `as_key`?

    None stands for values without a schema, which may be anything.
    """
    return schema is None or schema.type in _NESTED


def as_key(value: Any) -> Any:
    """`value` as a dict's key: a list as a tuple, a dict as a `FrozenDict`, with all that is in it; others as they are."""
    if isinstance(value, dict):
        return FrozenDict({key: as_key(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return tuple(map(as_key, value))
    return bytes(value) if isinstance(value, bytearray) else value

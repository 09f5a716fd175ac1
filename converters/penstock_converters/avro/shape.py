"""Facts about the bytes of an Avro schema's values that hold for all values."""

from __future__ import annotations

from penstock_registry.formats.avro.model import AvroSchema

__all__ = ["ends_in_a_slice", "may_be_empty", "recursive"]


def recursive(avro: AvroSchema) -> bool:
    """True if a record contains itself."""
    seen: set[int] = set()
    pending = [f.schema for f in avro.fields]
    while pending:
        node = pending.pop()
        if node is avro:
            return True
        if id(node) in seen:
            continue
        seen.add(id(node))
        pending += [s for s in (node.items, node.values) if s is not None]
        pending += [*node.types, *(f.schema for f in node.fields)]
    return False


def may_be_empty(avro: AvroSchema, inside: frozenset[int] = frozenset()) -> bool:
    """True if a value may take no bytes at all."""
    if avro.type == "null" or (avro.type == "fixed" and avro.size == 0):
        return True
    if avro.type not in ("record", "error") or id(avro) in inside:
        return False
    return all(may_be_empty(f.schema, inside | {id(avro)}) for f in avro.fields)


def ends_in_a_slice(avro: AvroSchema, inside: frozenset[int] = frozenset()) -> bool:
    """True if the last thing that is read of a value may be text or bytes, whose slice does not notice missing data."""
    if avro.type in ("string", "bytes"):
        return True
    if avro.type == "union":
        return any(ends_in_a_slice(branch, inside) for branch in avro.types)
    if avro.type not in ("record", "error"):
        return False  # an index, a number, a block's count of zero; a fixed is checked where it is read
    if id(avro) in inside:
        return True
    for field in reversed(avro.fields):
        if ends_in_a_slice(field.schema, inside | {id(avro)}):
            return True
        if not may_be_empty(field.schema):
            break
    return False

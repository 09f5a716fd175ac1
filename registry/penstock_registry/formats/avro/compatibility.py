"""Can data written with one Avro schema be read with another? Avro's ``SchemaCompatibility``, in Confluent's words."""

from __future__ import annotations

from typing import Final

from penstock_registry.formats.avro.model import AvroSchema, split_name

__all__ = ["incompatibilities"]

#: Reader type → writer types it also reads.
_PROMOTIONS: Final[dict[str, frozenset[str]]] = {
    "long": frozenset({"int"}),
    "float": frozenset({"int", "long"}),
    "double": frozenset({"int", "long", "float"}),
    "bytes": frozenset({"string"}),
    "string": frozenset({"bytes"}),
}
#: More than that tell nobody more; without a bound, types that each use the one before twice have 2^n of them.
_MAX_PROBLEMS: Final = 1000
_CONTAINERS: Final = frozenset({"array", "map", "record", "enum", "fixed", "union"})

Path = tuple[str, ...]


def incompatibilities(reader: AvroSchema, writer: AvroSchema) -> list[str]:
    """Return why data of `writer` cannot be read with `reader`, one message a reason; empty if it can.

    The messages call the reader ``%new%`` and the writer ``%old%``: which of them is the new schema is the caller's to say.
    """
    return [problem.text() for problem in _Checker().check(reader, writer, ())]


class _Problem:
    def __init__(self, kind: str, path: Path, message: str, reader: AvroSchema) -> None:
        self.kind, self.path, self.message, self.reader = kind, path, message, reader

    def text(self) -> str:
        where = "/" + "/".join(self.path)
        description = _DESCRIPTIONS[self.kind].format(path=where, message=self.message)
        return f"{{errorType:'{self.kind}', description:'{description}', additionalInfo:'{self.message}'}}"


_DESCRIPTIONS: Final = {
    "NAME_MISMATCH": "The name of the schema has changed (path '{path}')",
    "FIXED_SIZE_MISMATCH": "The size of FIXED type field at path '{path}' in the %new% schema does not match with the %old% schema",
    "MISSING_ENUM_SYMBOLS": "The %new% schema is missing enum symbols '{message}' at path '{path}' in the %old% schema",
    "READER_FIELD_MISSING_DEFAULT_VALUE": (
        "The field '{message}' at path '{path}' in the %new% schema has no default value and is missing in the %old% schema"
    ),
    "TYPE_MISMATCH": "The type (path '{path}') of a field in the %new% schema does not match with the %old% schema",
    "MISSING_UNION_BRANCH": "The %new% schema is missing a type inside a union field at path '{path}' in the %old% schema",
}


class _Checker:
    def __init__(self) -> None:
        #: The problems of each pair, as they were met first. Without this, types that refer to one another cost more
        #: than anybody waits for; Avro keeps it too (``mMemoizeMap``), so its messages have the first place.
        self._known_problems: dict[tuple[int, int], list[_Problem]] = {}
        #: The named branches of each reader's union, by name and by alias.
        self._branches: dict[int, dict[str | None, list[AvroSchema]]] = {}

    def check(self, reader: AvroSchema, writer: AvroSchema, path: Path) -> list[_Problem]:
        key = (id(reader), id(writer))
        known = self._known_problems.get(key)
        if known is None:
            # A pair met inside itself is fine so far: whatever is wrong with it is found where it began.
            self._known_problems[key] = []
            known = self._known_problems[key] = self._compare(reader, writer, path)[:_MAX_PROBLEMS]
        return known

    def _compare(self, reader: AvroSchema, writer: AvroSchema, path: Path) -> list[_Problem]:
        if reader.type == writer.type:
            return self._same_type(reader, writer, path)
        if writer.type == "union":
            return self._writer_union(reader, writer, path)
        if reader.type == "union":
            return self._reader_union(reader, writer, path)
        if writer.type in _PROMOTIONS.get(reader.type, ()):
            return []
        return [_type_mismatch(reader, writer, path)]

    def _same_type(self, reader: AvroSchema, writer: AvroSchema, path: Path) -> list[_Problem]:
        match reader.type:
            case "array":
                assert reader.items is not None
                assert writer.items is not None
                return self.check(reader.items, writer.items, (*path, "items"))
            case "map":
                assert reader.values is not None
                assert writer.values is not None
                return self.check(reader.values, writer.values, (*path, "values"))
            case "fixed":
                return [*_names(reader, writer, path), *_sizes(reader, writer, path)]
            case "enum":
                return [*_names(reader, writer, path), *_symbols(reader, writer, path)]
            case "record":
                return [*_names(reader, writer, path), *self._fields(reader, writer, path)]
            case "union":
                return self._writer_union(reader, writer, path)
        return []

    def _writer_union(self, reader: AvroSchema, writer: AvroSchema, path: Path) -> list[_Problem]:
        problems: list[_Problem] = []
        for index, branch in enumerate(writer.types):
            if len(problems) >= _MAX_PROBLEMS:
                break
            found = self.check(reader, branch, path)
            if not found:
                continue
            if reader.type == "union":
                message = f"reader union lacking writer type: {branch.type.upper()}"
                problems.append(_Problem("MISSING_UNION_BRANCH", (*path, str(index)), message, reader))
            else:
                problems += [
                    _Problem(p.kind, (*path, str(index), *p.path[len(path) :]), p.message, p.reader) for p in found
                ]
        return problems

    def _reader_union(self, reader: AvroSchema, writer: AvroSchema, path: Path) -> list[_Problem]:
        branches = reader.types if writer.name is None else self._named_like(writer, reader)
        for branch in branches:
            if not self.check(branch, writer, path):
                return []
        message = f"reader union lacking writer type: {writer.type.upper()}"
        return [_Problem("MISSING_UNION_BRANCH", path, message, reader)]

    def _named_like(self, writer: AvroSchema, union: AvroSchema) -> list[AvroSchema]:
        """The branches of `union` that a record, enum or fixed could be read with: no others by name."""
        index = self._branches.get(id(union))
        if index is None:
            index = self._branches[id(union)] = {}
            for branch in union.types:
                for name in (branch.name, *branch.aliases) if branch.name is not None else ():
                    index.setdefault(name, []).append(branch)
        found = [*index.get(writer.name or "", ()), *index.get(writer.full_name, ())]
        return [branch for branch in found if branch.type == writer.type and not _names(branch, writer, ())]

    def _fields(self, reader: AvroSchema, writer: AvroSchema, path: Path) -> list[_Problem]:
        problems: list[_Problem] = []
        for index, field in enumerate(reader.fields):
            if len(problems) >= _MAX_PROBLEMS:
                break
            here = (*path, "fields", str(index))
            written = next((w for n in (field.name, *field.aliases) if (w := writer.field(n)) is not None), None)
            if written is not None:
                problems += self.check(field.schema, written.schema, (*here, "type"))
            elif not field.has_default and not (field.schema.type == "enum" and field.schema.default is not None):
                problems.append(_Problem("READER_FIELD_MISSING_DEFAULT_VALUE", here, field.name, reader))
        return problems


def _type_mismatch(reader: AvroSchema, writer: AvroSchema, path: Path) -> _Problem:
    message = f"reader type: {reader.type.upper()} not compatible with writer type: {writer.type.upper()}"
    return _Problem("TYPE_MISMATCH", path, message, reader)


def _names(reader: AvroSchema, writer: AvroSchema, path: Path) -> list[_Problem]:
    # The simple name counts; a reader's alias stands for the whole name.
    if reader.name == writer.name or writer.full_name in reader.aliases:
        return []
    if any(split_name(alias)[1] == writer.name and split_name(alias)[0] is None for alias in reader.aliases):
        return []
    return [_Problem("NAME_MISMATCH", (*path, "name"), f"expected: {writer.full_name}", reader)]


def _sizes(reader: AvroSchema, writer: AvroSchema, path: Path) -> list[_Problem]:
    if reader.size == writer.size:
        return []
    return [_Problem("FIXED_SIZE_MISMATCH", (*path, "size"), f"expected: {writer.size}, found: {reader.size}", reader)]


def _symbols(reader: AvroSchema, writer: AvroSchema, path: Path) -> list[_Problem]:
    missing = sorted(set(writer.symbols) - set(reader.symbols))
    if not missing or reader.default is not None:
        return []
    return [_Problem("MISSING_ENUM_SYMBOLS", (*path, "symbols"), f"[{', '.join(missing)}]", reader)]

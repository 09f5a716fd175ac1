"""A file together with those it imports: names resolved as Protobuf resolves them."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from penstock.api import InvalidSchemaError
from penstock_registry.formats.protobuf.model import SCALARS, Enum, Message, ProtoFile, TypeDecl, map_types
from penstock_registry.formats.protobuf.wellknown import known_file

__all__ = ["ROOT_NAME", "Linked", "Scoped", "walk_types"]

#: The name of a file that has none: the one a schema text is.
ROOT_NAME: Final = "default"


@dataclass(frozen=True, slots=True)
class Scoped:
    """A type's declaration and where it stands: `full_name` without a dot before it."""

    full_name: str
    declared: TypeDecl


def walk_types(file: ProtoFile) -> Iterator[Scoped]:
    """Every message and enum of `file`, outer ones before inner ones."""
    todo = [Scoped(file.full_name(t.name), t) for t in reversed(file.types)]
    while todo:
        scoped = todo.pop()
        yield scoped
        if isinstance(scoped.declared, Message):
            todo += [Scoped(f"{scoped.full_name}.{t.name}", t) for t in reversed(scoped.declared.nested)]


class _References:
    """Files by import name, and the types they declare. Every file that is linked with them shares one."""

    def __init__(self, files: Mapping[str, ProtoFile]) -> None:
        self.files = dict(files)
        #: The files that `Linked.declaring` has linked, by their identities.
        self.linked: dict[int, Linked] = {}

    @cached_property
    def types(self) -> dict[str, Scoped]:
        types: dict[str, Scoped] = {}
        for file in self.files.values():
            for scoped in walk_types(file):
                types.setdefault(scoped.full_name, scoped)
        return types

    @cached_property
    def homes(self) -> dict[str, ProtoFile]:
        """The file that declares each type, known files that are imported included."""
        return {s.full_name: file for file in reversed(self.with_known()) for s in walk_types(file)}

    def with_known(self) -> list[ProtoFile]:
        found = list(self.files.values())
        names = {name for file in found for name in file.all_imports}
        while names := {name for name in names if name not in self.files}:
            known = [file for name in names if (file := known_file(name)) is not None and file not in found]
            found += known
            names = {name for file in known for name in file.all_imports}
        return found

    @cached_property
    def origins(self) -> dict[str, str]:
        return {s.full_name: name for name, file in self.files.items() for s in walk_types(file)}


class Linked:
    """`file` with the files of its references (by import name). Immutable; raises nothing on its own.

    As in Confluent's registry the types of a reference can be named whether or not it is imported under its name.
    """

    def __init__(self, file: ProtoFile, references: Mapping[str, ProtoFile] | _References | None = None) -> None:
        self.file = file
        self._references = references if isinstance(references, _References) else _References(references or {})
        self._visible: dict[int, Mapping[str, Scoped]] = {}

    @cached_property
    def _own(self) -> frozenset[str]:
        return frozenset(scoped.full_name for scoped in walk_types(self.file))

    @cached_property
    def _known_homes(self) -> dict[str, ProtoFile]:
        alone = _References({"": self.file}).with_known()[1:]
        return {s.full_name: file for file in reversed(alone) for s in walk_types(file)}

    def with_file(self, file: ProtoFile) -> Linked:
        """Return another file linked with the same references."""
        return Linked(file, self._references)

    def has_references_of(self, other: Linked) -> bool:
        """Return whether both are linked with the same files under the same names."""
        return self._references.files == other._references.files

    def imported(self, name: str) -> ProtoFile | None:
        """Return a file by its import name: a reference, or one of the known ones."""
        return self._references.files.get(name) or known_file(name)

    def dependencies(self) -> dict[str, ProtoFile]:
        """All references, and the known files that are imported by whatever way, each after those it imports."""
        found: dict[str, ProtoFile] = {}
        self._gather(self.file, found, set())
        for name, file in self._references.files.items():
            if name not in found:
                self._gather(file, found, {name})
                found[name] = file
        return found

    def declaring(self, full_name: str) -> Linked | None:
        """Return the file that declares a type, linked with the same references; this one itself if it declares the type."""
        if full_name in self._own:
            return self
        file = self._references.homes.get(full_name) or self._known_homes.get(full_name)
        if file is None:
            return None
        linked = self._references.linked
        return linked.get(id(file)) or linked.setdefault(id(file), self.with_file(file))

    def origin(self, full_name: str) -> str | None:
        """The reference that declares a type; None if none does."""
        return self._references.origins.get(full_name)

    def _gather(self, file: ProtoFile, found: dict[str, ProtoFile], open_: set[str]) -> None:
        for name in file.all_imports:
            imported = self.imported(name)
            if imported is not None and name not in found and name not in open_:
                self._gather(imported, found, open_ | {name})
                found[name] = imported

    def types(self, file: ProtoFile) -> Mapping[str, Scoped]:
        """Return the types that `file` may name, by full name: its own, and those it imports."""
        known = self._visible.get(id(file))
        if known is None:
            own: dict[str, Scoped] = {}
            self._add_types(file, own, frozenset(), own=True)
            known = self._visible[id(file)] = ChainMap(own, self._references.types)
        return known

    def _add_types(self, file: ProtoFile, known: dict[str, Scoped], open_: frozenset[str], own: bool) -> None:
        for scoped in walk_types(file):
            known.setdefault(scoped.full_name, scoped)
        for name in file.all_imports if own else file.public_imports:
            imported = self.imported(name)
            if imported is not None and name not in open_:
                self._add_types(imported, known, open_ | {name}, own=False)

    def resolve(self, file: ProtoFile, scope: str, name: str) -> Scoped | None:
        """Return the type that `name` means inside `scope` (a full name) of `file`: the innermost type of that name."""
        types = self.types(file)
        if name.startswith("."):
            return types.get(name[1:])
        while True:
            found = types.get(f"{scope}.{name}" if scope else name)
            if found is not None or not scope:
                return found
            scope = scope.rpartition(".")[0]

    def map_types(self, file: ProtoFile, scope: str, name: str) -> tuple[str, str] | None:
        """Key and value type of a map: of ``map<K, V>``, or of the entry message that a descriptor has in its place."""
        spelled = map_types(name)
        if spelled is not None or name in SCALARS:
            return spelled
        found = self.resolve(file, scope, name)
        if found is None or not isinstance(found.declared, Message) or not found.declared.is_map_entry:
            return None
        key, value = found.declared.fields
        return key.type, value.type

    def require(self, file: ProtoFile, scope: str, name: str) -> Scoped:
        found = self.resolve(file, scope, name)
        if found is None:
            raise InvalidSchemaError(f"Could not resolve type: {name}")
        return found

    def check(self) -> None:
        """Raise `InvalidSchemaError` for a field whose type is not to be found."""
        for scoped in walk_types(self.file):
            if isinstance(scoped.declared, Enum):
                continue
            message = scoped.declared
            for field in (*message.fields, *(f for o in message.oneofs for f in o.fields)):
                for name in map_types(field.type) or (field.type,):
                    if name not in SCALARS:
                        self.require(self.file, scoped.full_name, name)

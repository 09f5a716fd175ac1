"""``ReplaceField``: keeps, drops and renames fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.api import BoundTransform, Shape
from penstock.config import ConfigDef, ConfigType, Importance, LambdaValidator, ValidList
from penstock.data import Schema, Type
from penstock.errors import ConfigError
from penstock_transforms.field_path import FieldPath, FieldSyntax
from penstock_transforms.levels import Level, bind_level, copy_basics
from penstock_transforms.operating import Edit, OperatingTransform
from penstock_transforms.settings import REPLACE_NULL, define_field_syntax, define_replace_null, split_pair

__all__ = ["ReplaceField", "ReplaceFieldKey", "ReplaceFieldValue"]


def _renames(mappings: list[str]) -> dict[str, str]:
    pairs = {}
    for mapping in mappings:
        parts = split_pair(mapping)
        if len(parts) != 2:
            raise ConfigError("renames", mappings, f"Invalid rename mapping: {mapping}")
        pairs[parts[0]] = parts[1]
    return pairs


def _check_renames(name: str, value: Any) -> None:
    _renames(value or [])


_CONFIG = define_field_syntax(
    define_replace_null(
        ConfigDef()
        .define(
            "exclude",
            ConfigType.LIST,
            [],
            validator=ValidList.any_non_duplicate_values(True, False),
            importance=Importance.MEDIUM,
            doc="Fields to drop. They win over include.",
        )
        .define(
            "include",
            ConfigType.LIST,
            [],
            validator=ValidList.any_non_duplicate_values(True, False),
            importance=Importance.MEDIUM,
            doc="Fields to keep; all others are dropped. Empty: all are kept.",
        )
        .define(
            "renames",
            ConfigType.LIST,
            [],
            validator=LambdaValidator(_check_renames, "list of colon-delimited pairs, e.g. foo:bar,abc:xyz"),
            importance=Importance.MEDIUM,
            doc="Fields to rename, as old:new pairs. exclude and include speak of the old names.",
        )
    )
)


@dataclass(slots=True)
class _Work:
    """The changes to the fields of one struct."""

    exclude: set[str] = field(default_factory=set)
    include: set[str] = field(default_factory=set)
    renames: dict[str, str] = field(default_factory=dict)

    def keeps(self, name: str) -> bool:
        return name not in self.exclude and (not self.include or name in self.include)

    def renamed(self, name: str) -> str:
        return self.renames.get(name, name)


class ReplaceField(OperatingTransform):
    """A null part stays null. Names that no field has are ignored."""

    purpose = "field replacement"

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _CONFIG

    def configure(self, configs: Mapping[str, Any]) -> None:
        config = _CONFIG.parse(configs)
        syntax = FieldSyntax.of(config)
        self._fill: bool = config[REPLACE_NULL]
        self._level: Level[_Work] = Level(_Work)
        for text in config["exclude"]:
            path = FieldPath.parse(text, syntax)
            self._level.at(path.parents).work.exclude.add(path.name)
        for text in config["include"]:
            path = FieldPath.parse(text, syntax)
            for depth, step in enumerate(path.steps):
                self._level.at(path.steps[:depth]).work.include.add(step)
        for old, new in _renames(config["renames"]).items():
            path = FieldPath.parse(old, syntax)
            self._level.at(path.parents).work.renames[path.name] = new

    def bind_schema(self, shape: Shape, schema: Schema) -> BoundTransform:
        if schema.type is not Type.STRUCT:
            return self.refuse_type(shape)
        after, edit = bind_level(self._level, schema, _bind_struct, self.purpose, self._fill)
        return self.edit(shape, after, edit)

    def bind_schemaless(self, shape: Shape) -> BoundTransform:
        _, edit = bind_level(self._level, None, _bind_map, self.purpose, self._fill)
        return self.edit(shape, None, edit)


def _bind_struct(schema: Schema | None, work: _Work) -> tuple[Schema | None, Edit | None]:
    assert schema is not None  # bound with one by bind_schema
    builder = copy_basics(schema)
    drops: list[str] = []
    moves: list[tuple[str, str]] = []
    for member in schema.fields:
        if not work.keeps(member.name):
            drops.append(member.name)
            continue
        new = work.renamed(member.name)
        builder.field(new, member.schema)
        if new != member.name:
            moves.append((member.name, new))
    return builder.build(), _dropping_and_moving(drops, moves)


def _dropping_and_moving(drops: list[str], moves: list[tuple[str, str]]) -> Edit | None:
    if not drops and not moves:
        return None
    if not drops and len(moves) == 1:
        ((old, new),) = moves

        def move(value: dict[str, Any]) -> None:
            value[new] = value.pop(old, None)

        return move
    if not moves and len(drops) == 1:
        (gone,) = drops

        def drop(value: dict[str, Any]) -> None:
            value.pop(gone, None)

        return drop

    if not drops and len(moves) == 2 and not {old for old, _ in moves} & {new for _, new in moves}:
        (old1, new1), (old2, new2) = moves

        def move_two(value: dict[str, Any]) -> None:
            pop = value.pop
            value[new1] = pop(old1, None)
            value[new2] = pop(old2, None)

        return move_two

    def drop_and_move(value: dict[str, Any]) -> None:
        for name in drops:
            value.pop(name, None)
        # All out before any goes in: renames may swap names.
        moved = [(new, value.pop(old, None)) for old, new in moves]
        value.update(moved)

    return drop_and_move


def _bind_map(schema: Schema | None, work: _Work) -> tuple[Schema | None, Edit | None]:
    if not (work.exclude or work.include or work.renames):
        return None, None
    exclude, include, renames = tuple(work.exclude), work.include, tuple(work.renames.items())
    if not include and not exclude and not work.renames.keys() & set(work.renames.values()):
        return None, _moving(renames)

    def replace(value: dict[str, Any]) -> None:
        for name in exclude:
            value.pop(name, None)
        if include:
            for name in [n for n in value if n not in include]:
                del value[name]
        if renames:
            _rename_all(value, work.renames)

    return None, replace


def _moving(renames: Iterable[tuple[str, str]]) -> Edit:
    """Renames that do not touch each other's names."""
    all_of_them = dict(renames)

    def move(value: dict[str, Any]) -> None:
        for old, new in renames:
            if old in value:
                if new in value:
                    _rename_all(value, all_of_them)
                    return
                value[new] = value.pop(old)

    return move


def _rename_all(value: dict[str, Any], renames: Mapping[str, str]) -> None:
    """All at once, since renames may swap names. Where two entries get one name, the later entry of the map stays."""
    entries = [(renames.get(name, name), item) for name, item in value.items()]
    value.clear()
    value.update(entries)


class ReplaceFieldKey(ReplaceField):
    part = "key"


class ReplaceFieldValue(ReplaceField):
    part = "value"

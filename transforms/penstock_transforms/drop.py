"""``Drop``: removes the fields whose names match a pattern."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from penstock import __version__
from penstock.api import BoundTransform, Shape
from penstock.config import CompositeValidator, ConfigDef, ConfigType, Importance, NonEmptyString
from penstock.data import Schema, Type
from penstock.java.regex import compile_regex
from penstock_transforms.levels import copy_basics, nested_edit
from penstock_transforms.operating import Edit, OperatingTransform, defaults_filler, in_sequence
from penstock_transforms.settings import REPLACE_NULL, RegexValidator, define_replace_null

__all__ = ["Drop", "DropKey", "DropValue"]

_CONFIG = define_replace_null(
    ConfigDef()
    .define(
        "pattern",
        ConfigType.STRING,
        validator=CompositeValidator(NonEmptyString(), RegexValidator()),
        importance=Importance.HIGH,
        doc="Java regular expression. Fields whose whole name matches are dropped.",
    )
    .define(
        "nested",
        ConfigType.BOOLEAN,
        False,
        importance=Importance.MEDIUM,
        doc="Also look into nested structs and maps. The pattern is then matched with the path of each field: city.zip.",
    )
)
#: Verdicts on field names kept for values without schema, whose names may be without end.
_MAX_NAMES: Final = 10_000


class Drop(OperatingTransform):
    """A null part stays null. Arrays are not looked into."""

    version = __version__
    purpose = "dropping fields"

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _CONFIG

    def configure(self, configs: Mapping[str, Any]) -> None:
        config = _CONFIG.parse(configs)
        self._drops: Callable[[str], bool] = compile_regex(config["pattern"]).matches
        self._nested: bool = config["nested"]
        self._fill: bool = config[REPLACE_NULL]
        self._verdicts: dict[str, bool] = {}

    def bind_schema(self, shape: Shape, schema: Schema) -> BoundTransform:
        if schema.type is not Type.STRUCT:
            return self.refuse_type(shape)
        after, edit = self._bind_struct(schema, "", ())
        return self.edit(shape, after, edit)

    def bind_schemaless(self, shape: Shape) -> BoundTransform:
        return self.edit(shape, None, self._edit_map)

    def _bind_struct(self, schema: Schema, prefix: str, enclosing: tuple[Schema, ...]) -> tuple[Schema, Edit | None]:
        enclosing = (*enclosing, schema)
        builder = copy_basics(schema)
        edits: list[Edit] = []
        gone: list[str] = []
        for field in schema.fields:
            if self._drops(prefix + field.name):
                gone.append(field.name)
                continue
            inner = field.schema
            # A struct that holds itself has paths without end: its inner self stays as it is.
            if self._nested and inner.type is Type.STRUCT and not any(inner.fields is s.fields for s in enclosing):
                after, edit = self._bind_struct(inner, f"{prefix}{field.name}.", enclosing)
                if edit is not None:
                    edits.append(nested_edit(field.name, edit, self.purpose, inner))
                    inner = after.replace(optional=inner.optional)
            builder.field(field.name, inner)
        if gone:
            edits.append(_removing(gone))
        if not edits and prefix:
            return schema, None
        fill = defaults_filler(schema) if self._fill else None
        return builder.build(), in_sequence([fill, *edits] if fill is not None else edits)

    def _edit_map(self, value: dict[str, Any], prefix: str = "") -> None:
        verdicts, nested = self._verdicts, self._nested
        for name in list(value):
            path = f"{prefix}{name}"
            drops = verdicts.get(path)
            if drops is None:
                if len(verdicts) >= _MAX_NAMES:
                    verdicts.clear()
                drops = verdicts[path] = self._drops(path)
            if drops:
                del value[name]
            elif nested and isinstance(inner := value[name], dict):
                mine = value[name] = dict(inner)  # others may hold the nested map
                self._edit_map(mine, f"{path}.")


def _removing(names: list[str]) -> Edit:
    def remove(value: dict[str, Any]) -> None:
        for name in names:
            value.pop(name, None)

    return remove


class DropKey(Drop):
    part = "key"


class DropValue(Drop):
    part = "value"

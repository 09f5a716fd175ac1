"""``plugins.toml``: which plugins are on, further class names for them, folders beside pip, and what pip would bring.

The default ships in the package; a user's file is laid over it: its `disabled` list is added, its tables override key
by key.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import penstock
from penstock.errors import ConfigError

__all__ = ["ENVIRONMENT_VARIABLE", "PluginSettings"]

ENVIRONMENT_VARIABLE: Final = "PENSTOCK_PLUGINS"
_TABLES: Final = ("aliases", "paths", "install")


@dataclass(frozen=True, slots=True)
class PluginSettings:
    """The settings of one worker's plugins. Immutable."""

    #: Plugin names, class names, ``module:Class`` targets, ``distribution/name`` pairs, or whole distributions.
    disabled: frozenset[str] = frozenset()
    #: Class name in a config → plugin name.
    aliases: Mapping[str, str] = field(default_factory=dict)
    #: Label → folder with plugins that pip did not install.
    paths: Mapping[str, Path] = field(default_factory=dict)
    #: Plugin or class name → what to give to ``pip install``.
    install: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, file: str | os.PathLike[str] | None = None) -> PluginSettings:
        """The default with the user's file over it: `file`, else what ``PENSTOCK_PLUGINS`` names, else none."""
        settings = cls().overlaid(default_file())
        chosen = file or os.environ.get(ENVIRONMENT_VARIABLE)
        return settings.overlaid(Path(chosen)) if chosen else settings

    def overlaid(self, file: Path) -> PluginSettings:
        """These settings with those of `file` over them. Raises `ConfigError` naming file and key."""
        try:
            content = tomllib.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"Cannot read the plugin settings {file}: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"The plugin settings {file} are not valid TOML: {error}") from None
        if unknown := sorted(set(content) - {"disabled", *_TABLES}):
            raise ConfigError(
                f"Unknown key {unknown[0]!r} in the plugin settings {file}: expected disabled, [aliases], [paths] or [install]"
            )
        disabled = content.get("disabled", [])
        if not isinstance(disabled, list) or not all(isinstance(name, str) for name in disabled):
            raise ConfigError(f"'disabled' in the plugin settings {file} must be a list of names")
        tables = {name: _table(content, name, file) for name in _TABLES}
        folder = file.resolve().parent
        return replace(
            self,
            disabled=self.disabled | set(disabled),
            aliases={**self.aliases, **tables["aliases"]},
            paths={**self.paths, **{k: folder / Path(v).expanduser() for k, v in tables["paths"].items()}},
            install={**self.install, **tables["install"]},
        )


def default_file() -> Path:
    """The default that ships with the package. In an editable checkout it is the one at the repository's root."""
    package = Path(penstock.__file__).resolve().parent
    shipped = package / "plugins.toml"
    return shipped if shipped.is_file() else package.parent.parent / "plugins.toml"


def _table(content: Mapping[str, Any], name: str, file: Path) -> dict[str, str]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise ConfigError(f"[{name}] in the plugin settings {file} must be a table")
    for key, value in table.items():
        if not isinstance(value, str):
            raise ConfigError(
                f"[{name}] {key!r} in the plugin settings {file} must be a string; put keys with dots in quotes"
            )
    return table

"""``penstock new``: begins a distribution with a connector, a converter or a transform."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from penstock.cli.common import discover_plugins, set_up_logging
from penstock.cli.scaffold import KINDS, ScaffoldNames, write_scaffold
from penstock.errors import ConnectError
from penstock.plugins import PluginKind, Plugins

__all__ = ["add_parser", "run"]

_DESCRIPTION: Final = """\
Write a distribution that can be installed, tested and published: a package with type hints, a small example that works,
tests that run penstock's acceptance suites, and a pyproject.toml. The folder is named after the distribution."""
_PLUGIN_KINDS: Final = {
    "connector": PluginKind.CONNECTOR,
    "converter": PluginKind.CONVERTER,
    "transform": PluginKind.TRANSFORM,
}


def add_parser(commands: Any) -> None:
    parser = commands.add_parser("new", help="begin a plugin of your own", description=_DESCRIPTION)
    parser.add_argument("kind", metavar="KIND", choices=list(KINDS), help=", ".join(KINDS))
    parser.add_argument("name", metavar="NAME", help="the distribution's name, such as acme-ticks")
    parser.add_argument(
        "--dir", metavar="DIR", type=Path, default=Path(), help="the folder to make the new folder in (this one)"
    )
    parser.add_argument("--plugins", metavar="FILE", type=Path, help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    set_up_logging("ERROR")
    names = ScaffoldNames.of(arguments.name)
    if not arguments.dir.is_dir():
        raise ConnectError(f"{arguments.dir} is no folder: make it first, or name another with --dir")
    _check_free(discover_plugins(arguments), arguments.kind, names)
    folder = write_scaffold(arguments.dir, arguments.kind, names)
    print(f"Wrote {folder}. Next:\n")
    print(f"  cd {folder}")
    print("  pip install -e . pytest")
    print("  pytest")
    print(f"  penstock plugins describe {_plugin_names(arguments.kind, names)[0]}")
    return 0


def _plugin_names(kind: str, names: ScaffoldNames) -> list[str]:
    name = names.distribution
    return [f"{name}-source", f"{name}-sink"] if kind == "connector" else [name]


def _check_free(plugins: Plugins, kind: str, names: ScaffoldNames) -> None:
    """Raise `ConnectError` if somebody else's plugin has the name: then neither could be used by it."""
    for name in _plugin_names(kind, names):
        for info in plugins.infos(_PLUGIN_KINDS[kind]):
            if info.plugin.name == name and info.distribution != names.distribution:
                raise ConnectError(
                    f"there is a {kind} named {name} already, of {info.distribution}: choose another name"
                )

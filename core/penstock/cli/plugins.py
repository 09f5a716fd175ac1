"""``penstock plugins``: lists plugins, their settings, and the faults of broken ones."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any, Final

from penstock.cli.common import add_common_arguments, discover_plugins, set_up_logging
from penstock.config import ConfigDef
from penstock.config.info import config_text
from penstock.errors import PluginError
from penstock.plugins import MissingDependencyError, PluginInfo, PluginKind, Plugins

__all__ = ["add_parser", "run"]

_TITLES: Final = {
    PluginKind.CONNECTOR: "Connectors",
    PluginKind.CONVERTER: "Converters",
    PluginKind.HEADER_CONVERTER: "Header converters",
    PluginKind.TRANSFORM: "Transforms",
    PluginKind.PREDICATE: "Predicates",
    PluginKind.CONFIG_PROVIDER: "Config providers",
    PluginKind.SCHEMA_FORMAT: "Schema formats",
    PluginKind.SERVICE: "Services",
}


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "plugins",
        help="what converters, transforms and connectors there are",
        description="List plugins (the default), describe one, or check them all.",
    )
    add_common_arguments(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    actions.add_parser("list", help="every plugin, by kind; nothing is imported")
    describe = actions.add_parser("describe", help="one plugin with the settings it takes")
    describe.add_argument("name", metavar="NAME", help="plugin name, class name, its short form, or a Python path")
    actions.add_parser("doctor", help="import every plugin and check its names; status 1 if something is broken")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    set_up_logging("ERROR")  # what is broken is part of the answer, not of the log
    plugins = discover_plugins(arguments)
    if arguments.action == "describe":
        return _describe(plugins, arguments.name)
    return _doctor(plugins) if arguments.action == "doctor" else _list(plugins)


def _list(plugins: Plugins) -> int:
    for title, infos in _groups(plugins):
        print(f"{title}:")
        rows = [(i.plugin.name, i.class_name, f"{i.distribution} {i.version}", _remarks(i)) for i in infos]
        for line in _columns(rows):
            print(f"  {line}")
        print()
    _print_broken(plugins)
    return 0


def _groups(plugins: Plugins) -> Iterable[tuple[str, list[PluginInfo]]]:
    """Return title and plugins; converters that need a schema registry stand apart from those that do not."""
    for kind, title in _TITLES.items():
        infos = plugins.infos(kind)
        if kind is PluginKind.CONVERTER:
            yield f"{title} without a schema registry", [i for i in infos if not i.plugin.uses_registry]
            infos = [i for i in infos if i.plugin.uses_registry]
            title = f"{title} with a schema registry"
        if infos:
            yield title, infos


def _remarks(info: PluginInfo) -> str:
    remarks = [info.plugin.connector_type, "registry" if info.plugin.uses_registry else "", info.plugin.summary]
    if info.error:
        remarks.insert(0, f"BROKEN: {info.error}")
    return ", ".join(filter(None, remarks))


def _print_broken(plugins: Plugins) -> None:
    if plugins.broken:
        print("Broken:")
        for broken in plugins.broken:
            print(f"  {broken.distribution} ({broken.name}): {broken.error}")


def _describe(plugins: Plugins, name: str) -> int:
    found = [info for kind in PluginKind if (info := plugins.find_or_none(kind, name)) is not None]
    if all(info.distribution == "the Python path" for info in found):
        found = [info for info in found if _is_of_kind(plugins, info)]
    if not found:
        near = plugins.suggestions(name)
        hint = f" The nearest known: {', '.join(near)}." if near else ""
        raise PluginError(f"No plugin is known by the name {name!r}.{hint} `penstock plugins` lists what there is.")
    for number, info in enumerate(found):
        if number:
            print()
        _describe_one(plugins, info)
    return 0


def _is_of_kind(plugins: Plugins, info: PluginInfo) -> bool:
    try:
        plugins.import_class(info)
    except PluginError:
        return False
    return True


def _describe_one(plugins: Plugins, info: PluginInfo) -> None:
    plugin = info.plugin
    facts = [
        ("kind", f"{plugin.connector_type} {info.kind.word}".strip()),
        ("class", info.class_name),
        ("also", ", ".join(plugin.aliases[1:])),
        ("Python", plugin.target),
        ("from", f"{info.distribution} {info.version}"),
        ("registry", "needs a schema registry" if plugin.uses_registry else ""),
        ("about", plugin.summary),
        ("broken", info.error or ""),
    ]
    print(plugin.name)
    for line in _columns([fact for fact in facts if fact[1]]):
        print(f"  {line}")
    loaded: Any = plugins.import_class(info)
    definition = loaded.config_def() if hasattr(loaded, "config_def") else None
    if isinstance(definition, ConfigDef):
        _print_settings(definition)


def _print_settings(definition: ConfigDef) -> None:
    if not definition.keys:
        print("  It takes no settings.")
        return
    print("  settings:")
    rows = [("setting", "type", "default", "valid", "")]
    for key in definition.keys:
        default = config_text(key.default, key.type) if key.has_default else "(required)"
        valid = "" if key.validator is None else str(key.validator)
        rows.append((key.name, key.type.value, "" if default is None else default, valid, key.doc))
    for line in _columns(rows):
        print(f"    {line}")


def _doctor(plugins: Plugins) -> int:
    wrong = [f"{b.distribution} ({b.name}): {b.error}" for b in plugins.broken]
    missing = []
    infos = plugins.infos()
    for info in infos:
        if info.error:
            wrong.append(info.error)
        try:
            plugins.import_class(info)
        except MissingDependencyError as error:
            missing.append(error.message)
        except PluginError as error:
            wrong.append(error.message)
    for title, lines in (("broken", wrong), ("not installed", missing)):
        for line in dict.fromkeys(lines):
            print(f"{title}: {line}")
    ready = len(infos) - len(missing)
    print(
        f"{len(infos)} plugins, {len(dict.fromkeys(wrong))} broken"
        if wrong
        else f"{ready} of {len(infos)} plugins are ready"
    )
    return 1 if wrong else 0


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines with aligned columns, the last one as long as it is."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]

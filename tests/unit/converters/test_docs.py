"""docs/converters.md and the converters' settings tell the same story."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from penstock.api import Plugin
from penstock_converters import registry_config
from penstock_converters.plugin import penstock_register_converters, penstock_register_header_converters
from penstock_registry.client.factory import ClientSettings

PAGE = (Path(__file__).parents[3] / "docs/converters.md").read_text("utf-8")
PLUGINS = {p.name: p for p in [*penstock_register_converters(), *penstock_register_header_converters()]}.values()
#: Where a converter's own settings stand; what they share stands under the last of these.
SECTIONS = {"json": "JSON", "avro": "Avro", "protobuf": "Protobuf", "jsonschema": "JSON Schema"}
SHARED = "Settings of all three"


def section(title: str) -> str:
    found = re.search(rf"^### {re.escape(title)}\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title}"
    return found[1]


def rows(text: str) -> dict[str, tuple[str, str]]:
    """Setting to (type, default), as the page's tables have them."""
    found = re.findall(r"^\| `([^`]+)` \| (\w+) \|([^|]*)\|", text, re.MULTILINE)
    return {key: (kind, default.strip()) for key, kind, default in found}


def settings(plugin: Plugin) -> list[Any]:
    module, _, name = plugin.target.partition(":")
    return list(getattr(importlib.import_module(module), name).config_def().keys)


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda p: p.name)
def test_every_setting_stands_there_with_its_type_and_default(plugin: Plugin) -> None:
    documented = rows(section(SECTIONS.get(plugin.name, "Text, bytes and numbers")))
    if plugin.uses_registry:
        documented |= rows(section(SHARED))
    for key in settings(plugin):
        assert key.name in documented, f"{key.name} of {plugin.name} has no row"
        kind, default = documented[key.name]
        assert kind == key.type.value.lower()
        if key.name == "converter.type":
            assert default == "set by the worker"
        elif not key.has_default:
            assert default == "**required**"
        else:
            value = getattr(key.default, "value", key.default)  # passwords
            shown = str(value).lower() if isinstance(value, bool) else str(value)
            assert default.strip("`") == ("" if value in (None, "", []) else shown), key.name


@pytest.mark.parametrize("name", SECTIONS)
def test_no_section_has_a_setting_that_the_converter_does_not_know(name: str) -> None:
    (plugin,) = (p for p in PLUGINS if p.name == name)
    assert rows(section(SECTIONS[name])).keys() <= {key.name for key in settings(plugin)}


def test_every_converter_stands_there_by_its_names() -> None:
    for plugin in PLUGINS:
        assert f"`{plugin.name}`" in PAGE
        for alias in plugin.aliases:
            assert alias in PAGE or f"`…{alias.rpartition('.')[2]}`" in PAGE, alias


def test_every_setting_that_is_refused_or_without_effect_stands_there() -> None:
    page = section("Refused settings")
    for key in [*registry_config._REFUSED, *registry_config._NO_EFFECT]:
        assert f"`{key}`" in page, key


def test_every_setting_of_the_connection_stands_there() -> None:
    for key in ClientSettings.KEYS:
        assert key.removeprefix("schema.registry.").removeprefix("ssl.") in PAGE, key

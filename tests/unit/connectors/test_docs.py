"""The pages of the connectors and their settings tell the same story."""

import importlib
import re
from pathlib import Path

import pytest

from penstock_connectors.plugin import penstock_register_connectors

DOCS = Path(__file__).parents[3] / "docs"
PAGE = "\n".join((DOCS / name).read_text("utf-8") for name in ("connectors.md", "jdbc.md", "jdbc-sink.md"))


@pytest.mark.parametrize("plugin", penstock_register_connectors(), ids=lambda p: p.name)
def test_every_connector_and_setting_is_documented(plugin):
    assert f"`{plugin.name}`" in PAGE
    module, _, name = plugin.target.partition(":")
    for key in getattr(importlib.import_module(module), name).config_def().keys:
        rows = re.findall(rf"^\| `{re.escape(key.name)}` \| (.*?) \|", PAGE, re.MULTILINE)
        assert rows, f"{key.name} of {plugin.name} has no row"
        if key.has_default and key.default not in (None, "", []):
            default = ",".join(key.default) if isinstance(key.default, list) else key.default
            shown = str(default).lower() if isinstance(default, bool) else str(default)
            assert any(shown in row for row in rows), f"{key.name}: default {shown} not in {rows}"

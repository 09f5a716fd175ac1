"""What the validate endpoint makes of a class's settings. Help texts are penstock's own words and not compared."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from lab.vectors import Case, load
from penstock.config.connector import connector_config_def, sink_connector_config_def, source_connector_config_def
from penstock.config.definition import ConfigDef
from penstock.config.info import config_infos
from penstock.errors import PluginError
from penstock.plugins import PluginKind, Plugins

RUNTIME = {
    "org.apache.kafka.connect.runtime.ConnectorConfig": connector_config_def,
    "org.apache.kafka.connect.runtime.SourceConnectorConfig": source_connector_config_def,
    "org.apache.kafka.connect.runtime.SinkConnectorConfig": sink_connector_config_def,
}


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return Plugins.discover()


def definition_of(plugins: Plugins, class_name: str) -> ConfigDef:
    if class_name in RUNTIME:
        return RUNTIME[class_name]()
    for kind in PluginKind:
        if plugins.find_or_none(kind, class_name) is not None:
            definition: Any = plugins.load(kind, class_name)
            return definition.config_def()
    raise PluginError(f"nothing is known by the name {class_name}")


@pytest.mark.parametrize("case", [*load("configdef"), *load("configdef_4_4")], ids=lambda case: case.id)
def test_configdef(case: Case, plugins: Plugins, judge: Callable[[Case, Any], None]) -> None:
    for config in (case.expect or {}).get("configs", []):
        config["definition"].pop("documentation_sha256", None)

    def run(case: Case) -> dict[str, Any]:
        definition = definition_of(plugins, case.java_class)
        infos = copy.deepcopy(config_infos(case.input["name"], definition, definition.validate(case.config)))
        for config in infos["configs"]:
            assert config["definition"].pop("documentation")
        return infos

    judge(case, run)

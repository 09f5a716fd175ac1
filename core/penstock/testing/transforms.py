"""Run a connector's chain of transforms on one record and keep what every stage made of it.

For tests of transforms::

    run = run_transforms(
        {"transforms": "site", "transforms.site.type": "InsertField$Value",
         "transforms.site.static.field": "site", "transforms.site.static.value": "plant-1"},
        SourceRecord("orders", value={"id": 1}),
    )
    assert run.result.value == {"id": 1, "site": "plant-1"}
"""

from __future__ import annotations

from collections.abc import Mapping

from penstock.data import ConnectRecord
from penstock.plugins import Plugins
from penstock.plugins.settings import PluginSettings
from penstock.runtime.assembly import build_chain
from penstock.runtime.stage_runs import ChainRun, StageFailed, StageRun, run_chain

__all__ = ["ChainRun", "StageFailed", "StageRun", "run_transforms"]


def run_transforms(config: Mapping[str, str], record: ConnectRecord, plugins: Plugins | None = None) -> ChainRun:
    """Run the chain that ``transforms`` and ``predicates`` of `config` make; its other settings do not count.

    `plugins` are the installed ones unless given. Raises `ConfigError` or `PluginError` for a chain that cannot be
    made; what a stage raises is kept in the result.
    """
    chain = build_chain(plugins or Plugins.discover(PluginSettings.load(None)), config)
    try:
        return run_chain(chain, record)
    finally:
        chain.close()

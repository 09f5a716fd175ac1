"""The classes that the settings name, and the connector's whole configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from penstock.config.enrich import aliases
from penstock.doctor.finding import Finding, broken, ok, warning
from penstock.doctor.situation import Situation
from penstock.errors import ConnectError, PluginError
from penstock.herder.overrides import OverridePolicy
from penstock.herder.unknown_settings import unknown_settings
from penstock.herder.validation import ConnectorValidator
from penstock.plugins import PluginKind
from penstock.runtime.assembly import with_registry_url

__all__ = ["ConnectorCheck", "PluginsCheck"]

_CONVERTERS: Final = {
    "key.converter": PluginKind.CONVERTER,
    "value.converter": PluginKind.CONVERTER,
    "header.converter": PluginKind.HEADER_CONVERTER,
}


def _named(config: Mapping[str, str]) -> Iterator[tuple[str, PluginKind]]:
    """Yield the settings in `config` that name a class, and its kind."""
    if "connector.class" in config:
        yield "connector.class", PluginKind.CONNECTOR
    for setting, kind in _CONVERTERS.items():
        if config.get(setting):
            yield setting, kind
    for lists, kind in (("transforms", PluginKind.TRANSFORM), ("predicates", PluginKind.PREDICATE)):
        for alias in aliases(config, lists):
            if config.get(f"{lists}.{alias}.type"):
                yield f"{lists}.{alias}.type", kind


class PluginsCheck:
    """Imports every class that the worker's and the connector's settings name."""

    name = "plugins"
    needs = ()

    def __init__(self, situation: Situation) -> None:
        self._situation = situation

    def findings(self) -> Iterator[Finding]:
        situation, count = self._situation, 0
        for config in (situation.worker.raw, situation.connector or {}):
            for setting, kind in _named(config):
                count += 1
                if (problem := self._problem(kind, config[setting])) is not None:
                    yield broken(
                        setting,
                        problem,
                        "Install the plugin into the worker's environment, or correct the name",
                        blocks=setting == "connector.class",
                    )
        for source in situation.plugins.broken:
            yield warning(
                source.distribution,
                f"its plugins ({source.name}) are not available: {source.error}",
                "penstock plugins doctor looks at all that is installed",
            )
        yield ok("classes", f"{count} classes were looked up and imported")

    def _problem(self, kind: PluginKind, name: str) -> str | None:
        try:
            self._situation.plugins.load(kind, name)
        except PluginError as error:
            return error.message
        return None


class ConnectorCheck:
    """Validates the connector's configuration as ``PUT /connector-plugins/NAME/config/validate`` does."""

    name = "connector"
    needs = ("plugins",)

    def __init__(self, situation: Situation) -> None:
        self._situation = situation

    def findings(self) -> Iterator[Finding]:
        situation, config = self._situation, self._situation.written
        if config is None:
            return
        try:
            infos = self._validator().validate(dict(config))
        except ConnectError as error:
            yield broken(situation.name, error.message, "Correct the connector's configuration")
            return
        errors = [(c["value"]["name"], text) for c in infos["configs"] if c["value"] for text in c["value"]["errors"]]
        for setting, text in errors:
            yield broken(setting, text)
        for sentence in unknown_settings(infos, config):
            yield warning(sentence.partition(" ")[0], sentence, "Correct the name, or take the setting out")
        if not errors:
            kind = "sink" if situation.is_sink else "source"
            yield ok(situation.name, f"the configuration of this {kind} is valid ({len(config)} settings)")

    def _validator(self) -> ConnectorValidator:
        situation = self._situation
        worker = situation.worker
        return ConnectorValidator(
            situation.plugins,
            situation.worker_converters,
            resolve=lambda config: with_registry_url(
                situation.plugins, dict(situation.resolve(config)), situation.registry_url
            ),
            policy=OverridePolicy.named(
                worker["connector.client.config.override.policy"], worker["connector.client.config.override.allowlist"]
            ),
            worker_group=worker["group.id"] if situation.distributed else None,
            exactly_once=not situation.distributed or situation.exactly_once,
        )

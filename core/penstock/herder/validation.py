"""Checking a connector's whole configuration (``AbstractHerder.validateConnectorConfig``).

Everything is asked: the common settings, what transforms and predicates take, the connector's own, converters the
connector brings, overrides of client settings. The answer is that of the validate endpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from penstock.api import ConnectorTransactionBoundaries, ExactlyOnceSupport, SinkConnector, SourceConnector
from penstock.config import Config, ConfigDef, ConfigValue, Password
from penstock.config.connector import (
    connector_defaults,
    error_adder,
    sink_connector_config_def,
    source_connector_config_def,
    validate_sink,
)
from penstock.config.enrich import enrich, enrich_topic_creation
from penstock.config.info import config_infos, merged
from penstock.errors import BadRequestError, ConnectError, PluginError
from penstock.herder.failures import restart_config_def
from penstock.herder.overrides import OverridePolicy
from penstock.plugins import PluginKind, Plugins
from penstock.plugins.lookup import Lookup

__all__ = ["ConnectorValidator", "checked"]

_Connector = SourceConnector | SinkConnector
Resolve = Callable[[Mapping[str, str]], Mapping[str, str]]
_ENDPOINT = (
    "You can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`"
)


def checked(infos: Mapping[str, Any], config: Mapping[str, str | None]) -> dict[str, str]:
    """`config` if the validation found nothing, else a `BadRequestError` that lists everything."""
    if infos["error_count"]:
        errors = [error for config_info in infos["configs"] for error in (config_info["value"] or {}).get("errors", ())]
        head = f"Connector configuration is invalid and contains the following {infos['error_count']} error(s):"
        raise BadRequestError("\n".join([head, *errors, _ENDPOINT]))
    return {key: value for key, value in config.items() if value is not None}


def _kind_of(setting: str) -> PluginKind | None:
    """Of the class that a setting of every connector names."""
    if setting in ("key.converter", "value.converter"):
        return PluginKind.CONVERTER
    if setting == "header.converter":
        return PluginKind.HEADER_CONVERTER
    kinds = {"transforms.": PluginKind.TRANSFORM, "predicates.": PluginKind.PREDICATE}
    return next((k for prefix, k in kinds.items() if setting.startswith(prefix) and setting.endswith(".type")), None)


#: Parts of names whose values are not for messages, where no definition says which are passwords.
_SECRET_WORDS: Final = ("password", "secret", "token", "credential", "jaas", "user.info", "private", ".key")


def _shown(key: str, value: str | None) -> str | None:
    return Password.HIDDEN if any(word in key.lower() for word in _SECRET_WORDS) else value


class ConnectorValidator:
    """Safe from any thread: every call makes the instances it needs.

    `worker_defaults` are the worker's own settings that a connector's fall back to; `resolve` puts config providers'
    values in.
    """

    def __init__(
        self,
        plugins: Plugins,
        worker_defaults: Mapping[str, Any],
        *,
        resolve: Resolve = dict,
        policy: OverridePolicy | None = None,
        exactly_once: bool = False,
        worker_group: str | None = None,
    ) -> None:
        self._plugins = plugins
        self._lookup = Lookup(plugins)
        self._defaults = worker_defaults
        self.resolve = resolve
        self._policy = policy or OverridePolicy.named("All")
        self._exactly_once = exactly_once
        self._worker_group = worker_group

    def check(self, config: Mapping[str, str | None]) -> dict[str, str]:
        """`config` if nothing is wrong with it, else a `BadRequestError` that lists everything; for classes that are not
        known it says more than the validate endpoint, whose words are Kafka's."""
        infos = self.validate(config)
        for value in filter(None, (config_info["value"] for config_info in infos["configs"])):
            kind, name = _kind_of(value["name"]), config.get(value["name"])
            if kind is not None and name:
                unknown, advice = f"Class {name} could not be found.", self._plugins.advice(kind, name)
                value["errors"] = [e + " " + advice if e.endswith(unknown) else e for e in value["errors"]]
        return checked(infos, config)

    def validate(self, config: Mapping[str, str | None]) -> dict[str, Any]:
        """Raises `BadRequestError` where there is no connector to ask, otherwise answers whatever is wrong."""
        nulls = [key for key, value in config.items() if value is None]
        given = {key: value for key, value in config.items() if value is not None}
        props = dict(self.resolve(given))
        connector_type = props.get("connector.class")
        if connector_type is None:
            shown = ", ".join(f"{key}={_shown(key, value)}" for key, value in config.items())
            raise BadRequestError(f"Connector config {{{shown}}} contains no connector type")
        connector = self._connector(connector_type)
        try:
            infos = self._validated(connector_type, connector, props, nulls)
        finally:
            connector.close()
        return _with_placeholders(infos, given, props)

    def _connector(self, connector_type: str) -> _Connector:
        try:
            connector: _Connector = self._plugins.new(PluginKind.CONNECTOR, connector_type)
        except PluginError as error:
            raise BadRequestError(
                f"Failed to find any class that implements Connector and which name matches {connector_type}: {error.message}"
            ) from error
        return connector

    def _validated(
        self, connector_type: str, connector: _Connector, props: dict[str, str], nulls: list[str]
    ) -> dict[str, Any]:
        source = isinstance(connector, SourceConnector)
        defaults = connector_defaults(props, self._defaults, self._lookup)
        base = (source_connector_config_def if source else sink_connector_config_def)(self._lookup, defaults)
        common = enrich(base, props, self._lookup)
        if source:
            common = enrich_topic_creation(common, props)
        values = {value.name: value for value in common.validate(props)}
        self._check_kind(connector, props, values)
        for key in nulls:
            value = values.setdefault(key, ConfigValue(key))
            value.add_error("Null value can not be supplied as the configuration value.")
        own, outcome = _own_validation(connector, props)
        keys = {key.name: key for key in (*common.keys, *own.keys)}
        for value in outcome.values:
            # A setting of the connector's with a common one's name speaks for both; no error is lost.
            known = values.get(value.name)
            value.errors[:0] = [e for e in known.errors if e not in value.errors] if known else []
            values[value.name] = value
        groups = list(dict.fromkeys([*common.groups, *own.groups]))
        parts = [
            config_infos(connector_type, keys.values(), values.values(), groups),
            _restart_infos(connector_type, props),
            *self._policy.infos(connector_type, source, props),
            *self._converters(connector_type, props, values),
        ]
        return merged(connector_type, [part for part in parts if part["configs"]])

    def _check_kind(self, connector: _Connector, props: Mapping[str, str], values: Mapping[str, ConfigValue]) -> None:
        if isinstance(connector, SinkConnector):
            validate_sink(props, error_adder(values))
            _check_group(props, values, self._worker_group)
        else:
            _check_exactly_once(connector, props, values, self._exactly_once)

    def _converters(
        self, connector_type: str, props: Mapping[str, str], values: Mapping[str, ConfigValue]
    ) -> list[dict[str, Any]]:
        """The settings of converters that the connector itself names; the worker's were checked at its start."""
        parts = []
        for key, kind in (
            ("header.converter", PluginKind.HEADER_CONVERTER),
            ("key.converter", PluginKind.CONVERTER),
            ("value.converter", PluginKind.CONVERTER),
        ):
            if key not in props or values[key].errors:
                continue
            loaded: Any = self._plugins.load(kind, props[key])
            definition: ConfigDef = loaded.config_def()
            prefix = f"{key}."
            own = {k.removeprefix(prefix): v for k, v in props.items() if k.startswith(prefix)}
            own.setdefault("converter.type", key.partition(".")[0])
            parts.append(_prefixed(connector_type, definition, definition.validate(own), prefix))
        return parts


def _restart_infos(connector_type: str, props: Mapping[str, str]) -> dict[str, Any]:
    """Of ``errors.restart.*``, where they are given: Connect does not know them."""
    given = [key for key in restart_config_def().keys if key.name in props]
    values = [value for value in restart_config_def().validate(props) if value.name in props]
    return config_infos(connector_type, given, values, ["Error Handling"] if given else [])


def _check_group(props: Mapping[str, str], values: Mapping[str, ConfigValue], worker_group: str | None) -> None:
    """``DistributedHerder.validateSinkConnectorGroupId``: a sink's consumers must not join the workers' own group."""
    key = "consumer.override.group.id"
    group = props.get(key)
    if worker_group is None:
        return
    if group == worker_group:
        values["name"].add_error(f"Consumer group {group} conflicts with Connect worker group {worker_group}")
    elif group is None and f"connect-{props.get('name')}" == worker_group:
        values["name"].add_error(
            f"Consumer group for sink connector named {props.get('name')} conflicts with Connect worker group {worker_group}"
        )


def _own_validation(connector: _Connector, props: Mapping[str, str]) -> tuple[ConfigDef, Config]:
    """What the connector says itself; a fault of its code is told as such."""
    name = type(connector).__qualname__
    try:
        return connector.config_def(), connector.validate(props)
    except ConnectError:
        raise
    except Exception as error:
        raise ConnectError(f"Connector {name} failed to validate: {type(error).__name__}: {error}") from error


def _prefixed(connector_type: str, definition: ConfigDef, values: list[ConfigValue], prefix: str) -> dict[str, Any]:
    infos = config_infos(connector_type, definition, values, definition.groups)
    for config in infos["configs"]:
        for part in (config["definition"], config["value"]):
            if part is not None:
                part["name"] = prefix + part["name"]
    return infos


def _check_exactly_once(
    connector: SourceConnector, props: Mapping[str, str], values: Mapping[str, ConfigValue], enabled: bool
) -> None:
    """``DistributedHerder.validateExactlyOnceConfigs`` and ``validateTransactionBoundaryConfigs``."""
    support, boundary = values["exactly.once.support"], values["transaction.boundary"]
    if str(support.value).upper() == "REQUIRED" and not support.errors:
        if not enabled:
            support.add_error("This worker does not have exactly-once source support enabled.")
        answer = connector.exactly_once_support(props)
        if answer is None:
            support.add_error(
                "The connector does not say whether it supports exactly-once delivery with this configuration. If its "
                "documentation says so, use the value requested, which leaves this check out."
            )
        elif answer is not ExactlyOnceSupport.SUPPORTED:
            support.add_error(
                "The connector does not support exactly-once delivery guarantees with the provided configuration."
            )
    if (
        str(boundary.value).upper() == "CONNECTOR"
        and not boundary.errors
        and connector.can_define_transaction_boundaries(props) is not ConnectorTransactionBoundaries.SUPPORTED
    ):
        boundary.add_error(
            "The connector does not support connector-defined transaction boundaries with the given configuration. "
            "Please reconfigure it to use a different transaction boundary definition."
        )


def _with_placeholders(infos: dict[str, Any], given: Mapping[str, str], resolved: Mapping[str, str]) -> dict[str, Any]:
    """The answer without anything a config provider looked up: the placeholder stands in its place."""
    looked_up = {key: (resolved[key], raw) for key, raw in given.items() if resolved.get(key, raw) != raw}
    if not looked_up:
        return infos
    for config in infos["configs"]:
        value = config["value"]
        if value is None:
            continue
        if value["name"] in looked_up and value["value"] is not None:
            value["value"] = looked_up[value["name"]][1]
        for secret, raw in looked_up.values():
            if secret:
                value["errors"] = [error.replace(secret, raw) for error in value["errors"]]
    return infos

"""Checking a connector's whole configuration (``AbstractHerder.validateConnectorConfig``).

Everything is asked: the common settings, what transforms and predicates take, the connector's own, converters the
connector brings, overrides of client settings. The answer is that of the validate endpoint.

Values from config providers are checked and never shown: the answer is built from the names that the user wrote, and a
setting that a provider changed has its own text and one fixed error in it (Kafka 4.4).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from penstock.api import ConnectorTransactionBoundaries, ExactlyOnceSupport, SinkConnector, SourceConnector
from penstock.config import Config, ConfigDef, ConfigValue
from penstock.config.connector import (
    connector_defaults,
    error_adder,
    sink_connector_config_def,
    source_connector_config_def,
    validate_sink,
)
from penstock.config.disclosure import LookedUpValues, failed_lookup
from penstock.config.enrich import aliases, enrich, enrich_topic_creation
from penstock.config.info import config_infos, merged
from penstock.config.lookup import Kind
from penstock.config.versions import version_problem
from penstock.errors import BadRequestError, ConnectError, PluginError
from penstock.herder.failures import restart_config_def
from penstock.herder.overrides import OverridePolicy
from penstock.herder.unknown_settings import log_unknown_settings
from penstock.java.hash_order import keys_in_java_order
from penstock.logs import log_failure
from penstock.plugins import PluginKind, Plugins
from penstock.plugins.lookup import Lookup

__all__ = ["ConnectorValidator", "checked"]

_log: Final = logging.getLogger(__name__)
_TRACE: Final = 5
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
    """Return the kind of class that `setting`, one of every connector's, names; None if it names no class."""
    if setting in ("key.converter", "value.converter"):
        return PluginKind.CONVERTER
    if setting == "header.converter":
        return PluginKind.HEADER_CONVERTER
    kinds = {"transforms.": PluginKind.TRANSFORM, "predicates.": PluginKind.PREDICATE}
    return next((k for prefix, k in kinds.items() if setting.startswith(prefix) and setting.endswith(".type")), None)


#: Settings of every connector that name a class whose version may be asked for.
_VERSIONED: Final[Mapping[str, Kind]] = {
    "connector.class": "connector",
    "key.converter": "converter",
    "value.converter": "converter",
    "header.converter": "header_converter",
}
#: Lists of names under which further settings stand → the prefix of those settings.
_ALIAS_LISTS: Final = {
    "transforms": "transforms.",
    "predicates": "predicates.",
    "topic.creation.groups": "topic.creation.",
}


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
            if kind is not None and name and value["errors"]:
                unknown, advice = f"Class {name} could not be found.", self._plugins.advice(kind, name)
                value["errors"] = [e + " " + advice if e.endswith(unknown) else e for e in value["errors"]]
        valid = checked(infos, config)
        log_unknown_settings(config.get("name"), infos, config)
        return valid

    def validate(self, config: Mapping[str, str | None]) -> dict[str, Any]:
        """Raises `BadRequestError` where there is no connector to ask, otherwise answers whatever is wrong."""
        # A connector's own config providers are the connector's business (Kafka 4.4).
        own = {k: v for k, v in config.items() if k != "config.providers" and not k.startswith("config.providers.")}
        nulls = [key for key, value in own.items() if value is None]
        given = {key: value for key, value in own.items() if value is not None}
        connector_type = given.get("connector.class")
        if connector_type is None:
            raise BadRequestError("Connector config contains no connector type")
        props = dict(self.resolve(given))
        looked_up = LookedUpValues(given, props)
        with looked_up.guard():
            connector = self._connector(props["connector.class"], looked_up)
            try:
                infos = self._validated(connector_type, connector, props, nulls, _visible(given, props, looked_up))
            finally:
                connector.close()
        return _disclosed(infos, given, looked_up)

    def _connector(self, connector_class: str, looked_up: LookedUpValues) -> _Connector:
        try:
            connector: _Connector = self._plugins.new(PluginKind.CONNECTOR, connector_class)
        except PluginError as error:
            if "connector.class" in looked_up:
                raise BadRequestError(failed_lookup("connector.class")) from None
            raise BadRequestError(
                f"Failed to find any class that implements Connector and which name matches {connector_class}: {error.message}"
            ) from error
        return connector

    def _validated(
        self,
        connector_type: str,
        connector: _Connector,
        props: dict[str, str],
        nulls: list[str],
        visible: Mapping[str, str],
    ) -> dict[str, Any]:
        """Ask everybody. `visible` is what definitions may be built from: their names and defaults are shown."""
        source = isinstance(connector, SourceConnector)
        defaults = connector_defaults(props, self._defaults, self._lookup)
        base = (source_connector_config_def if source else sink_connector_config_def)(self._lookup, defaults)
        common = enrich(base, visible, self._lookup)
        if source:
            common = enrich_topic_creation(common, visible)
        values = {value.name: value for value in common.validate(props)}
        for setting in _ALIAS_LISTS:
            if setting in values and visible.get(setting) != props.get(setting):
                values[setting].add_error(failed_lookup(setting))
        self._check_kind(connector, props, values)
        self._check_versions(props, defaults, values)
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

    def _check_versions(
        self, props: Mapping[str, str], defaults: Mapping[str, str | None], values: Mapping[str, ConfigValue]
    ) -> None:
        """Put a version that is not installed on the class and on its version, where the connector names both."""
        for setting, kind in _VERSIONED.items():
            version = values[f"{setting.removesuffix('.class')}.plugin.version"]
            if setting not in props or values[setting].errors or version.name not in props:
                continue
            name = self._lookup.class_name(kind, props[setting]) or props[setting]
            problem = version_problem(name, props[version.name], defaults[version.name])
            if problem is not None:
                version.errors[:] = [problem]
                values[setting].errors.append(problem)

    def _check_kind(self, connector: _Connector, props: Mapping[str, str], values: dict[str, ConfigValue]) -> None:
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
    """Return the infos of ``errors.restart.*`` where they are given: Connect does not know them."""
    given = [key for key in restart_config_def().keys if key.name in props]
    values = [value for value in restart_config_def().validate(props) if value.name in props]
    return config_infos(connector_type, given, values, ["Error Handling"] if given else [])


def _check_group(props: Mapping[str, str], values: dict[str, ConfigValue], worker_group: str | None) -> None:
    """``DistributedHerder.validateSinkConnectorGroupId``: a sink's consumers must not join the workers' own group."""
    key = "consumer.override.group.id"
    group = props.get(key)
    if worker_group is None:
        return
    if group is not None:
        values[key] = ConfigValue(key, group)  # listed here without a definition, and once more among the overrides
        if group == worker_group:
            values[key].add_error(f"Consumer group {group} conflicts with Connect worker group {worker_group}")
    elif f"connect-{props.get('name')}" == worker_group:
        values["name"].add_error(
            f"Consumer group for sink connector named {props.get('name')} conflicts with Connect worker group {worker_group}"
        )


def _own_validation(connector: _Connector, props: Mapping[str, str]) -> tuple[ConfigDef, Config]:
    """Return the connector's own definitions and verdict; a fault of its code is told as such."""
    name = type(connector).__qualname__
    try:
        return connector.config_def(), connector.validate(props)
    except ConnectError:
        raise
    except Exception as error:
        raise ConnectError(f"Connector {name} failed to validate: {type(error).__name__}: {error}") from error


def _prefixed(connector_type: str, definition: ConfigDef, values: list[ConfigValue], prefix: str) -> dict[str, Any]:
    # Kafka collects these groups in a HashSet.
    groups = keys_in_java_order(tuple(definition.groups))
    infos = config_infos(connector_type, definition, values, list(groups))
    for config in infos["configs"]:
        for part in (config["definition"], config["value"]):
            if part is not None:
                part["name"] = prefix + part["name"]
    return infos


#: Kafka's sentences, which tools match.
_NOT_SAID: Final = (
    "The connector does not implement the API required for preflight validation of exactly-once source support. Please "
    "consult the documentation for the connector to determine whether it supports exactly-once semantics, and then consider "
    'reconfiguring the connector to use the value "requested" for this property (which will disable this preflight check '
    "and allow the connector to be created)."
)
_NOT_SUPPORTED: Final = "The connector does not support exactly-once semantics with the provided configuration."
_NO_ANSWER: Final = (
    "This connector has returned a null value from its canDefineTransactionBoundaries method, which is not permitted. The "
    "connector will be treated as if it cannot define its own transaction boundaries, and cannot be configured with "
    "'transaction.boundary' set to 'connector'."
)
_NO_BOUNDARIES: Final = (
    "The connector does not support connector-defined transaction boundaries with the given configuration. Please "
    "reconfigure it to use a different transaction boundary definition."
)


def _check_exactly_once(
    connector: SourceConnector, props: Mapping[str, str], values: Mapping[str, ConfigValue], enabled: bool
) -> None:
    """``DistributedHerder.validateSourceConnectorExactlyOnceSupport`` and ``validateSourceConnectorTransactionBoundary``."""
    support, boundary = values["exactly.once.support"], values["transaction.boundary"]
    if str(support.value).upper() == "REQUIRED" and not support.errors:
        if not enabled:
            support.add_error("This worker does not have exactly-once source support enabled.")
        with _its_own_fault(support):
            answer = connector.exactly_once_support(props)
            if answer is not ExactlyOnceSupport.SUPPORTED:
                support.add_error(_NOT_SAID if answer is None else _NOT_SUPPORTED)
    if str(boundary.value).upper() == "CONNECTOR" and not boundary.errors:
        with _its_own_fault(boundary):
            boundaries: ConnectorTransactionBoundaries | None = connector.can_define_transaction_boundaries(props)
            if boundaries is not ConnectorTransactionBoundaries.SUPPORTED:
                boundary.add_error(_NO_ANSWER if boundaries is None else _NO_BOUNDARIES)


@contextmanager
def _its_own_fault(value: ConfigValue) -> Iterator[None]:
    """Put what the connector's own check raises down to the setting that is checked."""
    try:
        yield
    except Exception as error:
        log_failure(_log, error, "A connector's check of %s failed: %s", value.name, error)
        reason = str(error).strip()
        text = "An unexpected error occurred during validation"
        value.add_error(f"{text}: {reason}" if reason else f"{text}; please see the worker logs for more details.")


def _visible(given: Mapping[str, str], props: Mapping[str, str], looked_up: LookedUpValues) -> dict[str, str]:
    """Return `props` with of the looked-up lists of aliases only what the user's own keys name, and without looked-up
    defaults of topic creation: an alias is shown as a group and in names, a default as such."""
    visible = dict(props)
    for setting, prefix in _ALIAS_LISTS.items():
        if setting in looked_up:
            named = [a for a in aliases(props, setting) if any(key.startswith(f"{prefix}{a}.") for key in given)]
            if len(named) < len(aliases(props, setting)):
                visible[setting] = ",".join(named)
    for key in ("topic.creation.default.partitions", "topic.creation.default.replication.factor"):
        if key in looked_up:
            visible[key] = "-1"
    return visible


def _disclosed(infos: dict[str, Any], given: Mapping[str, str], looked_up: LookedUpValues) -> dict[str, Any]:
    """The answer without anything that a config provider looked up (``ConfigInfos`` of Kafka 4.4)."""
    if not looked_up:
        return infos
    for config in infos["configs"]:
        value = config["value"]
        if value is None:
            continue
        name = value["name"]
        if name in looked_up:
            if value["errors"]:
                _log.log(_TRACE, "Setting %s, resolved from %s, is not valid", name, looked_up.text_of(name))
                value["errors"] = [failed_lookup(name)]
            value["value"], value["recommended_values"] = looked_up.text_of(name), []
        else:
            value["errors"] = [looked_up.shown(error) for error in value["errors"]]
            if value["value"] is not None and name not in given:
                value["value"] = looked_up.shown(value["value"])
            value["recommended_values"] = [
                item if item is None else looked_up.shown(item) for item in value["recommended_values"]
            ]
    infos["groups"] = list(dict.fromkeys(looked_up.shown(group) for group in infos["groups"]))
    infos["error_count"] = sum(len(config["value"]["errors"]) for config in infos["configs"] if config["value"])
    return infos

"""`WorkerConfig`: a worker's settings, parsed and checked against the one table in `penstock.config.table`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, cast, get_args

from penstock.config.definition import NO_DEFAULT, Password, parse_type
from penstock.config.disclosure import LookedUpValues
from penstock.config.stores import look_for_java_stores
from penstock.config.table import PREFIXES, ROWS, SECTIONS, Mode, Row, Treatment
from penstock.errors import ConfigError

__all__ = ["WorkerConfig", "client_settings"]

#: The settings of internal topics that the worker decides itself, whatever the file says (``DistributedConfig.topicSettings``).
_TOPIC_SETTINGS_IGNORED: Final = {
    "config.storage.partitions": "the topic of configurations always has one partition",
    "config.storage.cleanup.policy": "internal topics are always compacted",
    "offset.storage.cleanup.policy": "internal topics are always compacted",
    "status.storage.cleanup.policy": "internal topics are always compacted",
}
#: The settings of the connection to Kafka; ``ssl.client.auth`` is for servers.
_CLIENT_NAMES: Final = {r.name for section in ("Connection to Kafka", "Security") for r in SECTIONS[section]} - {
    "ssl.client.auth"
}
_STORAGE_PREFIXES: Final = ("config.storage.", "offset.storage.", "status.storage.")


class WorkerConfig:
    """A worker's settings. Immutable, safe from any thread.

    `raw` holds what was given, `values` every known setting parsed, with defaults; ``config["group.id"]`` is short
    for the latter. Settings under a prefix are taken with `with_prefix`. `written` is what the user wrote for those that a
    config provider changed, and `looked_up` keeps their values out of texts.
    """

    def __init__(
        self,
        raw: Mapping[str, str],
        values: Mapping[str, Any],
        mode: Mode,
        warnings: list[str],
        written: Mapping[str, str] | None = None,
    ) -> None:
        self.raw: Mapping[str, str] = MappingProxyType(dict(raw))
        self.values: Mapping[str, Any] = MappingProxyType(dict(values))
        self.mode: Mode = mode
        #: One line each, to be logged once: settings without effect, and unknown ones.
        self.warnings: tuple[str, ...] = tuple(warnings)
        self.written = {k: v for k, v in (written or {}).items() if raw.get(k, v) != v}
        self.looked_up = LookedUpValues({**raw, **self.written}, raw)

    @classmethod
    def parse(cls, props: Mapping[str, str], mode: str, written: Mapping[str, str] | None = None) -> WorkerConfig:
        """Check `props` (providers resolved) for ``standalone`` or ``distributed``; `written` is the same unresolved.

        Raises `ConfigError` naming everything that is wrong: each with key, value and what was expected. A value that a
        provider looked up is not shown.
        """
        if mode not in get_args(Mode):
            raise ConfigError(f"Unknown mode {mode!r}: expected standalone or distributed")
        looked_up = LookedUpValues(props if written is None else written, props)
        values: dict[str, Any] = {}
        errors: list[str] = []
        warnings: list[str] = []
        for row in ROWS.values():
            applies = row.mode in (None, mode)
            try:
                values[row.name] = _value(row, props, applies)
                if row.name in props:
                    warnings += _effect_warnings(row, values[row.name], applies, mode)
            except ConfigError as error:
                errors.append(looked_up.message(error))
        stores = look_for_java_stores(props)
        errors += stores.problems
        errors += _broken_rules(values, mode)
        if errors:
            raise ConfigError("\n".join(map(looked_up.shown, errors)))
        warnings += [w for key in props if key not in ROWS for w in _unknown_key_warnings(key)]
        warnings += [*stores.warnings, *_idle_warning(values, mode)]
        return cls(props, values, cast("Mode", mode), [looked_up.shown(w) for w in warnings], written)

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    def with_prefix(self, prefix: str) -> dict[str, str]:
        """Return the settings under `prefix` (``producer.``), with the prefix taken off."""
        return {k.removeprefix(prefix): v for k, v in self.raw.items() if k.startswith(prefix) and k != prefix}

    def topic_settings(self, prefix: str) -> dict[str, str]:
        """Return the topic settings for the internal topic of `prefix` (``config.storage.``), for when it is made (KIP-605)."""
        own = {"topic", "partitions", "replication.factor", "file.filename", "cleanup.policy"}
        return {k: v for k, v in self.with_prefix(prefix).items() if k not in own}

    def client_settings(self) -> dict[str, str]:
        """Return the worker's own connection settings as given, in Java's names: for `KafkaClients(common)`."""
        return client_settings(self.raw)

    def __repr__(self) -> str:
        return f"WorkerConfig({self.mode}, {len(self.raw)} settings)"  # no values: some are secrets


def client_settings(props: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of a worker's own connection to Kafka out of its properties, in Java's names."""
    return {key: value for key, value in props.items() if key in _CLIENT_NAMES}


def _value(row: Row, props: Mapping[str, str], applies: bool) -> Any:
    if row.name in props:
        value = parse_type(row.name, props[row.name], row.type)
    elif row.default is NO_DEFAULT:
        if applies:
            raise ConfigError(f'Missing required configuration "{row.name}" which has no default value.')
        return None
    else:
        return parse_type(row.name, row.default, row.type)
    if row.validator is not None:
        row.validator.ensure_valid(row.name, value)
    return row.normalize(value) if row.normalize is not None and value is not None else value


def _effect_warnings(row: Row, value: Any, applies: bool, mode: str) -> list[str]:
    """Return the warnings about a setting that was given. Raises `ConfigError` if it is refused."""
    if row.treatment is Treatment.REFUSED and value not in (
        parse_type(row.name, row.default, row.type),
        "",
        Password(""),
    ):
        shown = Password.HIDDEN if isinstance(value, Password) else value
        raise ConfigError(row.name, shown, f"not supported here. {row.doc}")
    if not applies:
        return [f"{row.name} has no effect in {mode} mode"]
    if row.treatment is Treatment.NO_EFFECT:
        return [f"{row.name} has no effect here: {row.doc}"]
    return []


def _unknown_key_warnings(key: str) -> list[str]:
    """Return the warning about a key that is in no row; none for one under a known prefix."""
    if why := _TOPIC_SETTINGS_IGNORED.get(key):
        return [f"{key} has no effect: {why}"]
    if any(key.startswith(prefix.name) for prefix in PREFIXES):
        return []
    near = difflib.get_close_matches(key, ROWS, n=1, cutoff=0.75)
    return [f"{key} is not a known setting and has no effect" + (f"; did you mean {near[0]}?" if near else "")]


def _idle_warning(values: Mapping[str, Any], mode: str) -> list[str]:
    """Return the warning about connections that may be closed as idle during a rebalance (``DistributedConfig`` of 4.4)."""
    idle, rebalance = values.get("connections.max.idle.ms"), values.get("rebalance.timeout.ms")
    if mode != "distributed" or idle is None or rebalance is None or not 0 <= idle < rebalance:
        return []
    return [
        f"Configuration 'connections.max.idle.ms' with value '{idle}' is lower than configuration "
        f"'rebalance.timeout.ms' with value '{rebalance}'. This may cause the connection to the group coordinator to be "
        "closed during an ongoing rebalance, which can prolong or disrupt group rejoin."
    ]


def _broken_rules(values: Mapping[str, Any], mode: str) -> list[str]:
    """Return what breaks a rule between settings (``DistributedConfig.validateInterWorkerKeyConfigs`` and its constructor)."""
    if mode != "distributed":
        return []
    errors = []
    algorithm, verified = (
        values.get("inter.worker.signature.algorithm"),
        values.get("inter.worker.verification.algorithms"),
    )
    if algorithm and verified and algorithm not in verified:
        errors.append(
            ConfigError(
                "inter.worker.signature.algorithm", algorithm, "must be one of inter.worker.verification.algorithms"
            ).message
        )
    heartbeat, session = values.get("heartbeat.interval.ms"), values.get("session.timeout.ms")
    if heartbeat is not None and session is not None and heartbeat >= session:
        errors.append(
            ConfigError("heartbeat.interval.ms", heartbeat, f"must be less than session.timeout.ms ({session})").message
        )
    topics = [values.get(f"{prefix}topic") for prefix in _STORAGE_PREFIXES]
    if None not in topics and len(set(topics)) < len(topics):
        errors.append(
            f"config.storage.topic, offset.storage.topic and status.storage.topic must be three topics, but are {topics}"
        )
    return errors

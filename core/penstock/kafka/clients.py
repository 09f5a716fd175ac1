"""Makes Kafka clients from settings in Java's names."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from penstock.config import Password
from penstock.errors import ConfigError
from penstock.kafka.errors import CLIENT_ERRORS, reason_of
from penstock.kafka.library import unknown_setting
from penstock.kafka.repeats import RepeatFilter
from penstock.kafka.settings import ClientKind, has_no_effect, refuse_code, translate

__all__ = ["ClientKind", "KafkaClients", "client_settings"]

_Client = TypeVar("_Client", Producer, Consumer, AdminClient)
_log: Final = logging.getLogger(__name__)

#: Java's pauses before a lost broker is tried again; librdkafka's go up to ten seconds.
_RECONNECT: Final = {"reconnect.backoff.ms": "50", "reconnect.backoff.max.ms": "1000"}
#: Connect's settings for the producers of tasks (``Worker.baseProducerConfigs``), in Java's names.
_PRODUCER_DEFAULTS: Final = {
    "acks": "all",
    "enable.idempotence": "false",
    "max.in.flight.requests.per.connection": "1",
    "delivery.timeout.ms": str(2**31 - 1),
    "batch.size": "16384",
    **_RECONNECT,
}
_CONSUMER_DEFAULTS: Final = {
    "auto.offset.reset": "earliest",
    "isolation.level": "read_uncommitted",
    "partition.assignment.strategy": "range,roundrobin",
    "enable.auto.commit": "false",
    # librdkafka's own names: it stops fetching at so many messages or kilobytes and looks again only after this pause, of a
    # second by default, in which a task has long emptied the queue. Looking that often, it need not read far ahead
    # (decision 13).
    "fetch.queue.backoff.ms": "10",
    "queued.min.messages": "50000",
    "queued.max.messages.kbytes": "16384",
    **_RECONNECT,
}
#: The settings that no user may change, in librdkafka's names: the loops rely on them.
_FIXED: Final[dict[ClientKind, dict[str, Any]]] = {
    # Java's murmur2 partition for a key; librdkafka's own default would put keys elsewhere.
    ClientKind.PRODUCER: {"partitioner": "murmur2_random"},
    ClientKind.CONSUMER: {"enable.auto.offset.store": False, "enable.partition.eof": False},
    ClientKind.ADMIN: {},
}
#: librdkafka complains about a setting under the first of its names.
_USERS_NAMES: Final = {
    "request.required.acks": "acks",
    "compression.codec": "compression.type",
    "metadata.broker.list": "bootstrap.servers",
    "max.in.flight": "max.in.flight.requests.per.connection",
    "message.send.max.retries": "retries",
    "queue.buffering.max.ms": "linger.ms",
}
_client_log: Final = logging.getLogger("penstock.kafka.librdkafka")
_client_log.addFilter(RepeatFilter())
_warned: set[tuple[str, str]] = set()
_warned_lock = threading.Lock()


def client_settings(kind: ClientKind, props: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """librdkafka settings for `props` in Java's names; `owner` is named in warnings and errors.

    Raises `ConfigError` for what is refused. librdkafka's own names pass through, so that a user may tune it.
    """
    settings: dict[str, Any] = {}
    flags: dict[str, bool] = {}
    for name, raw in props.items():
        if isinstance(raw, bool):  # one of librdkafka's own flags, from the loops: a user's values are text
            flags[name] = raw
            continue
        value = raw.value if isinstance(raw, Password) else str(raw)
        if has_no_effect(name):
            _warn_once(kind.value, name, f"{owner}: {kind.value} setting {name} has no effect here")
        settings.update(translate(name, value))
    _choose_level(settings)
    _order_backoffs(settings)
    if "transactional.id" in settings:
        settings.pop("message.timeout.ms", None)  # librdkafka refuses a timeout beyond the transaction's
    if settings.get("enable.idempotence") == "true" and settings.get("acks") not in (None, "all", "-1"):
        raise ConfigError("acks", settings["acks"], "must be all when enable.idempotence is true")
    return settings | _FIXED[kind] | flags


def _choose_level(settings: dict[str, Any]) -> None:
    """Java has a level a codec, librdkafka one for the codec in use."""
    levels = {codec: settings.pop(f"compression.{codec}.level", None) for codec in ("gzip", "lz4", "zstd")}
    level = levels.get(settings.get("compression.type", ""))
    if level is not None:
        settings["compression.level"] = min(max(level, -1), 12)


def _order_backoffs(settings: dict[str, Any]) -> None:
    """A first pause above the longest is the longest (``CommonClientConfigs``); librdkafka refuses it."""
    for kind, longest in (("reconnect", 10_000), ("retry", 1_000)):
        first = settings.get(f"{kind}.backoff.ms")
        if first is not None and int(settings.get(f"{kind}.backoff.max.ms", longest)) < int(first):
            settings[f"{kind}.backoff.max.ms"] = first


def _warn_once(kind: str, name: str, message: str) -> None:
    with _warned_lock:
        if (kind, name) in _warned:
            return
        _warned.add((kind, name))
    _log.warning(message)


class KafkaClients:
    """Factory of clients for one Kafka cluster. Safe from any thread.

    `common` holds the worker's own connection settings; ``producer``, ``consumer`` and ``admin`` what the worker says
    under those prefixes. What a connector overrides is handed to each call and wins. As in the JVM worker
    (``Worker.baseProducerConfigs``, ``adminConfigs``), of `common` producers and consumers of tasks take the bootstrap
    servers only; their security stands under ``producer.`` and ``consumer.``.
    """

    def __init__(
        self,
        common: Mapping[str, Any],
        producer: Mapping[str, Any] | None = None,
        consumer: Mapping[str, Any] | None = None,
        admin: Mapping[str, Any] | None = None,
        *,
        embedded: bool = False,
    ) -> None:
        #: Whether the cluster is `penstock.kafka.embedded`'s, which answers no admin calls.
        self.embedded = embedded
        self._common = dict(common)
        servers = {"bootstrap.servers": self._common.get("bootstrap.servers", "")}
        self._by_kind = {
            ClientKind.PRODUCER: {**servers, **_PRODUCER_DEFAULTS, **(producer or {})},
            ClientKind.CONSUMER: {**servers, **_CONSUMER_DEFAULTS, **(consumer or {})},
            ClientKind.ADMIN: {**_RECONNECT, **self._common, **(admin or {})},
        }

    @property
    def bootstrap_servers(self) -> str:
        return str(self._common.get("bootstrap.servers", ""))

    def settings(self, kind: ClientKind, overrides: Mapping[str, Any], owner: str) -> dict[str, Any]:
        """Return all settings, the later laid over the earlier, in librdkafka's names."""
        try:
            refuse_code(overrides)
            return client_settings(kind, {**self._by_kind[kind], **overrides}, owner)
        except ConfigError as error:
            raise ConfigError(f"{owner}: {kind.value} setting: {error.message}") from error

    def java_settings(self, kind: ClientKind, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings before translation, for those that the loops themselves use (``max.poll.records``)."""
        return {**self._by_kind[kind], **overrides}

    def producer(self, overrides: Mapping[str, Any], owner: str, **callbacks: Callable[..., Any]) -> Producer:
        settings = self.settings(ClientKind.PRODUCER, overrides, owner)
        return _make(ClientKind.PRODUCER, Producer, settings, owner, callbacks)

    def consumer(self, overrides: Mapping[str, Any], owner: str, **callbacks: Callable[..., Any]) -> Consumer:
        settings = self.settings(ClientKind.CONSUMER, overrides, owner)
        return _make(ClientKind.CONSUMER, Consumer, settings, owner, callbacks)

    def admin(self, overrides: Mapping[str, Any], owner: str, **callbacks: Callable[..., Any]) -> AdminClient:
        settings = self.settings(ClientKind.ADMIN, overrides, owner)
        return _make(ClientKind.ADMIN, AdminClient, settings, owner, callbacks)


def _make(
    kind: ClientKind,
    client: type[_Client],
    settings: dict[str, Any],
    owner: str,
    callbacks: Mapping[str, Callable[..., Any]],
) -> _Client:
    """librdkafka's complaint about a setting becomes a `ConfigError` with the setting's name; values stay out of it.
    A setting that nobody knows is left out with a warning, as in Java."""
    try:
        return client(dict[str, Any](settings, **callbacks), logger=_client_log)
    except CLIENT_ERRORS as error:
        unknown = unknown_setting(kind, error)
        if unknown in settings:
            message = f"{owner}: {kind.value} setting {unknown} is not a known setting and has no effect"
            _warn_once(kind.value, unknown, message)
            return _make(kind, client, {k: v for k, v in settings.items() if k != unknown}, owner, callbacks)
        text = reason_of(error)
        for theirs, users in _USERS_NAMES.items():
            text = text.replace(f'"{theirs}"', f'"{users}"')
        raise ConfigError(f"{owner}: the Kafka client refuses a setting: {text}") from error

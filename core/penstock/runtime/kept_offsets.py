"""A connector's offsets, as requests read and change them (KIP-875): in a store for sources, in Kafka's groups for sinks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from penstock.api import TopicPartition
from penstock.config.disclosure import LookedUpValues
from penstock.errors import BadRequestError, ConfigError, ConnectError
from penstock.kafka import KafkaClients
from penstock.kafka.admin import alter_group_offsets, delete_group, group_offsets
from penstock.kafka.transactions import TransactionalWriter
from penstock.runtime.assembly import strip_prefix
from penstock.runtime.source.exactly_once_worker import ExactlyOnceWorker
from penstock.runtime.source.offset_stores import ConnectorOffsets, SourceOffsetStores

__all__ = ["KeptOffsets"]

_WRITE_S: Final = 60.0


class KeptOffsets:
    """Implements `penstock.herder.boundary.ConnectorOffsets`. Safe from any thread."""

    def __init__(
        self,
        clients: KafkaClients,
        sources: SourceOffsetStores,
        exactly_once: ExactlyOnceWorker | None,
        resolve: Callable[[Mapping[str, str]], Mapping[str, str]],
        looked_up: Callable[[Mapping[str, str], Mapping[str, str]], LookedUpValues],
    ) -> None:
        """`resolve` puts the values of config providers into a configuration; `looked_up` says which these are."""
        self._clients, self._sources, self._exactly_once = clients, sources, exactly_once
        self._resolve, self._looked_up = resolve, looked_up

    # ---- sources

    def check(self, name: str, config: Mapping[str, str]) -> None:
        """Raise what keeps the offsets of a source connector from being read, as a topic of its own that is missing."""
        with self._source(name, config):
            return

    def source_offsets(
        self, name: str, config: Mapping[str, str]
    ) -> Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        with self._source(name, config) as offsets:
            return offsets.store.all(name)

    def write_source_offsets(
        self,
        name: str,
        config: Mapping[str, str],
        offsets: Sequence[tuple[Mapping[str, Any], Mapping[str, Any] | None]],
    ) -> None:
        with self._source(name, config) as kept:
            if self._exactly_once is None:
                kept.store.write(name, offsets)
                return
            # All of them or none, by an id that stands for the connector (``Worker.modifySourceConnectorOffsets``).
            kept.store.read(name, [])
            writer = self._writer(name, config, kept.topic)
            try:
                writer.claim(_WRITE_S)
                writer.write(kept.records(name, offsets), _WRITE_S)
            finally:
                writer.close()
            kept.committed(name, offsets)

    def _writer(self, name: str, config: Mapping[str, str], topic: str) -> TransactionalWriter:
        assert self._exactly_once is not None
        settings = strip_prefix(self._resolve(config), "producer.override.")
        transactional_id = f"{self._exactly_once.prefix}-{name}"
        return TransactionalWriter(self._clients, topic, transactional_id, settings, f"connector {name}")

    @contextmanager
    def _source(self, name: str, config: Mapping[str, str]) -> Iterator[ConnectorOffsets]:
        offsets = self._sources.open(name, self._resolve(config), exactly_once=self._exactly_once is not None)
        try:
            try:
                offsets.start()
            except ConfigError as error:  # the cluster's state, and not the request, is what is wrong
                raise ConnectError(error.message) from error
            yield offsets
        finally:
            offsets.stop()

    # ---- sinks

    def _group(self, name: str, config: Mapping[str, str]) -> tuple[Any, str]:
        resolved = self._resolve(config)
        with self._looked_up(config, resolved).guard():
            admin = self._clients.admin(strip_prefix(resolved, "admin.override."), f"connector {name}")
        return admin, resolved.get("consumer.override.group.id") or f"connect-{name}"

    def sink_offsets(self, name: str, config: Mapping[str, str]) -> Mapping[TopicPartition, int]:
        _, group = self._group(name, config)
        return {TopicPartition(*p): offset for p, offset in self._committed(name, config, group).items()}

    def _committed(self, name: str, config: Mapping[str, str], group: str) -> dict[tuple[str, int], int]:
        resolved = self._resolve(config)
        overrides = strip_prefix(resolved, "consumer.override.")
        with self._looked_up(config, resolved).guard():
            return group_offsets(
                lambda group_id: self._clients.consumer({**overrides, "group.id": group_id}, f"connector {name}"), group
            )

    def write_sink_offsets(
        self, name: str, config: Mapping[str, str], offsets: Mapping[TopicPartition, int | None]
    ) -> None:
        self._check_admin()
        admin, group = self._group(name, config)
        kept = {(p.topic, p.partition): o for p, o in offsets.items() if o is not None}
        dropped = [p for p, o in offsets.items() if o is None]
        if dropped:
            # librdkafka has no call for single partitions: the group goes, and the offsets that stay are set again.
            remaining = {
                p: o for p, o in self._committed(name, config, group).items() if p not in set(map(tuple, dropped))
            }
            delete_group(admin, [group])
            kept = {**remaining, **kept}
        if kept:
            alter_group_offsets(admin, group, kept)

    def reset_sink_offsets(self, name: str, config: Mapping[str, str]) -> None:
        self._check_admin()
        admin, group = self._group(name, config)
        delete_group(admin, [group])

    def _check_admin(self) -> None:
        if self._clients.embedded:
            raise BadRequestError(
                "The offsets of a sink cannot be changed here: the embedded broker of penstock dev has no admin calls. "
                "Give the sink another name, which begins anew, or name a real cluster with --bootstrap-servers"
            )

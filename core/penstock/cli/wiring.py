"""Puts the rooms together: plugins, clients, stores, worker, herder, REST, embedded registry."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from penstock.api import HasMeasurements, Service
from penstock.cli.services import config_transformer, log_registry, resolved_properties, start_registry
from penstock.cli.summary import worker_summary
from penstock.config.transformer import ConfigTransformer
from penstock.config.worker import WorkerConfig
from penstock.herder.interface import Herder
from penstock.herder.overrides import OverridePolicy
from penstock.herder.recorder import Recorder
from penstock.herder.standalone import StandaloneHerder, compose_standalone
from penstock.herder.validation import ConnectorValidator
from penstock.kafka import KafkaClients
from penstock.kafka.topic_log import TopicSpec, internal_clients
from penstock.logs import log_summary
from penstock.measurements import Measurement
from penstock.plugins import Plugins
from penstock.rest.server import RestServer
from penstock.runtime.admission import UnreadLimit
from penstock.runtime.source.exactly_once_worker import ExactlyOnceWorker
from penstock.runtime.source.fencer import TaskFencer
from penstock.runtime.worker import Worker
from penstock.storage import OffsetStore
from penstock.telemetry.service import Telemetry, telemetry_of

if TYPE_CHECKING:
    from penstock.herder.distributed.herder import DistributedHerder

__all__ = ["DistributedProcess", "StandaloneProcess", "config_transformer", "resolved_properties", "start_registry"]

_log: Final = logging.getLogger(__name__)
#: The embedded registry's defaults that differ from the standalone one's.
_EMBEDDED_LISTENERS: Final = "http://127.0.0.1:8081"
_LOCAL_NAME: Final = "default"


def embedded_registry(config: WorkerConfig) -> dict[str, str]:
    """Return the settings of a worker's own registry.

    Where they name no store it is the worker's Kafka cluster: the ids stand in its topics, and must mean the same for as
    long as these are kept.
    """
    own = config.with_prefix("registry.")
    settings = {"listeners": _EMBEDDED_LISTENERS, **own, "registry.name": _LOCAL_NAME}
    if "store" not in own and "kafkastore.bootstrap.servers" not in own:
        settings |= {
            f"kafkastore.{name}": value
            for name, value in config.client_settings().items()
            if name == "bootstrap.servers" or name.startswith(("security.", "ssl.", "sasl."))
        }
    return settings


class _Process:
    """A worker with its REST API and, if the configuration asks for it, a schema registry.

    Ports are taken when it is made, so that a second process on the same ports fails before it does anything.
    """

    herder: Herder

    def __init__(self, config: WorkerConfig, plugins: Plugins, registry_url: str | None = None) -> None:
        """`registry_url` is for converters that name no registry, where none is embedded."""
        for warning in config.warnings:
            _log.warning("%s", warning)
        self._config = config
        self._plugins = plugins
        self._registry_url = f"local://{_LOCAL_NAME}" if config["schema.registry.embedded"] else registry_url
        self.registry: Service | None = None
        self._telemetry: Telemetry | None = None
        self.rest = RestServer(config)

    def _worker(
        self,
        transformer: ConfigTransformer,
        offsets: OffsetStore,
        recorder: Recorder,
        admission: UnreadLimit | None = None,
        in_session: Callable[[], bool] | None = None,
        embedded: bool = False,
        exactly_once: ExactlyOnceWorker | None = None,
    ) -> Worker:
        config = self._config
        return Worker(
            config,
            self._plugins,
            offsets,
            recorder,
            worker_id=self.rest.advertised.worker_id,
            clients=self._task_clients(embedded),
            transformer=transformer,
            registry_url=self._registry_url,
            admission=admission,
            in_session=in_session,
            exactly_once=exactly_once,
        )

    def _task_clients(self, embedded: bool = False) -> KafkaClients:
        config = self._config
        return KafkaClients(
            config.client_settings(),
            producer=config.with_prefix("producer."),
            consumer=config.with_prefix("consumer."),
            admin=config.with_prefix("admin."),
            embedded=embedded,
        )

    def _validator(self, worker: Worker) -> ConnectorValidator:
        policy = OverridePolicy.named(
            self._config["connector.client.config.override.policy"],
            self._config["connector.client.config.override.allowlist"],
        )
        return ConnectorValidator(
            self._plugins,
            worker.converter_defaults,
            resolve=worker.resolve_known,
            policy=policy,
            worker_group=self._config["group.id"] if self._config.mode == "distributed" else None,
            exactly_once=self._config.mode != "distributed" or self._config["exactly.once.source.support"] == "enabled",
        )

    def start(self) -> None:
        """Start the registry first, since converters need it, and REST last, since it answers for everything else."""
        self._telemetry = telemetry_of(os.environ, self.rest.advertised.worker_id, self._measurements)
        if self._config["schema.registry.embedded"]:
            self.registry = start_registry(self._plugins, embedded_registry(self._config))
            log_registry(self.registry, self._config.looked_up)
        try:
            if self._telemetry is not None:
                self._telemetry.start()  # before the herder, whose tasks are traced
            self.herder.start()
            self.rest.start(self.herder)
        except BaseException:
            self.stop()
            raise
        urls = () if self.registry is None else self.registry.urls
        signals = () if self._telemetry is None else self._telemetry.signals
        lines = worker_summary(self._config, self._plugins, self.rest, urls, signals)
        log_summary(_log, f"Worker {self.rest.advertised.worker_id} is up", lines)

    def _measurements(self) -> Iterator[Measurement]:
        """Give what is measured of the worker, and of its registry if it has one."""
        yield from self.herder.measurements()
        registry: object = self.registry
        if isinstance(registry, HasMeasurements):
            yield from registry.measurements()

    def stop(self) -> None:
        if self._telemetry is not None:
            self._telemetry.finish()
        self.rest.stop()
        self.herder.stop()
        if self.registry is not None:
            self.registry.stop()
        if self._telemetry is not None:
            self._telemetry.stop()


class StandaloneProcess(_Process):
    """A worker by itself."""

    herder: StandaloneHerder

    def __init__(
        self,
        config: WorkerConfig,
        plugins: Plugins,
        transformer: ConfigTransformer,
        offsets: OffsetStore,
        admission: UnreadLimit | None = None,
        embedded: bool = False,
    ) -> None:
        """`embedded` tells whether the worker's broker is `penstock.kafka.embedded`'s."""
        super().__init__(config, plugins)
        made = compose_standalone(
            plugins,
            self.rest.advertised.worker_id,
            lambda recorder: self._worker(transformer, offsets, recorder, admission, embedded=embedded),
            self._validator,
            defaults=config.values,
        )
        self.worker, self.herder = made.worker, made.herder


class DistributedProcess(_Process):
    """One worker of a group."""

    herder: DistributedHerder

    def __init__(
        self, config: WorkerConfig, plugins: Plugins, transformer: ConfigTransformer, registry_url: str | None = None
    ) -> None:
        # Kafka's group client is 12 MB that a standalone worker has no use for.
        from penstock.herder.distributed.compose import Surroundings, compose_distributed
        from penstock.herder.distributed.fencing import TaskGates
        from penstock.herder.distributed.membership import GroupSettings, Membership
        from penstock.storage.config_store import ConfigStore
        from penstock.storage.kafka_offsets import KafkaOffsetStore
        from penstock.storage.status_store import StatusStore

        super().__init__(config, plugins, registry_url)
        clients = internal_clients(config.client_settings())
        # Two workers of one machine must not be one to a broker's quotas and logs.
        owner = f"{config['group.id']}-{self.rest.advertised.port}"
        delivers_once = config["exactly.once.source.support"] == "enabled"
        offsets = KafkaOffsetStore(clients, internal_topic(config, "offset"), owner=owner, transactions=delivers_once)
        group = GroupSettings.of(config, self.rest.advertised.url, owner)
        leaders_id = (
            None if config["exactly.once.source.support"] == "disabled" else f"connect-cluster-{config['group.id']}"
        )
        fencer = TaskFencer(self._task_clients(), config["group.id"], transformer) if delivers_once else None

        def make_worker(recorder: Recorder, in_session: Callable[[], bool], gates: TaskGates) -> Worker:
            once = ExactlyOnceWorker(config["group.id"], gates.of) if delivers_once else None
            return self._worker(transformer, offsets, recorder, in_session=in_session, exactly_once=once)

        made = compose_distributed(
            Surroundings(
                config=config,
                plugins=plugins,
                worker_id=self.rest.advertised.worker_id,
                status_store=StatusStore(clients, internal_topic(config, "status"), owner=owner),
                client=self.rest.worker_client,
                make_store=lambda news: ConfigStore(
                    clients, internal_topic(config, "config"), news, transactional_id=leaders_id, owner=owner
                ),
                make_membership=lambda store, leader: Membership(group, store.snapshot, store.refresh, leader.deal_out),
                make_worker=make_worker,
                make_validator=self._validator,
                fence=None if fencer is None else fencer.fence,
            )
        )
        self.worker, self.herder = made.worker, made.herder


def internal_topic(config: WorkerConfig, which: str) -> TopicSpec:
    """The worker's ``config``, ``status`` or ``offset`` topic, as its settings have it."""
    holds = {"config": "configurations", "status": "states", "offset": "source offsets"}[which]
    prefix = f"{which}.storage."
    return TopicSpec(
        config[prefix + "topic"],
        1 if which == "config" else config[prefix + "partitions"],
        config[prefix + "replication.factor"],
        config.topic_settings(prefix),
        exact_partitions=which == "config",
        setting=prefix + "topic",
        holds=holds,
        create=config["internal.topics.automatic.creation.enable"],
    )

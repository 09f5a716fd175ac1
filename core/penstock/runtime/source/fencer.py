"""Fences the transactional ids of a connector's earlier tasks (``Worker.fenceZombies``)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from penstock.config.transformer import ConfigTransformer
from penstock.errors import ConnectError, RetriableError
from penstock.kafka import KafkaClients
from penstock.kafka.transactions import TransactionalProducer
from penstock.runtime.assembly import strip_prefix

__all__ = ["TaskFencer"]

#: Each waits for the coordinator of its id, about a second, so that many are fenced at a time.
_PARALLEL: Final = 16
_TIMEOUT_S: Final = 60.0


class TaskFencer:
    """Safe from any thread.

    The client has no ``fenceProducers``: whoever claims a transactional id fences who held it before, and aborts its open
    transaction, by the same request. What is claimed here is let go of at once.
    """

    def __init__(self, clients: KafkaClients, group_id: str, transformer: ConfigTransformer) -> None:
        self._clients, self._group_id, self._transformer = clients, group_id, transformer

    def fence(self, name: str, config: Mapping[str, str], tasks: int) -> None:
        """Fence the connector's tasks 0 to `tasks` - 1. Raises `RetriableError` if some could not be fenced."""
        resolved = self._transformer.transform(config)[0]
        settings = {**strip_prefix(resolved, "admin.override."), "enable.idempotence": "true"}
        deadline = time.monotonic() + _TIMEOUT_S
        with ThreadPoolExecutor(min(_PARALLEL, tasks), thread_name_prefix="fence") as pool:
            ids = [f"{self._group_id}-{name}-{task}" for task in range(tasks)]
            failures = [f for f in pool.map(lambda each: self._fence(each, settings, deadline), ids) if f is not None]
        if failures:
            raise RetriableError(f"Cannot fence {len(failures)} of {tasks} earlier tasks of {name}: {failures[0]}")

    def _fence(self, transactional_id: str, settings: Mapping[str, str], deadline: float) -> ConnectError | None:
        own = {**settings, "transactional.id": transactional_id, "client.id": f"fence-{transactional_id}"}
        owner = f"fencing {transactional_id}"
        try:
            producer = TransactionalProducer(
                lambda extra, **callbacks: self._clients.producer({**own, **extra}, owner, **callbacks), owner
            )
            try:
                producer.init(max(1.0, deadline - time.monotonic()))
            finally:
                producer.purge()
        except ConnectError as error:
            return error
        return None

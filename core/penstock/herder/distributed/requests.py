"""Requests between the workers of a group and their leader, signed so that the leader knows who asks (KIP-507)."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import quote

from penstock.config.worker import WorkerConfig
from penstock.errors import ConflictError, ConnectError, RetriableError
from penstock.herder.configs import ConnectorEntry
from penstock.herder.distributed import signatures
from penstock.herder.distributed.membership import Membership
from penstock.herder.forwarding import WorkerClient
from penstock.herder.interface import RequestSignature
from penstock.storage.config_store import ConfigStore

__all__ = ["WorkerRequests"]

_log: Final = logging.getLogger(__name__)
_CLUSTER_TIMEOUT: Final = 5.0
_FENCE_TIMEOUT: Final = 120.0
_REFRESH: Final = 30.0


class WorkerRequests:
    """Safe from any thread."""

    def __init__(self, config: WorkerConfig, store: ConfigStore, membership: Membership, client: WorkerClient) -> None:
        self._config, self._store, self._membership, self._client = config, store, membership, client
        method: str = config["authentication.method"]
        self._has_users = method.strip().upper() not in ("", "NONE") or bool(config["rest.extension.classes"])
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="herder-forward")

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def check(self, signature: RequestSignature | None) -> None:
        """Raise `InternalRequestError` for a request that no worker of the group has signed, where the group signs or this
        worker asks for users: one member that cannot sign must not open it to everybody."""
        if self._has_users or self._membership.view().signed:
            allowed = self._config["inter.worker.verification.algorithms"]
            signatures.check(signature, self._store.snapshot().session_key, allowed)

    def keep_write_privileges(self) -> None:
        """Hold the right to write the config topic while this worker leads, and let go of it while it does not."""
        if self._membership.view().is_leader:
            self._store.claim_write_privileges()
        else:
            self._store.relinquish_write_privileges()

    def rotate_key(self) -> None:
        """Make a key, as the leader, where there is none or the last is too old."""
        view, ttl = self._membership.view(), self._config["inter.worker.key.ttl.ms"]
        if not (view.is_leader and view.signed):
            return
        key, now = self._store.snapshot().session_key, int(time.time() * 1000)
        if key is None or (ttl > 0 and key.created + ttl <= now):
            _log.info("Making a new key for requests between workers")
            algorithm, size = (self._config[f"inter.worker.key.{k}"] for k in ("generation.algorithm", "size"))
            self._store.put_session_key(signatures.new_key(algorithm, size, now))
            self._store.refresh(_REFRESH)

    def hand_over(
        self, url: str, name: str, tasks: Sequence[Mapping[str, str]], done: Callable[[Exception | None], None]
    ) -> None:
        """Give the leader at `url` a connector's task configurations; `done` hears how it went, from another thread."""
        self._pool.submit(self._hand_over, url, name, tasks, done)

    def publish(
        self,
        name: str,
        entry: ConnectorEntry,
        tasks: Sequence[Mapping[str, str]],
        done: Callable[[Exception | None], None],
    ) -> None:
        """Have the leader, which may be this worker, write a connector's task configurations. Herder thread."""
        view = self._membership.view()
        try:
            if view.is_leader:
                self.keep_write_privileges()
                self._store.put_task_configs(name, tasks)
                done(None)
            elif view.leader_url:
                self.hand_over(view.leader_url, name, tasks, done)
            else:
                done(ConflictError("no leader is known"))
        except ConnectError as error:
            done(error)

    def _hand_over(
        self, url: str, name: str, tasks: Sequence[Mapping[str, str]], done: Callable[[Exception | None], None]
    ) -> None:
        body = json.dumps([dict(task) for task in tasks]).encode()
        try:
            headers = {"Content-Type": "application/json", **self._signed(body)}
            answer = self._client.request("POST", url, f"/connectors/{quote(name, safe='')}/tasks", body, headers)
            if answer.status >= 400:
                raise ConnectError(f"the leader at {url} refuses them with {answer.status}: {answer.message}")
        except Exception as error:  # whatever it is, somebody waits to hear of it and tries again
            done(error)
            return
        done(None)

    def fence(self, url: str, name: str) -> None:
        """Have the leader at `url` fence older tasks of a source. Raises `RetriableError` with what it answers."""
        # The bytes that are signed are none (``DistributedHerder.fenceZombieSourceTasks``).
        path = f"/connectors/{quote(name, safe='')}/fence"
        answer = self._client.request("PUT", url, path, None, self._signed(b""), timeout=_FENCE_TIMEOUT)
        if answer.status >= 400:
            raise RetriableError(f"the leader at {url} answers {answer.status}: {answer.message}")

    def _signed(self, body: bytes) -> Mapping[str, str]:
        if not self._membership.view().signed:
            return {}
        key = self._store.snapshot().session_key
        if key is None:
            raise ConflictError("the leader has not made a key yet")
        return signatures.sign(key.key, self._config["inter.worker.signature.algorithm"], body)

    def leaders_description(self, url: str) -> Mapping[str, Any] | None:
        """Return the group as its leader at `url` describes it; None if it does not."""
        try:
            key = self._store.snapshot().session_key
            headers = {} if key is None else self._signed(signatures.SIGNED_OF_CLUSTER)
            answer = self._client.request("GET", url, "/cluster", None, headers, timeout=_CLUSTER_TIMEOUT)
            if answer.status != 200:
                raise ConnectError(f"{answer.status}: {answer.message}")
            described = json.loads(answer.body)
            group: Mapping[str, Any] | None = described["group"] if described.get("leader") else None
        except (ConnectError, ValueError, KeyError, TypeError) as error:
            _log.info("The leader at %s does not say how the group is: %s", url, error)
            return None
        return group

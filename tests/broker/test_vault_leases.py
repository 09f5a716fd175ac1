"""A connector whose values Vault leases starts anew with others when the lease ends, on a real worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from lab.committed import messages
from lab.patience import PATIENCE_S
from lab.secret_stores import VaultServer
from lab.worker_process import WorkerProcess, free_port

STRING = "org.apache.kafka.connect.storage.StringConverter"


@pytest.fixture
def vault() -> Iterator[VaultServer]:
    made = VaultServer()
    yield made
    made.close()


def settings(kafka: str, folder: Path, vault: VaultServer) -> dict[str, str]:
    return {
        "bootstrap.servers": kafka, "key.converter": STRING, "value.converter": STRING,
        "listeners": f"http://127.0.0.1:{free_port()}", "offset.storage.file.filename": str(folder / "offsets"),
        "offset.flush.interval.ms": "200",
        "config.providers": "vault", "config.providers.vault.class": "vault",
        "config.providers.vault.param.vault.address": vault.url,
        "config.providers.vault.param.vault.auth.token": vault.token,
        "config.providers.vault.param.vault.secrets.version": "1",
    }  # fmt: skip


def until(what: str, check: Callable[[], bool], worker: WorkerProcess) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not check():
        worker.check()
        assert time.monotonic() < deadline, f"{what}\n{worker.log()}"
        time.sleep(0.1)


def test_a_connector_starts_anew_when_the_lease_of_its_values_ends(
    kafka: str, topic: Callable[..., str], vault: VaultServer, tmp_path: Path
) -> None:
    """Each lease names another file to read, which a fresh task alone can know."""
    for number in (1, 2):
        (tmp_path / f"file{number}").write_text(f"line of lease {number}\n")
    vault.leases = {"app": [{"file": str(tmp_path / f"file{number}")} for number in (1, 2)]}
    vault.lease_seconds = 8
    props, name = settings(kafka, tmp_path, vault), f"leased-{uuid4().hex[:8]}"
    file = tmp_path / "worker.properties"
    file.write_text("".join(f"{key}={value}\n" for key, value in props.items()))
    lines = topic("lines")
    config = {"connector.class": "FileStreamSource", "file": "${vault:database/creds/app:file}", "topic": lines}

    def read() -> list[bytes]:
        return [message.value() or b"" for message in messages(kafka, lines)]

    with WorkerProcess(["standalone", file], tmp_path / "worker.log", props["listeners"]) as worker:
        worker.wait_ready()
        assert worker.call("PUT", f"/connectors/{name}/config", config)[0] == 201
        worker.wait_running(name)
        until("the first lease's values are used", lambda: read() == [b"line of lease 1"], worker)
        until("the second's are", lambda: read() == [b"line of lease 1", b"line of lease 2"], worker)
        worker.stop()
    assert "values that were looked up have run out" in worker.log(100_000)

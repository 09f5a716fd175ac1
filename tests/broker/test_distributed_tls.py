"""A group whose workers speak https with each other: forwarded and signed requests, and certificates nobody trusts."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from penstock.cli.wiring import DistributedProcess, config_transformer
from penstock.config.worker import WorkerConfig
from penstock.herder.distributed.membership import GroupView
from penstock.plugins import Plugins

JSON = "org.apache.kafka.connect.json.JsonConverter"
PEM = serialization.Encoding.PEM


class Authority:
    """Signs certificates for 127.0.0.1."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name, self._key = folder, name, ec.generate_private_key(ec.SECP256R1())
        own = self._certificate(name, self._key.public_key(), ca=True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(own.public_bytes(PEM))

    def store(self, name: str) -> Path:
        """Key and certificate of a worker, in one file."""
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        file = self._folder / f"{name}.pem"
        file.write_bytes(private + self._certificate(name, key.public_key(), ca=False).public_bytes(PEM))
        return file

    def _certificate(self, name: str, key: ec.EllipticCurvePublicKey, ca: bool) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        hosts = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, self._name)]))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(hosts, critical=False)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )


Start = Callable[[Mapping[str, str]], DistributedProcess]


@pytest.fixture
def start(kafka: str) -> Iterator[Start]:
    """Workers of one group, in this process."""
    group, processes, plugins = f"tls-{uuid.uuid4().hex[:8]}", list[DistributedProcess](), Plugins.discover()

    def make(tls: Mapping[str, str]) -> DistributedProcess:
        settings = {
            "bootstrap.servers": kafka, "key.converter": JSON, "value.converter": JSON, "group.id": group,
            # Two listeners; only what is advertised is for the other workers.
            "listeners": "http://127.0.0.1:0,https://127.0.0.1:0", "rest.advertised.listener": "https",
            "offset.storage.partitions": "1", "status.storage.partitions": "1",
            **{f"{which}.storage.topic": f"{group}-{which}" for which in ("config", "offset", "status")},
            **{f"{which}.storage.replication.factor": "1" for which in ("config", "offset", "status")},
            **tls,
        }  # fmt: skip
        config = WorkerConfig.parse(settings, "distributed")
        process = DistributedProcess(config, plugins, config_transformer(settings, plugins))
        processes.append(process)
        process.start()
        return process

    yield make
    for process in reversed(processes):
        process.stop()


def url(process: DistributedProcess, scheme: str = "https") -> str:
    return next(str(listener) for listener in process.rest.listeners if listener.scheme == scheme)


def until(what: str, check: Callable[[], Any]) -> Any:
    tick = threading.Event()
    for _ in range(600):
        if found := check():
            return found
        tick.wait(0.1)
    raise AssertionError(f"not within a minute: {what}")


def view(process: DistributedProcess) -> GroupView:
    """The worker's own view of its group: a follower may be unable to ask the leader."""
    return process.herder._requests._membership.view()


def whole(*processes: DistributedProcess) -> tuple[DistributedProcess, DistributedProcess]:
    """Leader and follower, once the group is at rest."""

    def settled() -> bool:
        answers = [httpx.get(f"{url(p, 'http')}/cluster").json() for p in processes]
        views = [view(p) for p in processes]
        return all(a["group"]["state"] == "stable" for a in answers) and len({v.leader_url for v in views}) == 1 and any(
            len(v.members) == len(processes) for v in views
        )  # fmt: skip

    until("the group is whole", settled)
    first, second = processes
    return (first, second) if view(first).is_leader else (second, first)


@pytest.mark.parametrize("prefix", ["listeners.https.", pytest.param("", marks=pytest.mark.soak)])
def test_workers_forward_and_sign_over_https_with_their_own_certificates(
    start: Start, tmp_path: Path, prefix: str
) -> None:
    """Both show a certificate to each other: the listeners want one of every client."""
    authority = Authority(tmp_path, "ca")

    def settings(worker: str) -> dict[str, str]:
        return {
            f"{prefix}ssl.keystore.location": str(authority.store(worker)), f"{prefix}ssl.keystore.type": "PEM",
            f"{prefix}ssl.truststore.location": str(authority.file), f"{prefix}ssl.truststore.type": "PEM",
            f"{prefix}ssl.client.auth": "required",
        }  # fmt: skip

    leader, follower = whole(start(settings("one")), start(settings("two")))
    mine = ssl.create_default_context(cafile=str(authority.file))
    mine.load_cert_chain(authority.store("user"))
    with httpx.Client(base_url=url(follower), verify=mine, timeout=60) as client:
        config = {"connector.class": "MockSource", "tasks.max": "1"}
        for name in ("a", "b"):
            created = client.put(f"/connectors/{name}/config", json=config)
            assert created.status_code == 201, created.text
            assert created.headers["location"] == f"{url(follower)}/connectors/{name}"

        def running() -> list[str] | None:
            found = client.get("/connectors?expand=status").json()
            states = [p for c in found.values() for p in (c["status"]["connector"], *c["status"]["tasks"])]
            done = len(states) == 4 and all(state["state"] == "RUNNING" for state in states)
            return [c["status"]["connector"]["worker_id"] for c in found.values()] if done else None

        # One of the two connectors is the follower's: it handed the tasks to the leader, signed, over https.
        assert len(set(until("both run", running))) == 2
        assert view(leader).signed
        for name in ("a", "b"):
            assert client.post(f"/connectors/{name}/restart").status_code == 204
            assert client.post(f"/connectors/{name}/tasks/0/restart").status_code == 204
        assert len(client.get("/cluster").json()["group"]["workers"]) == 2  # asked of the leader
        assert (
            client.post("/connectors/a/tasks", json=[]).json()["message"]
            == "Internal request missing required signature"
        )
        assert client.delete("/connectors/a").status_code == 204
    with pytest.raises(httpx.TransportError):  # no certificate, no answer
        httpx.get(f"{url(leader)}/connectors", verify=ssl.create_default_context(cafile=str(authority.file)))


def test_a_worker_with_a_certificate_nobody_trusts_is_refused_and_told_what_to_do(start: Start, tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")

    def settings(authority: Authority, worker: str) -> dict[str, str]:
        return {
            "listeners.https.ssl.keystore.location": str(authority.store(worker)),
            "listeners.https.ssl.truststore.location": str(authority.file),
            "listeners.https.ssl.keystore.type": "PEM", "listeners.https.ssl.truststore.type": "PEM",
        }  # fmt: skip

    _, follower = whole(start(settings(ours, "one")), start(settings(theirs, "two")))
    answer = httpx.put(
        f"{url(follower, 'http')}/connectors/a/config", json={"connector.class": "MockSource"}, timeout=60
    )
    assert answer.status_code == 500
    message = answer.json()["message"]
    assert "the certificate of the worker at https://127.0.0.1:" in message
    assert "is not trusted" in message
    assert "listeners.https.ssl.truststore" in message
    assert httpx.get(f"{url(follower, 'http')}/connectors").json() == []


@pytest.mark.soak
def test_a_worker_that_shows_another_certificate_than_the_leader_wants_is_refused(start: Start, tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    both = tmp_path / "both.pem"
    both.write_bytes(ours.file.read_bytes() + theirs.file.read_bytes())

    def settings(authority: Authority, worker: str, trust: Path) -> dict[str, str]:
        return {
            "listeners.https.ssl.keystore.location": str(authority.store(worker)),
            "listeners.https.ssl.truststore.location": str(trust),
            "listeners.https.ssl.keystore.type": "PEM", "listeners.https.ssl.truststore.type": "PEM",
            "listeners.https.ssl.client.auth": "required",
        }  # fmt: skip

    first = start(settings(ours, "one", ours.file))
    until("it leads", lambda: httpx.get(f"{url(first, 'http')}/cluster").json()["leader"])
    leader, follower = whole(first, start(settings(theirs, "two", both)))
    assert leader is first
    answer = httpx.put(
        f"{url(follower, 'http')}/connectors/a/config", json={"connector.class": "MockSource"}, timeout=60
    )
    # 500 if the leader's refusal was read, 409 if it had hung up before.
    assert answer.status_code in (409, 500)
    assert "the worker at https://127.0.0.1:" in answer.json()["message"]
    assert "not trust this worker's certificate" in answer.json()["message"]
    assert httpx.get(f"{url(leader, 'http')}/connectors").json() == []

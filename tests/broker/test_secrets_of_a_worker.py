"""Secrets planted wherever a worker takes them are found nowhere afterwards: answers of REST, metrics, spans, log,
topics, dead letters.

Two things show a secret by design, and no other secret than these: the config topic has a connector's configuration as its
user wrote it, and so have the answers that show a configuration. What a config provider looked up is in neither.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lab.certificates import self_signed
from lab.committed import messages
from lab.otel_collector import Collector, collector
from lab.patience import PATIENCE_S
from lab.rest_users import Tokens, basic, users_file
from lab.secret_stores import VaultServer
from lab.worker_process import WorkerProcess, free_port
from penstock.testing.broker import KafkaBroker

JSON = "org.apache.kafka.connect.json.JsonConverter"
AVRO = "io.confluent.connect.avro.AvroConverter"
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
#: Nobody listens there.
NOWHERE = "127.0.0.1:9"

#: In the worker's own settings, or for its REST API.
OF_WORKER = (
    "worker-jaas", "producer-jaas", "consumer-env", "admin-file", "https-key", "vault-token", "worker-registry",
    "rest-password", "wrong-password", "otel-key",
)  # fmt: skip
#: Looked up for connectors by config providers.
LOOKED_UP = ("file-url", "file-topic", "file-path", "file-format", "file-class", "directory", "environment", "vault")
#: Written into connectors' configurations as they are.
WRITTEN = (
    "jdbc-url", "jdbc-password", "registry-url", "registry-basic", "registry-token", "producer-override",
    "consumer-override", "key-password",
)  # fmt: skip
SECRETS = {name: f"Pl4nted-{name}-{number:02}" for number, name in enumerate(OF_WORKER + LOOKED_UP + WRITTEN)}
S = SECRETS


def found_in(text: str, *names: str) -> set[str]:
    """Return which of the named secrets, or of all, `text` shows."""
    folded = text.casefold()
    return {name for name in names or SECRETS if SECRETS[name].casefold() in folded}


def jaas(user: str, password: str) -> str:
    return f'{PLAIN} required username="{user}" password="{password}";'


@pytest.fixture
def broker(kafka_jars: Path) -> Iterator[tuple[str, str]]:
    """A broker's plain address, and the one at which it asks for users."""
    users = {"worker": "worker-jaas", "producer": "producer-jaas", "consumer": "consumer-env", "admin": "admin-file"}
    known = " ".join(f'user_{user}="{S[secret]}"' for user, secret in users.items())
    secured = f"127.0.0.1:{free_port()}"
    made = KafkaBroker(kafka_jars)
    plain = made._settings()
    made._properties = {
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_PLAINTEXT",
        "listener.name.secured.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.secured.plain.sasl.jaas.config": f"{PLAIN} required {known};",
        **{key: f"{plain[key]},SECURED://{secured}" for key in ("listeners", "advertised.listeners")},
    }
    with made:
        yield made.bootstrap, secured


@pytest.fixture
def vault() -> Iterator[VaultServer]:
    made = VaultServer(S["vault-token"])
    made.secrets = {"app": [{"path": f"/nowhere/{S['vault']}/x"}]}
    yield made
    made.close()


class Scene:
    """The files of a run, and the settings made of them."""

    def __init__(self, folder: Path, secured: str, vault: VaultServer) -> None:
        self.folder, self.run = folder, f"secrets-{uuid4().hex[:8]}"
        self.rest = f"http://127.0.0.1:{free_port()}"
        self._secured, self._vault = secured, vault
        (folder / "mounted").mkdir()
        (folder / "mounted" / "password").write_text(S["directory"])
        (folder / "in.txt").write_text("a line\n")
        (folder / "vault.properties").write_text(
            f"url=ftp://{S['file-url']}:{S['file-url']}@host\nodd={S['file-topic']} %%\npath=/nowhere/{S['file-path']}/x\n"
            f"format=yyyy-MM-dd'{S['file-format']}'\nclass={S['file-class']}\nadmin={S['admin-file']}\n"
        )
        key = ec.generate_private_key(ec.SECP256R1())
        locked = serialization.BestAvailableEncryption(S["https-key"].encode())
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
        (folder / "key.pem").write_bytes(private + self_signed(key))
        self.tokens = Tokens(folder)
        self._users = users_file(folder, {"admin": "admin", "reader": "read"}, S["rest-password"])
        self.bearer = "Bearer " + self.tokens.token("pipeline", ["admin"])
        self.environ = {"PLANTED_CONSUMER": S["consumer-env"], "PLANTED_PATH": f"/no/{S['environment']}/x"}

    def exporting_to(self, received: Collector) -> dict[str, str]:
        """Return the environment of a worker that sends its spans and metrics there."""
        return {
            **self.environ,
            "OTEL_EXPORTER_OTLP_ENDPOINT": received.url,
            "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={S['otel-key']}",
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
        }

    def properties(self) -> dict[str, str]:
        sasl = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN"}
        clients = {
            "": jaas("worker", S["worker-jaas"]),
            "producer.": jaas("producer", S["producer-jaas"]),
            "consumer.": jaas("consumer", "${env:PLANTED_CONSUMER}"),
            "admin.": jaas("admin", f"${{file:{self.folder / 'vault.properties'}:admin}}"),
        }
        kafka_provider = "org.apache.kafka.common.config.provider."
        return {
            "bootstrap.servers": self._secured, "group.id": self.run, "offset.flush.interval.ms": "300",
            **{prefix + key: value for prefix in clients for key, value in sasl.items()},
            **{prefix + "sasl.jaas.config": value for prefix, value in clients.items()},
            **{f"{client}debug": "all" for client in ("producer.", "consumer.", "admin.")},
            "key.converter": JSON, "key.converter.schemas.enable": "false",
            "value.converter": AVRO, "value.converter.schema.registry.url": f"http://u:{S['worker-registry']}@{NOWHERE}",
            "listeners": f"{self.rest},https://127.0.0.1:{free_port()}", "rest.advertised.listener": "http",
            "listeners.https.ssl.keystore.type": "PEM", "listeners.https.ssl.keystore.location": str(self.folder / "key.pem"),
            "listeners.https.ssl.key.password": S["https-key"],
            "authentication.method": "BASIC,BEARER", "authentication.basic.users.file": str(self._users),
            "oauthbearer.jwks.endpoint.url": f"file:{self.tokens.keys}",
            "config.providers": "file,dir,env,vault",
            "config.providers.file.class": kafka_provider + "FileConfigProvider",
            "config.providers.dir.class": kafka_provider + "DirectoryConfigProvider",
            "config.providers.env.class": kafka_provider + "EnvVarConfigProvider",
            "config.providers.vault.class": "vault",
            "config.providers.vault.param.vault.address": self._vault.url,
            "config.providers.vault.param.vault.auth.token": S["vault-token"],
            **{f"{which}.storage.topic": f"{self.run}-{which}" for which in ("config", "offset", "status")},
            **{f"{which}.storage.replication.factor": "1" for which in ("config", "offset", "status")},
        }  # fmt: skip

    def placeholder(self, key: str) -> str:
        return f"${{file:{self.folder / 'vault.properties'}:{key}}}"

    def connectors(self) -> dict[str, dict[str, str]]:
        plain = {"value.converter": JSON, "value.converter.schemas.enable": "false"}
        source = {
            "connector.class": "FileStreamSource",
            "file": str(self.folder / "in.txt"),
            "topic": f"{self.run}-out",
        }
        sink = {
            "connector.class": "FileStreamSink",
            "file": str(self.folder / "out"),
            "topics": f"{self.run}-in",
            **plain,
        }
        jdbc = {
            "connector.class": "JdbcSource",
            "mode": "bulk",
            "topic.prefix": "t-",
            "connection.attempts": "1",
            **plain,
        }
        avro = {**source, "value.converter": AVRO, "value.converter.schema.registry.url": f"http://{NOWHERE}"}
        postgres = f"jdbc:postgresql://{NOWHERE}/db"
        return {
            # Values that providers look up.
            "registry": {**avro, "value.converter.schema.registry.url": self.placeholder("url")},
            "topic": {**source, **plain, "topic": self.placeholder("odd")},
            "folder": {**sink, "file": self.placeholder("path")},
            "store": {**sink, "consumer.override.security.protocol": "SASL_SSL",
                      "consumer.override.ssl.ca.location": self.placeholder("path")},
            "dead": {
                **sink, "errors.tolerance": "all", "errors.log.enable": "true", "errors.log.include.messages": "true",
                "errors.deadletterqueue.topic.name": f"{self.run}-dlq", "errors.deadletterqueue.topic.replication.factor": "1",
                "errors.deadletterqueue.context.headers.enable": "true",
                "transforms": "t", "transforms.t.type": "org.apache.kafka.connect.transforms.TimestampConverter$Value",
                "transforms.t.field": "at", "transforms.t.target.type": "Timestamp",
                "transforms.t.format": self.placeholder("format"),
            },
            "mounted": {**jdbc, "connection.url": postgres, "connection.user": "u",
                        "connection.password": f"${{dir:{self.folder / 'mounted'}:password}}"},
            "variable": {**sink, "file": "${env:PLANTED_PATH}"},
            "vaulted": {**sink, "file": "${vault:secret/app:path}"},
            # Values that stand in the configuration itself.
            "jdbc": {**jdbc, "connection.url": f"{postgres}?user=u&password={S['jdbc-url']}"},
            "jdbc-user": {**jdbc, "connection.url": postgres, "connection.user": "u", "connection.password": S["jdbc-password"]},
            "avro": {**avro, "value.converter.schema.registry.url": f"http://u:{S['registry-url']}@{NOWHERE}"},
            "avro-basic": {**avro, "value.converter.basic.auth.credentials.source": "USER_INFO",
                           "value.converter.basic.auth.user.info": f"u:{S['registry-basic']}"},
            "avro-bearer": {**avro, "value.converter.bearer.auth.credentials.source": "STATIC_TOKEN",
                            "value.converter.bearer.auth.token": S["registry-token"]},
            "avro-default": source,
            "producer": {**source, **plain, "producer.override.sasl.jaas.config": jaas("producer", S["producer-override"])},
            "consumer": {**sink, "consumer.override.sasl.jaas.config": jaas("consumer", S["consumer-override"])},
            "key": {**sink, "consumer.override.security.protocol": "SASL_SSL", "consumer.override.ssl.keystore.type": "PEM",
                    "consumer.override.ssl.keystore.location": str(self.folder / "key.pem"),
                    "consumer.override.ssl.key.password": S["key-password"]},
        }  # fmt: skip


#: The connectors that fail, each by the planted value or for want of the server that it is for.
FAILING = (
    "registry", "topic", "folder", "store", "variable", "vaulted", "avro", "avro-basic", "avro-bearer", "avro-default", "key",
)  # fmt: skip
#: Connectors that are refused, since their validation meets no database.
REFUSED = ("mounted", "jdbc", "jdbc-user")
#: The settings that are texts to Kafka Connect: a validation shows its sender what they sent.
SHOWN_BY_VALIDATION = {"jdbc-url", "registry-url"}


class Asker:
    """Asks REST as a user with every right, and keeps all answers."""

    def __init__(self, worker: WorkerProcess, scene: Scene) -> None:
        self._worker, self._scene = worker, scene
        #: What was asked, whether it shows a configuration as it was written, and the answer.
        self.answers: list[tuple[str, str, str]] = []

    def __call__(self, method: str, path: str, body: object = None, kind: str = "", **named: Any) -> tuple[int, Any]:
        code, answer = self._worker.call(method, path, body, **named)
        self.answers.append((f"{method} {path}", kind, f"{code} {json.dumps(answer, ensure_ascii=False)}"))
        return code, answer

    def everything(self) -> None:
        self("GET", "/connectors?expand=info", kind="configuration")
        for path in ("/", "/health", "/cluster", "/connectors?expand=status&expand=health", "/connector-plugins"):
            self("GET", path)
        for name in self._scene.connectors():
            for part in ("", "/config", "/tasks", "/tasks/0"):
                self("GET", f"/connectors/{name}{part}", kind="configuration")
            for part in ("/status", "/health", "/topics", "/tasks/0/status"):
                self("GET", f"/connectors/{name}{part}")
        for name in ("dead", "registry"):  # those of clients that Kafka does not know take their time
            self("GET", f"/connectors/{name}/offsets")
        self.answers.append(("GET /metrics", "", self._worker.text("/metrics")))


def until(check: Callable[[], bool], worker: WorkerProcess) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not check():
        worker.check()
        assert time.monotonic() < deadline, worker.log()
        time.sleep(0.1)


def everything_in(kafka: str, topic: str) -> str:
    """Keys, values and headers of all records of `topic`."""
    return "\n".join(f"{m.key()!r} {m.value()!r} {m.headers()!r}" for m in messages(kafka, topic))


def test_a_worker_shows_none_of_the_secrets_it_works_with(
    broker: tuple[str, str], vault: VaultServer, tmp_path: Path
) -> None:
    plain, secured = broker
    scene = Scene(tmp_path, secured, vault)
    file = tmp_path / "worker.properties"
    file.write_text("".join(f"{key}={value}\n" for key, value in scene.properties().items()))
    producer = Producer({"bootstrap.servers": plain})
    producer.produce(f"{scene.run}-in", value=b'{"at": "not a date"}')
    assert producer.flush(60) == 0
    log = tmp_path / "worker.log"
    command = ["worker", file, "--log-level", "DEBUG"]
    admin = basic("admin", S["rest-password"])
    with (
        collector() as received,
        WorkerProcess(command, log, scene.rest, scene.exporting_to(received), authorization=admin) as worker,
    ):
        worker.wait_ready()
        ask = Asker(worker, scene)
        run(ask, scene, worker, plain)
        worker.stop()
    wrong = [
        (asked, sorted(found))
        for asked, kind, answer in ask.answers
        if (
            found := found_in(answer)
            - {"configuration": set(WRITTEN), "validation": SHOWN_BY_VALIDATION}.get(kind, set())
        )
    ]
    assert not wrong
    logged = log.read_text()
    signature = scene.bearer.rpartition(".")[2]
    assert not [line for line in logged.splitlines() if found_in(line) or signature in line]
    for which in ("status", "offset", "dlq"):
        assert not found_in(everything_in(plain, f"{scene.run}-{which}")), which
    assert not found_in(received.bodies.decode("latin-1"))
    assert "send topic" in {span.name for span in received.spans}
    assert received.values("kafka_connect_task_error_total_record_failures", connector="dead") != []
    # The config topic keeps what the users wrote, and nothing that a provider or the worker's own settings added.
    kept = set(WRITTEN) - {"jdbc-url", "jdbc-password"}  # of connectors that were refused
    assert found_in(everything_in(plain, f"{scene.run}-config")) == kept
    # What was looked for would have been found.
    assert "rdkafka" in logged
    assert "does not match pattern" in everything_in(plain, f"{scene.run}-dlq")
    shown = {name for _, kind, answer in ask.answers if kind == "configuration" for name in found_in(answer)}
    assert shown == kept


def run(ask: Asker, scene: Scene, worker: WorkerProcess, plain: str) -> None:
    for logger in (
        "root",
        "penstock.kafka.librdkafka",
        "kafka",
        "urllib3",
        "hvac",
        "sqlalchemy",
        "uvicorn",
        "confluent_kafka",
    ):
        assert ask("PUT", f"/admin/loggers/{logger}", {"level": "DEBUG"})[0] == 200
    for authorization in (
        scene.bearer,
        basic("admin", S["wrong-password"]),
        scene.bearer + "x",
        basic("reader", S["rest-password"]),
    ):
        ask("GET", "/connectors", authorization=authorization)
        ask("PUT", "/connectors/no/config", {}, authorization=authorization)
    for name, config in scene.connectors().items():
        path = f"/connectors/{name}/config"
        if name in REFUSED:
            assert ask("PUT", path, config)[0] == 400
        else:
            assert ask("PUT", path, config, kind="configuration")[0] == 201, ask.answers[-1]
        ask("PUT", f"/connector-plugins/{config['connector.class']}/config/validate", config, kind="validation")
    assert ask("PUT", "/connectors/none/config", {"connector.class": scene.placeholder("class")})[0] == 400

    def all_failed() -> bool:
        for name in FAILING:
            status = worker.call("GET", f"/connectors/{name}/status")[1]
            parts = [status.get("connector", {}), *status.get("tasks", ())]
            if not any(part.get("state") == "FAILED" for part in parts):
                return False
        return True

    until(all_failed, worker)
    until(lambda: "failed for the record at" in worker.log(50_000_000), worker)
    until(lambda: worker.log(50_000_000).count("uthentication failed") > 1, worker)
    ask.everything()
    until(lambda: "__connect.errors.exception.message" in everything_in(plain, f"{scene.run}-dlq"), worker)

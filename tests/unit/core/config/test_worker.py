"""A worker's settings: parsed, warned about, refused and documented from one table."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.config.reference import settings_reference
from penstock.config.table import ROWS, Treatment
from penstock.config.worker import WorkerConfig
from penstock.errors import ConfigError

ROOT = Path(__file__).parents[4]
STANDALONE = {
    "bootstrap.servers": "localhost:9092",
    "key.converter": "json",
    "value.converter": "json",
    "offset.storage.file.filename": "/tmp/offsets",
}
DISTRIBUTED = {
    "bootstrap.servers": "localhost:9092",
    "key.converter": "json",
    "value.converter": "json",
    "group.id": "g",
    "config.storage.topic": "c",
    "offset.storage.topic": "o",
    "status.storage.topic": "s",
}


def test_the_least_that_is_needed_gives_kafkas_defaults() -> None:
    config = WorkerConfig.parse(DISTRIBUTED, "distributed")
    assert config["offset.flush.interval.ms"] == 60000
    assert config["listeners"] == ["http://:8083"]
    assert config["topic.creation.enable"] is True
    assert config["connect.protocol"] == "sessioned"
    assert config.warnings == ()
    assert WorkerConfig.parse(STANDALONE, "standalone")["offset.storage.file.filename"] == "/tmp/offsets"


@pytest.mark.parametrize("mode", ["standalone", "distributed"])
def test_required_settings_are_named_all_at_once(mode: str) -> None:
    needed = STANDALONE if mode == "standalone" else DISTRIBUTED
    with pytest.raises(ConfigError) as caught:
        WorkerConfig.parse({}, mode)
    assert {line.split('"')[1] for line in caught.value.message.splitlines()} == set(needed)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("offset.flush.interval.ms", "soon", "Not a number of type LONG"),
        ("topic.creation.enable", "yes", "Expected value to be either true or false"),
        ("listeners", "ftp://:8083", "expected http://HOST:PORT or https://HOST:PORT"),
        ("listeners", "http://localhost", "expected http://HOST:PORT"),
        ("listeners", "", "at least one URL is expected"),
        ("admin.listeners", "localhost:1", "expected http://HOST:PORT"),
        ("exactly.once.source.support", "maybe", "disabled, preparing, enabled"),
        ("connect.protocol", "v9", "eager, compatible, sessioned"),
        ("config.storage.replication.factor", "0", "expected a positive number, or -1"),
        ("inter.worker.signature.algorithm", "HmacFoo", "expected one of HmacSHA256"),
        ("inter.worker.signature.algorithm", "HmacSHA512", "must be one of inter.worker.verification.algorithms"),
        ("inter.worker.key.ttl.ms", "-1", "Value must be at least 0"),
        ("heartbeat.interval.ms", "10000", "must be less than session.timeout.ms"),
        ("security.protocol", "TLS", "PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
        ("ssl.client.auth", "maybe", "required, requested, none"),
        ("ssl.enabled.protocols", "TLSv1.3", "TLSv1.2 cannot be switched off"),
        ("ssl.protocol", "SSLv3", "expected TLS, TLSv1.2 or TLSv1.3"),
        ("ssl.endpoint.identification.algorithm", "ldaps", "expected https"),
        ("response.http.headers.config", "put X:1", "expected '[action] [header name]:[header value]'"),
        ("sasl.login.callback.handler.class", "com.acme.Handler", "Java classes cannot be loaded"),
    ],
)
def test_a_wrong_value_is_refused_with_key_value_and_expectation(key: str, value: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        WorkerConfig.parse({**DISTRIBUTED, key: value}, "distributed")
    assert key in caught.value.message
    assert expected in caught.value.message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("listeners", "http://:8083,https://host:8443,http://[::1]:80"),
        ("admin.listeners", ""),
        ("response.http.headers.config", 'add Cache-Control: no-cache, "set X-Y: a, b"'),
        ("offset.storage.replication.factor", "-1"),
        ("ssl.enabled.protocols", "TLSv1.2"),
        (
            "sasl.login.callback.handler.class",
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler",
        ),
        ("inter.worker.verification.algorithms", "HmacSHA256,HmacSHA512"),
    ],
)
def test_these_values_are_accepted(key: str, value: str) -> None:
    assert key in WorkerConfig.parse({**DISTRIBUTED, key: value}, "distributed").raw


def test_enumerations_are_brought_to_one_spelling() -> None:
    props = {"exactly.once.source.support": "ENABLED", "connect.protocol": "Compatible", "security.protocol": "ssl"}
    config = WorkerConfig.parse({**DISTRIBUTED, **props}, "distributed")
    assert [config[key] for key in props] == ["enabled", "compatible", "SSL"]


REFUSED = [row.name for row in ROWS.values() if row.treatment is Treatment.REFUSED]


@pytest.mark.parametrize("key", REFUSED)
def test_what_would_change_security_or_delivery_is_refused_unless_it_is_the_default(key: str) -> None:
    row = ROWS[key]
    other = {"boolean": "true", "int": "7"}.get(row.type.value, "ES256" if "algorithm" in key else "some.Thing")
    with pytest.raises(ConfigError, match=f"{key}: not supported here"):
        WorkerConfig.parse({**DISTRIBUTED, key: other}, "distributed")
    assert WorkerConfig.parse({**DISTRIBUTED, key: row.default_text}, "distributed").warnings == ()


def test_a_refused_secret_is_not_repeated() -> None:
    props = {**DISTRIBUTED, "sasl.oauthbearer.assertion.private.key.passphrase": "hunter2"}
    with pytest.raises(ConfigError) as caught:
        WorkerConfig.parse(props, "distributed")
    assert "hunter2" not in caught.value.message
    assert "hunter2" not in repr(WorkerConfig.parse({**DISTRIBUTED, "ssl.key.password": "hunter2"}, "distributed"))


def test_settings_without_effect_and_unknown_ones_warn_once_each() -> None:
    props = {
        **DISTRIBUTED,
        "plugin.path": "/x",
        "ofset.flush.interval.ms": "1",
        "config.storage.partitions": "3",
        "zzz": "1",
    }
    one, two, three, four = sorted(WorkerConfig.parse(props, "distributed").warnings)
    assert one == "config.storage.partitions has no effect: the topic of configurations always has one partition"
    assert (
        two
        == "ofset.flush.interval.ms is not a known setting and has no effect; did you mean offset.flush.interval.ms?"
    )
    assert three.startswith("plugin.path has no effect here: ")
    assert four == "zzz is not a known setting and has no effect"


def test_settings_of_the_other_mode_have_no_effect() -> None:
    assert WorkerConfig.parse({**STANDALONE, "group.id": "g"}, "standalone").warnings == (
        "group.id has no effect in standalone mode",
    )


def test_settings_under_a_prefix_are_taken_as_they_are() -> None:
    props = {"producer.acks": "1", "config.storage.min.insync.replicas": "2", "registry.listeners": "http://:1"}
    config = WorkerConfig.parse({**DISTRIBUTED, **props}, "distributed")
    assert config.warnings == ()
    assert config.with_prefix("producer.") == {"acks": "1"}
    assert config.topic_settings("config.storage.") == {"min.insync.replicas": "2"}
    assert "producer.acks" not in config.client_settings()
    assert config.client_settings() == {"bootstrap.servers": "localhost:9092"}


@pytest.mark.parametrize("prefix", ["", "producer.", "listeners.https."])
def test_a_java_store_is_refused_with_the_command_that_converts_it(prefix: str, tmp_path: Path) -> None:
    store = tmp_path / "trust.p12"  # the content decides, not the name
    store.write_bytes(bytes.fromhex("feedfeed00000002"))
    with pytest.raises(ConfigError, match="keytool -list -rfc -keystore"):
        WorkerConfig.parse({**DISTRIBUTED, f"{prefix}ssl.truststore.location": str(store)}, "distributed")
    with pytest.raises(ConfigError, match=r"keytool -importkeystore .* -deststoretype PKCS12"):
        WorkerConfig.parse({**DISTRIBUTED, f"{prefix}ssl.keystore.location": "/nowhere/key.jks"}, "distributed")
    store.write_bytes(bytes.fromhex("30820a0002"))
    WorkerConfig.parse({**DISTRIBUTED, f"{prefix}ssl.truststore.location": str(store)}, "distributed")


@pytest.mark.parametrize("prefix", ["producer.confluent.monitoring.interceptor.", "confluent.topic.", "consumer.acme."])
def test_a_java_store_that_nobody_opens_is_warned_about(prefix: str) -> None:
    config = WorkerConfig.parse({**DISTRIBUTED, f"{prefix}ssl.truststore.location": "/x/t.jks"}, "distributed")
    warning = f"{prefix}ssl.truststore.location has no effect here: nothing reads a store under that prefix"
    assert warning in config.warnings


@pytest.mark.parametrize(("idle", "warned"), [("59999", True), ("0", True), ("60000", False), ("-1", False)])
def test_a_connection_that_is_closed_during_a_rebalance_is_warned_about(idle: str, warned: bool) -> None:
    config = WorkerConfig.parse({**DISTRIBUTED, "connections.max.idle.ms": idle}, "distributed")
    assert any("may cause the connection to the group coordinator" in warning for warning in config.warnings) is warned


def test_the_reference_page_is_the_tables() -> None:
    page = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    assert page == settings_reference(), "run: python -m penstock.config.reference > docs/config.md"
    assert all(f"| `{name}` |" in page for name in ROWS)


def test_no_default_is_refused_by_its_own_check() -> None:
    for row in ROWS.values():
        if not row.required and row.default is not None and row.validator is not None:
            assert WorkerConfig.parse({**DISTRIBUTED, row.name: row.default_text}, "distributed") is not None

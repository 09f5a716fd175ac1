"""The keys of registry.properties."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.errors import ConfigError
from penstock.http.listeners import Listener
from penstock_registry.server.config import LIMIT_KEYS, USED_KEYS, ServerConfig, StoreKind
from penstock_registry.server.levels import CompatibilityLevel
from penstock_registry.server.limits import Limit


def test_defaults_are_confluents() -> None:
    config = ServerConfig.parse({})
    assert config.listeners == (Listener("http", "0.0.0.0", 8081),)
    assert config.compatibility is CompatibilityLevel.BACKWARD
    assert config.mode_mutability is True
    assert config.group_id == "schema-registry"
    assert config.name == "default"
    assert config.limits.schemas == Limit(1000, 1000)
    assert config.warnings == ()


def test_every_used_key_is_read() -> None:
    config = ServerConfig.parse(
        {
            "listeners": "http://127.0.0.1:1234, http://[::1]:1235",
            "store": "Memory",
            "schema.compatibility.level": "full_transitive",
            "mode.mutability": "false",
            "schema.registry.group.id": "g",
            "registry.name": "n",
            "registry.max.request.size": "100",
            "schema.search.default.limit": "5",
            "subject.version.search.max.limit": "7",
        }
    )
    assert config.listeners == (Listener("http", "127.0.0.1", 1234), Listener("http", "::1", 1235))
    assert config.compatibility is CompatibilityLevel.FULL_TRANSITIVE
    assert (config.mode_mutability, config.group_id, config.name, config.http.max_body) == (False, "g", "n", 100)
    assert config.limits.schemas == Limit(5, 1000)
    assert config.limits.versions.most == 7
    assert config.warnings == ()


def test_a_sqlite_store_is_named_with_its_file() -> None:
    config = ServerConfig.parse({"store": "sqlite:/var/lib/Registry.db"})
    assert (config.store, config.store_path) == (StoreKind.SQLITE, "/var/lib/Registry.db")
    assert ServerConfig.parse({}).store is StoreKind.MEMORY


def test_a_kafka_store_is_what_bootstrap_servers_mean() -> None:
    config = ServerConfig.parse(
        {
            "kafkastore.bootstrap.servers": "SASL_SSL://a:9092,b:9093",
            "kafkastore.security.protocol": "SASL_SSL",
            "kafkastore.topic.replication.factor": "1",
            "host.name": "me",
        }
    )
    assert config.store is StoreKind.KAFKA
    assert config.warnings == ()
    kafka = config.kafka
    assert kafka is not None
    assert dict(kafka.store.connection) == {"bootstrap.servers": "a:9092,b:9093", "security.protocol": "SASL_SSL"}
    assert (kafka.store.topic, kafka.store.replication, kafka.host, kafka.eligible) == ("_schemas", 1, "me", True)
    with pytest.raises(ConfigError, match="take one of the two out"):
        ServerConfig.parse({"store": "memory", "kafkastore.bootstrap.servers": "a:1"})


def test_old_keys_still_count() -> None:
    config = ServerConfig.parse({"port": "9", "avro.compatibility.level": "none"})
    assert config.listeners == (Listener("http", "0.0.0.0", 9),)
    assert config.compatibility is CompatibilityLevel.NONE
    newer = ServerConfig.parse({"avro.compatibility.level": "none", "schema.compatibility.level": "full"})
    assert newer.compatibility is CompatibilityLevel.FULL


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("store", "kafka"), ("store", "sqlite"), ("store", "memory:x"), ("kafkastore.group.id", "g"),
        ("kafkastore.connection.url", "zk:2181"), ("authentication.method", "BASIC"), ("authentication.method", "KERBEROS"), ("authentication.roles", "a"),
        ("authentication.basic.users.file", "/users"), ("oauthbearer.jwks.endpoint.url", "/keys"),
        ("ssl.keystore.location", "/etc/keys.jks"), ("ssl.client.authentication", "SOMETIMES"),
        ("resource.extension.class", "x.Y"), ("schema.providers", "x.Y"),
    ],
)  # fmt: skip
def test_what_is_not_supported_is_refused_by_name(key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=key.replace(".", r"\.")):
        ServerConfig.parse({key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("listeners", "8081"), ("listeners", "http://h"), ("listeners", " , "), ("listeners", "http://h:99999"),
        ("schema.compatibility.level", "sideways"), ("mode.mutability", "yes"), ("registry.max.request.size", "0"),
        ("schema.search.max.limit", "many"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_meant_is_refused(key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"for configuration {key}"):
        ServerConfig.parse({key: value})


def test_no_authentication_is_what_there_is() -> None:
    assert ServerConfig.parse({"authentication.method": "NONE"}).warnings == ()


def test_keys_without_effect_and_unknown_ones_are_warned_of() -> None:
    warnings = ServerConfig.parse({"kafkastore.zk.session.timeout.ms": "1", "jmx.x": "h", "lisseners": "x"}).warnings
    assert warnings == (
        "jmx.x has no effect in this registry",
        "kafkastore.zk.session.timeout.ms has no effect in this registry",
        "lisseners is not a setting the registry knows; is it misspelt?",
    )


@pytest.mark.parametrize(
    ("listener", "url"),
    [
        (Listener("http", "0.0.0.0", 8081), "http://localhost:8081"),
        (Listener("http", "::", 8081), "http://localhost:8081"),
        (Listener("http", "::1", 8081), "http://[::1]:8081"),
        (Listener("https", "registry.example", 80), "https://registry.example:80"),
    ],
)
def test_a_listener_is_shown_as_others_reach_it(listener: Listener, url: str) -> None:
    assert listener.url == url


def test_every_setting_stands_in_the_documentation() -> None:
    page = (Path(__file__).parents[3] / "docs/registry.md").read_text()
    keys = {*USED_KEYS, *(f"{name}.search.{end}.limit" for name in LIMIT_KEYS.values() for end in ("default", "max"))}
    assert {key for key in keys if f"`{key}`" not in page} == set()

"""Values from AWS Secrets Manager, from moto's server."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from moto.server import ThreadedMotoServer

from penstock.cli.services import config_transformer
from penstock.config.secrets.aws import SecretsManagerConfigProvider
from penstock.config.secrets.store import SecretUnavailableError
from penstock.errors import ConfigError
from penstock.plugins import Plugins

SECRET = "hunter2-of-aws"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def secrets(endpoint: str) -> dict[str, Any]:
    """What the store said when the secrets were made, by name."""
    client = botocore.session.get_session().create_client(
        "secretsmanager", "eu-central-1", endpoint_url=endpoint, aws_access_key_id="id", aws_secret_access_key="key"
    )
    made = {
        "prod/db": client.create_secret(Name="prod/db", SecretString=json.dumps({"password": "old"})),
        "text": client.create_secret(Name="text", SecretString=SECRET),
        "bytes": client.create_secret(Name="bytes", SecretBinary=json.dumps({"k": "v"}).encode()),
        "odd": client.create_secret(Name="odd", SecretBinary=b"\xff\xfe"),
    }
    client.put_secret_value(SecretId="prod/db", SecretString=json.dumps({"password": SECRET, "port": 5432}))
    return made


def provider(endpoint: str, **settings: str) -> SecretsManagerConfigProvider:
    given = {key.replace("_", "."): value for key, value in settings.items()}
    base = {
        "aws.region": "eu-central-1", "aws.access.key": "id", "aws.secret.key": "key", "endpoint.override": endpoint,
    }  # fmt: skip
    made = SecretsManagerConfigProvider(pause=lambda _: None)
    made.configure({**base, **given})
    return made


def test_a_secrets_members_by_name_and_those_of_an_older_version(endpoint: str, secrets: dict[str, Any]) -> None:
    aws = provider(endpoint)
    assert aws.get("prod/db", {"password", "none"}) == ({"password": SECRET}, None)
    assert aws.get("prod/db").data == {"password": SECRET, "port": "5432"}
    assert aws.get(f"prod/db?version={secrets['prod/db']['VersionId']}").data == {"password": "old"}
    assert provider(endpoint, secret_prefix="prod/").get("db", {"password"}).data == {"password": SECRET}
    assert provider(endpoint, secret_ttl_ms="5000").get("prod/db").ttl_ms == 5000
    aws.close()


def test_a_secret_may_be_bytes_or_one_text(endpoint: str, secrets: dict[str, Any]) -> None:
    assert provider(endpoint).get("bytes").data == {"k": "v"}
    assert provider(endpoint, use_json="false").get("text").data == {"value": SECRET}
    with pytest.raises(
        ConfigError, match=r"secret text is not a JSON object of keys and values; use\.json=false"
    ) as caught:
        provider(endpoint).get("text")
    assert SECRET not in caught.value.message
    with pytest.raises(ConfigError, match="secret odd is not UTF-8 text"):
        provider(endpoint).get("odd")


def test_a_secret_that_is_not_there_is_named(endpoint: str, secrets: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="has no secret none, or not that version of it"):
        provider(endpoint).get("none")
    with pytest.raises(ConfigError, match="prod/db can be no secret of AWS, or 1 no version's id"):
        provider(endpoint).get("prod/db?version=1")


def test_a_store_that_is_away_is_asked_again() -> None:
    pauses: list[float] = []
    made = SecretsManagerConfigProvider(pause=pauses.append)
    made.configure(
        {
            "aws.region": "eu-central-1",
            "aws.access.key": "id",
            "aws.secret.key": "key",
            "endpoint": "http://127.0.0.1:9",
        }
    )
    with pytest.raises(SecretUnavailableError, match="cannot be reached: EndpointConnectionError"):
        made.get("db")
    assert pauses == [1, 1]


def test_without_credentials_it_says_so(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    aws = SecretsManagerConfigProvider()
    aws.configure({"aws.region": "eu-central-1", "aws.auth.method": "default", "endpoint.override": endpoint})
    with pytest.raises(ConfigError, match="there are no credentials for AWS"):
        aws.get("prod/db")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"aws.access.key": "id"}, "are needed together"),
        ({"aws.auth.method": "credentials"}, "are needed together"),
        ({"aws.auth.method": "profile"}, "expected credentials or default"),
        ({"aws.region": ""}, r"aws\.region is not set"),
        ({"endpoint.override": "no url"}, "takes these settings not"),
    ],
)
def test_settings_that_cannot_do_are_refused(
    settings: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(ConfigError, match=message):
        SecretsManagerConfigProvider().configure({"aws.region": "eu-central-1", **settings})


@pytest.mark.parametrize(
    "name",
    [
        "aws-secrets",
        "io.confluent.csid.config.provider.aws.SecretsManagerConfigProvider",
        "com.github.jcustenborder.kafka.config.aws.SecretsManagerConfigProvider",
        "io.lenses.connect.secrets.providers.AWSSecretProvider",
        "com.amazonaws.kafka.config.providers.SecretsManagerConfigProvider",
    ],
)
def test_a_workers_properties_name_it_as_other_workers_do(
    endpoint: str, secrets: dict[str, Any], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    prefix = "config.providers.s.param."
    props = {
        "config.providers": "s", "config.providers.s.class": name, prefix + "aws.region": "eu-central-1",
        prefix + "aws.access.key": "id", prefix + "aws.secret.key": "hunter3", prefix + "aws.endpoint.override": endpoint,
    }  # fmt: skip
    with caplog.at_level(logging.DEBUG):
        transformer = config_transformer(props, Plugins.discover())
        found = transformer.transform({"password": "${s:prod/db:password}"})
    assert found.data == {"password": SECRET}
    assert SECRET not in caplog.text
    assert "hunter3" not in caplog.text
    transformer.close()

"""Values from Google Cloud's Secret Manager, over HTTP from a stand-in that also gives the tokens."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.secret_stores import GoogleServer
from penstock.cli.services import config_transformer
from penstock.config.secrets.gcp import SecretManagerConfigProvider
from penstock.config.secrets.store import SecretUnavailableError
from penstock.errors import ConfigError
from penstock.plugins import Plugins

SECRET = "hunter2-of-google"


@pytest.fixture
def server() -> Iterator[GoogleServer]:
    made = GoogleServer()
    made.secrets = {
        "project-1/db": [b'{"password": "old"}', json.dumps({"password": SECRET}).encode()],
        "project-2/db": [b'{"password": "of another project"}'],
        "project-1/text": [SECRET.encode()],
        "project-1/odd": [b"\xff"],
    }
    yield made
    made.close()


@pytest.fixture
def key(server: GoogleServer, tmp_path: Path) -> Path:
    return server.key_file(tmp_path)


def provider(server: GoogleServer, key: Path, **settings: str) -> SecretManagerConfigProvider:
    given = {name.replace("_", "."): value for name, value in settings.items()}
    made = SecretManagerConfigProvider(pause=lambda _: None)
    base = {"credential.location": "File", "credential.file": str(key), "endpoint.override": server.url}
    made.configure({**base, **given})
    return made


def test_a_secrets_members_and_those_of_an_older_version(server: GoogleServer, key: Path) -> None:
    google = provider(server, key)
    assert google.get("db", {"password", "none"}) == ({"password": SECRET}, None)
    assert google.get("db?version=1").data == {"password": "old"}
    assert google.get("db?version=1&ttl=100").ttl_ms == 100
    assert provider(server, key, project_id="project-2").get("db").data == {"password": "of another project"}
    assert provider(server, key, use_json="false").get("text").data == {"value": SECRET}
    assert provider(server, key, secret_ttl_ms="5000").get("db").ttl_ms == 5000
    assert [path for _, path in server.requests].count("/token") == 4  # one for each provider, not for each secret
    google.close()


def test_the_key_may_stand_in_the_settings(server: GoogleServer, key: Path) -> None:
    google = SecretManagerConfigProvider()
    google.configure(
        {"credential.location": "Inline", "credential.inline": key.read_text(), "endpoint.override": server.url}
    )
    assert google.get("db").data == {"password": SECRET}


def test_the_key_may_be_where_googles_own_tools_look(
    server: GoogleServer, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    google = SecretManagerConfigProvider()
    google.configure({"endpoint.override": server.url})
    assert google.get("db").data == {"password": SECRET}


def test_what_cannot_be_had_is_explained(server: GoogleServer, key: Path) -> None:
    google = provider(server, key)
    for path, message in (
        ("none", "has no secret none"),
        ("db?version=7", "has no secret db, or not that version of it"),
        ("odd", "secret odd is not UTF-8 text"),
        ("text", "secret text is not a JSON object"),
    ):
        with pytest.raises(ConfigError, match=message) as caught:
            google.get(path)
        assert SECRET not in caught.value.message
    with pytest.raises(ConfigError, match="does not give secret db: HTTP 403"):
        provider(server, key, project_id="forbidden").get("db")


def test_a_store_that_is_away_for_a_moment_is_asked_again(server: GoogleServer, key: Path) -> None:
    google = provider(server, key)
    google.get("db")
    server.failures = [429, 503]
    assert google.get("db").data == {"password": SECRET}
    server.failures = [503, 503, 503]
    with pytest.raises(SecretUnavailableError, match="cannot answer now: HTTP 503"):
        google.get("db")
    server.close()
    with pytest.raises(SecretUnavailableError, match="cannot be reached: ConnectionError"):
        google.get("db")


def test_credentials_that_are_refused_are_not_tried_again(server: GoogleServer, tmp_path: Path) -> None:
    stranger = server.key_file(tmp_path, client_email="stranger@project-1.iam.gserviceaccount.com")
    with pytest.raises(ConfigError, match="gives no token for these credentials"):
        provider(server, stranger).get("db")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"credential.location": "Vault"}, "expected ApplicationDefault, File or Inline"),
        ({"credential.location": "File", "credential.file": "/nowhere/key"}, "cannot be read: FileNotFoundError"),
        ({"credential.location": "Inline", "credential.inline": '{"private_key": "hunter3"}'},
         r"credential\.inline is not the key of a service account"),
        ({"credential.location": "Inline", "credential.inline": "hunter3"}, "is not the key of a service account"),
    ],
)  # fmt: skip
def test_settings_that_cannot_do_are_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        SecretManagerConfigProvider().configure(settings)
    assert "hunter3" not in caught.value.message


@pytest.mark.parametrize(
    "name",
    [
        "gcp-secrets",
        "io.confluent.csid.config.provider.gcloud.SecretManagerConfigProvider",
        "com.github.jcustenborder.kafka.config.gcloud.SecretManagerConfigProvider",
    ],
)
def test_a_workers_properties_name_it_as_other_workers_do(
    server: GoogleServer, key: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    prefix = "config.providers.g.param."
    props = {
        "config.providers": "g", "config.providers.g.class": name, prefix + "credential.location": "File",
        prefix + "credential.file": str(key), prefix + "endpoint.override": server.url,
    }  # fmt: skip
    with caplog.at_level(logging.DEBUG):
        transformer = config_transformer(props, Plugins.discover())
        assert transformer.transform({"password": "${g:db:password}"}).data == {"password": SECRET}
    assert SECRET not in caplog.text
    assert "access-token" not in caplog.text
    transformer.close()

"""Values from HashiCorp Vault, over HTTP from a stand-in."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.secret_stores import VaultServer
from penstock.cli.services import config_transformer
from penstock.config.secrets.store import SecretUnavailableError
from penstock.config.secrets.vault import VaultConfigProvider
from penstock.errors import ConfigError
from penstock.plugins import Plugins

SECRET = "hunter2-of-vault"


@pytest.fixture
def server() -> Iterator[VaultServer]:
    made = VaultServer()
    made.secrets = {"prod/db": [{"password": "old"}, {"password": SECRET, "port": 5432}]}
    yield made
    made.close()


def provider(server: VaultServer, **settings: str) -> VaultConfigProvider:
    given = {key.replace("__", "-").replace("_", "."): value for key, value in settings.items()}
    made = VaultConfigProvider(pause=lambda _: None)
    made.configure({"vault.address": server.url, **given})
    return made


def test_a_secret_of_kv_version_2_and_its_older_versions(server: VaultServer) -> None:
    vault = provider(server, vault_auth_token="root-token")
    assert vault.get("secret/prod/db", {"password", "none"}) == ({"password": SECRET}, None)
    assert vault.get("secret/prod/db").data == {"password": SECRET, "port": "5432"}
    assert vault.get("secret/prod/db?version=1").data == {"password": "old"}
    with pytest.raises(ConfigError, match="has no secret secret/prod/db"):
        vault.get("secret/prod/db?version=7")
    with pytest.raises(ConfigError, match="has no secret secret/none"):
        vault.get("secret/none")
    vault.close()


def test_a_mount_of_more_than_one_segment(server: VaultServer) -> None:
    provider(server, vault_auth_token="root-token", vault_prefixpath="/teams/orders/")
    with pytest.raises(ConfigError):
        provider(server, vault_auth_token="root-token", vault_prefixpath="/teams/orders/").get("teams/orders/db")
    assert server.requests[-1] == ("GET", "/v1/teams/orders/data/db")


def test_a_secret_of_kv_version_1_and_leased_values_by_their_own_paths(server: VaultServer) -> None:
    server.version_1 = {"kv/db": {"password": SECRET}, "kv/timed": {"password": SECRET, "ttl": "1h"}}
    server.leases = {"app": [{"username": "v-1", "password": "p1"}, {"username": "v-2", "password": "p2"}]}
    vault = provider(server, vault_auth_token="root-token", vault_secrets_version="1")
    assert vault.get("kv/db") == ({"password": SECRET}, None)
    assert vault.get("kv/timed").ttl_ms == 2764800 * 900
    # User and password belong together, whoever asks: one lease serves until its end.
    assert vault.get("database/creds/app", {"username"}).data == {"username": "v-1"}
    data, ttl = vault.get("database/creds/app", {"password"})
    assert (data, 53_000 < (ttl or 0) <= 54_000) == ({"password": "p1"}, True)
    with pytest.raises(ConfigError, match="only secrets of KV version 2 have versions"):
        vault.get("kv/db?version=1")


def test_a_path_that_holds_something_else_is_explained(server: VaultServer) -> None:
    server.leases = {"app": [{"username": "v-1"}]}
    server.secrets["odd"] = [None]  # type: ignore[list-item]  # what Vault should never have
    with pytest.raises(ConfigError, match=r"is no secret with keys and values; vault\.secrets\.version=1"):
        provider(server, vault_auth_token="root-token").get("secret/odd")


@pytest.mark.parametrize(
    ("where", "body", "settings"),
    [
        ("approle/login", {"role_id": "r", "secret_id": "s"},
         {"vault.auth.method": "AppRole", "vault.auth.role": "r", "vault.auth.secret": "s"}),
        ("mine/login", {"role_id": "r", "secret_id": "s"},
         {"vault.auth.method": "approle", "app.role.id": "r", "app.role.secret.id": "s", "app.role.path": "mine"}),
        ("userpass/login/u", {"password": "p"},
         {"vault.auth.method": "UserPass", "vault.auth.username": "u", "vault.auth.password": "p"}),
        ("ldap/login/u", {"password": "p"}, {"vault.auth.method": "ldap", "ldap.username": "u", "ldap.password": "p"}),
        ("kubernetes/login", {"role": "r", "jwt": "of the service account"},
         {"vault.auth.method": "kubernetes", "kubernetes.role": "r", "kubernetes.token.path": "TOKEN"}),
    ],
)  # fmt: skip
def test_a_login_by_each_method_and_again_once_its_token_has_ended(
    server: VaultServer, tmp_path: Path, where: str, body: dict[str, str], settings: dict[str, str]
) -> None:
    (tmp_path / "token").write_text("of the service account\n")
    settings = {k: str(tmp_path / "token") if v == "TOKEN" else v for k, v in settings.items()}
    server.logins = {where: body}
    vault = VaultConfigProvider(pause=lambda _: None)
    vault.configure({"vault.address": server.url, **settings})
    assert vault.get("secret/prod/db", {"password"}).data == {"password": SECRET}
    assert vault.get("secret/prod/db", {"password"}).data == {"password": SECRET}
    assert server.logged_in == 1
    server.token = "another"  # as if the first had run out
    assert vault.get("secret/prod/db", {"password"}).data == {"password": SECRET}
    assert server.logged_in == 2
    server.logins, server.token = {}, "another"
    with pytest.raises(ConfigError, match="refuses the login by"):
        vault.get("secret/prod/db")


def test_the_environment_has_address_and_token_where_the_settings_do_not(
    server: VaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_ADDR", server.url)
    monkeypatch.setenv("VAULT_TOKEN", "root-token")
    vault = VaultConfigProvider()
    vault.configure({})
    assert vault.get("secret/prod/db", {"password"}).data == {"password": SECRET}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, r"needs vault\.auth\.token, or the variable VAULT_TOKEN"),
        ({"vault.auth.method": "github"}, "expected Token, AppRole"),
        ({"vault.auth.method": "AppRole", "vault.auth.role": "r"}, r"AppRole needs vault\.auth\.secret"),
        ({"vault.auth.token": "t", "vault.address": ""}, "neither is the variable VAULT_ADDR"),
        ({"vault.auth.token": "t", "vault.secrets.version": "3"}, r"vault\.secrets\.version"),
    ],
)
def test_settings_that_cannot_do_are_refused(
    settings: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VAULT_TOKEN", raising=False)
    monkeypatch.delenv("VAULT_ADDR", raising=False)
    with pytest.raises(ConfigError, match=message):
        VaultConfigProvider().configure({"vault.address": "http://127.0.0.1:9", **settings})


def test_a_token_without_the_right_is_refused_at_once(server: VaultServer) -> None:
    vault = provider(server, vault_auth_token="wrong")
    with pytest.raises(ConfigError, match="does not let this user read secret/prod/db"):
        vault.get("secret/prod/db")
    assert len(server.requests) == 1


def test_a_server_that_is_away_for_a_moment_is_asked_again(server: VaultServer) -> None:
    vault = provider(server, vault_auth_token="root-token")
    server.failures = [503, 500]
    assert vault.get("secret/prod/db", {"password"}).data == {"password": SECRET}
    server.failures = [503, 503, 503]
    with pytest.raises(SecretUnavailableError, match="cannot answer now: VaultDown"):
        vault.get("secret/prod/db")
    server.close()
    with pytest.raises(SecretUnavailableError, match="cannot be reached: ConnectionError"):
        vault.get("secret/prod/db")


def test_a_server_that_hangs_is_left_in_time(server: VaultServer) -> None:
    vault = provider(server, vault_auth_token="root-token", timeout_seconds="1", retry_count="1")
    server.stalled = True
    with pytest.raises(SecretUnavailableError, match="cannot be reached: ReadTimeout"):
        vault.get("secret/prod/db")


@pytest.mark.parametrize(
    "name",
    [
        "vault",
        "io.confluent.csid.config.provider.vault.VaultConfigProvider",
        "com.github.jcustenborder.kafka.config.vault.VaultConfigProvider",
        "io.lenses.connect.secrets.providers.VaultSecretProvider",
    ],
)
def test_a_workers_properties_name_it_as_other_workers_do(
    server: VaultServer, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    address, token = ("vault.addr", "vault.token") if "lenses" in name else ("vault.address", "vault.auth.token")
    prefix = "config.providers.v.param."
    props = {
        "config.providers": "v", "config.providers.v.class": name,
        prefix + address: server.url, prefix + token: "root-token",
    }  # fmt: skip
    with caplog.at_level(logging.DEBUG):
        transformer = config_transformer(props, Plugins.discover())
        found = transformer.transform({"password": "${v:secret/prod/db:password}"})
        with pytest.raises(ConfigError) as caught:
            transformer.transform({"password": "${v:secret/none:password}"})
    assert found.data == {"password": SECRET}
    assert caught.value.message == (
        f"config provider 'v', path 'secret/none': Vault at {server.url} has no secret secret/none"
    )
    assert SECRET not in caplog.text
    assert "root-token" not in caplog.text
    transformer.close()

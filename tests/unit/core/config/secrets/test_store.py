"""What all providers of secrets do alike: settings, paths, times to live, further attempts."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.cli.services import config_transformer
from penstock.config.secrets.store import (
    Secret,
    SecretPath,
    SecretStore,
    SecretUnavailableError,
    secret_of_text,
    store_def,
)
from penstock.errors import ConfigError, PluginError
from penstock.logs import no_wire_logs
from penstock.plugins import Plugins


class Store(SecretStore):
    """Answers with what it is given, and counts; an exception is raised."""

    settings = store_def()

    def __init__(self, *answers: Secret | Exception) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []
        self.asked: list[SecretPath] = []
        self._answers = list(answers)
        super().__init__(lambda: self.now, self.pauses.append)

    def connect(self) -> None:
        pass

    def read(self, path: SecretPath) -> Secret:
        self.asked.append(path)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


Made = Callable[..., Store]


@pytest.fixture
def store() -> Made:
    def make(*answers: Secret | Exception, **settings: str) -> Store:
        made = Store(*answers)
        made.configure({key.replace("_", "."): value for key, value in settings.items()})
        return made

    return make


ONE, TWO = Secret({"user": "u", "password": "1"}), Secret({"user": "u", "password": "2"})


def test_values_without_a_time_to_live_are_asked_for_each_time(store: Made) -> None:
    made = store(ONE, TWO)
    assert made.get("db", {"password", "none"}) == ({"password": "1"}, None)
    assert made.get("db") == ({"user": "u", "password": "2"}, None)


def test_values_are_kept_until_their_time_ends_and_the_time_that_is_left_is_told(store: Made) -> None:
    made = store(ONE, TWO, secret_ttl_ms="5000")
    assert made.get("db", {"password"}) == ({"password": "1"}, 5000)
    made.now += 4.75
    assert made.get("db", {"password"}) == ({"password": "1"}, 250)
    made.now += 0.25
    assert made.get("db", {"password"}) == ({"password": "2"}, 5000)
    assert len(made.asked) == 2


def test_a_lease_ends_before_the_store_takes_it_back(store: Made) -> None:
    made = store(Secret({"k": "1"}, 60), Secret({"k": "2"}, 60))
    assert made.get("db") == ({"k": "1"}, 54_000)
    made.now += 54
    assert made.get("db") == ({"k": "2"}, 54_000)
    shorter = store(Secret({"k": "1"}, 60), secret_ttl_ms="10000")
    assert shorter.get("db").ttl_ms == 10_000
    longer = store(Secret({"k": "1"}, 60), secret_ttl_ms="100000")
    assert longer.get("db").ttl_ms == 54_000


def test_a_path_may_say_its_version_and_its_time_to_live(store: Made) -> None:
    made = store(ONE, secret_ttl_ms="5000", secret_prefix="prod/")
    assert made.get("db?version=3&ttl=100").ttl_ms == 100
    assert made.get("db").ttl_ms == 5000
    assert [(path.name, path.version) for path in made.asked] == [("prod/db", "3"), ("prod/db", None)]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("db?versoin=3", "'versoin' means nothing in a secret's path"),
        ("db?ttl=soon", "a number of milliseconds above 0"),
        ("db?ttl=0", "a number of milliseconds above 0"),
        ("", "names no secret: write"),
    ],
)
def test_a_path_that_means_nothing_is_refused(store: Made, path: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        store(ONE).get(path)


def test_a_store_that_does_not_answer_is_asked_again_so_often(store: Made) -> None:
    away = SecretUnavailableError("away")
    made = store(away, away, ONE, retry_interval_seconds="4")
    assert made.get("db", {"user"}).data == {"user": "u"}
    assert made.pauses == [4, 4]
    gone = store(away, retry_count="2")
    with pytest.raises(SecretUnavailableError):
        gone.get("db")
    assert len(gone.asked) == 2
    refused = store(ConfigError("no such secret"), ONE)
    with pytest.raises(ConfigError, match="no such secret"):
        refused.get("db")
    assert len(refused.asked) == 1


def test_what_nobody_asks_for_any_more_is_forgotten(store: Made) -> None:
    made = store(ONE, secret_ttl_ms="1000")
    for number in range(50):
        made.get(f"db{number}")
    made.now += 2
    made.get("db")
    assert list(made._kept) == ["db"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"secret.ttl.ms": "10"}, r"secret\.ttl\.ms"),
        ({"retry.count": "0"}, r"retry\.count"),
        ({"file.write": "true"}, "secrets are never written to files here"),
        ({"secret.ttl.ms": "5000", "default.ttl": "6000"}, "mean the same setting, and have different values"),
    ],
)
def test_a_wrong_setting_is_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Store(ONE).configure(settings)


def test_a_setting_that_nothing_reads_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    Store(ONE).configure({"thread.count": "3", "polling.enabled": "true", "file.write": "false", "default.ttl": "0"})
    assert not caplog.records
    Store(ONE).configure({"timeout.secnds": "hunter2"})
    assert [record.getMessage() for record in caplog.records] == [
        "timeout.secnds is no setting of Store and has no effect"
    ]


def test_a_text_is_a_json_object_or_one_value() -> None:
    text = '{"user": "u", "port": 5432, "tls": true, "more": {"a": [1]}, "none": null}'
    found = {"user": "u", "port": "5432", "tls": "true", "more": '{"a": [1]}'}
    assert secret_of_text(text, "secret db") == found
    assert secret_of_text("hunter2", "secret db", as_json=False) == {"value": "hunter2"}
    for wrong in ("hunter2", '["hunter2"]', ""):
        with pytest.raises(ConfigError) as caught:
            secret_of_text(wrong, "secret db")
        assert "hunter2" not in caught.value.message
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_librarys_wire_stays_out_of_the_log_whatever_level_is_set(caplog: Any) -> None:
    no_wire_logs("some.library.wire")
    no_wire_logs("some.library.wire")
    logger = logging.getLogger("some.library.wire")
    with caplog.at_level(logging.DEBUG, "some.library.wire"):
        logger.debug("password=hunter2")
        logger.warning("gone")
    assert [record.getMessage() for record in caplog.records] == ["gone"]
    assert len(logger.filters) == 1


@pytest.mark.parametrize(
    "provider",
    [
        "vault:VaultConfigProvider",
        "aws:SecretsManagerConfigProvider",
        "gcp:SecretManagerConfigProvider",
    ],
)
def test_the_page_about_secrets_has_every_setting(provider: str) -> None:
    module, _, name = provider.partition(":")
    found = getattr(importlib.import_module(f"penstock.config.secrets.{module}"), name)
    page = (Path(__file__).parents[5] / "docs" / "secrets.md").read_text(encoding="utf-8")
    missing = {key.name for key in found.settings.keys if f"`{key.name}`" not in page}
    assert not missing


@pytest.mark.parametrize(
    ("provider", "module", "library"),
    [("vault", "vault", "hvac"), ("aws-secrets", "aws", "botocore.config"), ("gcp-secrets", "gcp", "google.auth")],
)
def test_a_library_that_is_not_installed_is_named_with_the_extra_that_has_it(
    provider: str, module: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, f"penstock.config.secrets.{module}", raising=False)
    props = {"config.providers": "p", "config.providers.p.class": provider}
    with pytest.raises(PluginError, match=rf'needs the module .*To install it: pip install "penstock\[{provider}\]"'):
        config_transformer(props, Plugins.discover())

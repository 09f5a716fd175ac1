"""``plugins.toml``."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.errors import ConfigError
from penstock.plugins import PluginSettings
from penstock.plugins.settings import ENVIRONMENT_VARIABLE, default_file


def test_the_default_ships_with_the_package() -> None:
    assert default_file().is_file()
    settings = PluginSettings.load()
    assert settings.disabled == frozenset()
    assert settings.install["io.confluent.connect.avro.AvroConverter"] == "penstock[avro]"


def test_a_users_file_is_laid_over_and_the_argument_wins_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "env.toml").write_text('disabled = ["a"]\n[install]\nx = "y"')
    (tmp_path / "arg.toml").write_text('disabled = ["b"]\n[paths]\nl = "sub"')
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "env.toml"))
    assert PluginSettings.load().disabled == {"a"}
    assert PluginSettings.load().install["x"] == "y"
    assert PluginSettings.load(tmp_path / "arg.toml").disabled == {"b"}
    assert PluginSettings.load(tmp_path / "arg.toml").paths == {"l": tmp_path / "sub"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("disable = []", "Unknown key 'disable'"),
        ("disabled = 'a'", "'disabled' .* must be a list of names"),
        ("aliases = 1", r"\[aliases\] .* must be a table"),
        ("[aliases]\ncom.acme.X = 'y'", r"\[aliases\] 'com' .* put keys with dots in quotes"),
        ("=", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_name(text: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(ConfigError, match=complaint) as caught:
        PluginSettings.load(tmp_path / "mine.toml")
    assert "mine.toml" in caught.value.message


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Cannot read the plugin settings"):
        PluginSettings.load(tmp_path / "none.toml")

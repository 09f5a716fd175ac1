"""Values that are kept outside a configuration."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from penstock.config.provider import ConfigData, ConfigProvider
from penstock.config.providers import DirectoryConfigProvider, EnvVarConfigProvider, FileConfigProvider
from penstock.config.transformer import ConfigTransformer
from penstock.errors import ConfigError


class Fixed(ConfigProvider):
    """Answers from a table, and remembers what it was asked."""

    def __init__(self, data: Mapping[str, Mapping[str, str]], ttl: int | None = None) -> None:
        self.data, self.ttl, self.asked = data, ttl, list[tuple[str, set[str]]]()

    def get(self, path: str, keys: Iterable[str] | None = None) -> ConfigData:
        assert keys is not None
        self.asked.append((path, set(keys)))
        return ConfigData({k: v for k, v in self.data.get(path, {}).items() if k in set(keys)}, self.ttl)


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        ("${p:a:k}", "1"),
        ("x${p:a:k}y${p:a:l}", "x1y2"),
        ("${p:k}", "bare"),
        ("${p:b:with:colon}", "3"),
        ("${other:a:k}", "${other:a:k}"),
        ("${date}", "${date}"),
        ("$1 {p:a:k}", "$1 {p:a:k}"),
        ("${p:a:nested}", "${p:a:k}"),
        ("", ""),
    ],
)
def test_variables_are_replaced_once_and_others_left(value: str, resolved: str) -> None:
    tables = {"a": {"k": "1", "l": "2", "nested": "${p:a:k}"}, "": {"k": "bare"}, "b": {"with:colon": "3"}}
    assert ConfigTransformer({"p": Fixed(tables)}).transform({"s": value}).data == {"s": resolved}


def test_each_path_is_asked_once_and_its_time_to_live_reported() -> None:
    provider = Fixed({"a": {"k": "1", "l": "2"}}, ttl=5000)
    result = ConfigTransformer({"p": provider}).transform({"x": "${p:a:k}", "y": "${p:a:l}", "z": "plain"})
    assert result.data == {"x": "1", "y": "2", "z": "plain"}
    assert result.ttls == {"a": 5000}
    assert provider.asked == [("a", {"k", "l"})]


def test_a_variable_whose_key_is_missing_stays_where_it_may() -> None:
    transformer = ConfigTransformer({"p": Fixed({"a": {"k": "1"}})})
    assert transformer.transform({"s": "x-${p:a:none}-${p:a:k}"}, keep_unknown=True).data == {"s": "x-${p:a:none}-1"}


def test_of_two_providers_with_one_path_the_shorter_time_to_live_counts() -> None:
    providers = {"p": Fixed({"a": {"k": "1"}}, ttl=5000), "q": Fixed({"a": {"k": "2"}}, ttl=7000)}
    for settings in ({"x": "${p:a:k}", "y": "${q:a:k}"}, {"y": "${q:a:k}", "x": "${p:a:k}"}):
        assert ConfigTransformer(providers).transform(settings).ttls == {"a": 5000}


@pytest.mark.parametrize("text", ["${" * 50_000, "${" + ":" * 100_000, "${:" * 50_000 + "}", "${a}" * 50_000])
def test_a_text_of_any_shape_is_looked_through_once(text: str) -> None:
    transformer = ConfigTransformer({"p": Fixed({})})
    assert transformer.transform({"s": text}).data == {"s": text}


def test_a_missing_key_is_an_error_that_names_provider_path_key_and_setting_but_no_value() -> None:
    transformer = ConfigTransformer({"vault": Fixed({"db": {"user": "hunter2"}})})
    with pytest.raises(ConfigError) as caught:
        transformer.transform({"u": "${vault:db:user}", "connection.password": "${vault:db:pass}"})
    assert caught.value.message == (
        "config provider 'vault', path 'db' has no key 'pass', which the setting 'connection.password' refers to"
    )


def test_a_strangers_failing_provider_is_named_without_its_words() -> None:
    class Failing(ConfigProvider):
        def get(self, path: str, keys: Iterable[str] | None = None) -> ConfigData:
            raise RuntimeError("token=hunter2")

    with pytest.raises(ConfigError) as caught:
        ConfigTransformer({"v": Failing()}).transform({"a": "${v:p:k}"})
    assert caught.value.message == "config provider 'v', path 'p' failed with RuntimeError"


def test_a_pipe_or_a_device_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (str(pipe), "/dev/zero"):
        with pytest.raises(ConfigError, match="is not a regular file"):
            FileConfigProvider().get(path, {"key"})
    assert DirectoryConfigProvider().get(str(tmp_path)).data == {}
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ConfigError, match="more than 16777216 bytes"):
        FileConfigProvider().get(str(tmp_path / "large"))


def test_values_come_from_a_properties_file(tmp_path: Path) -> None:
    (tmp_path / "db.properties").write_text("user=me\npassword=a=b\n")
    data, ttl = FileConfigProvider().get(str(tmp_path / "db.properties"), {"password", "none"})
    assert (data, ttl) == ({"password": "a=b"}, None)
    assert FileConfigProvider().get(str(tmp_path / "db.properties")).data == {"user": "me", "password": "a=b"}
    assert FileConfigProvider().get("").data == {}
    with pytest.raises(ConfigError, match=r"Cannot read .*none"):
        FileConfigProvider().get(str(tmp_path / "none"), {"k"})


def test_a_malformed_file_shows_nothing_of_its_content(tmp_path: Path) -> None:
    (tmp_path / "db.properties").write_text("password=\\uhunter2\n")
    transformer = ConfigTransformer({"file": FileConfigProvider()})
    with pytest.raises(ConfigError) as caught:
        transformer.transform({"a": f"${{file:{tmp_path}/db.properties:password}}"})
    assert "hun" not in caught.value.message


def test_values_come_from_the_files_of_a_directory(tmp_path: Path) -> None:
    (tmp_path / "user").write_text("me")
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "sub").mkdir()
    provider = DirectoryConfigProvider()
    assert provider.get(str(tmp_path)).data == {"user": "me", "password": "secret\n"}
    assert provider.get(str(tmp_path), {"user", "../user", "sub", "none", ".."}).data == {"user": "me"}
    with pytest.raises(ConfigError, match="is not a directory"):
        provider.get(str(tmp_path / "user"))


@pytest.mark.parametrize("kind", [FileConfigProvider, DirectoryConfigProvider])
def test_only_allowed_paths_are_read_wherever_links_lead(kind: type[ConfigProvider], tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "inside2"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "f").write_text("k=v")
    (inside / "link").symlink_to(outside)
    provider = kind()
    provider.configure({"allowed.paths": f" {inside} ,{inside}"})
    leaf = "f" if kind is FileConfigProvider else ""
    assert provider.get(str(inside / leaf)).data
    for path in (outside / leaf, inside / "link" / leaf, inside / ".." / "inside2" / leaf):
        with pytest.raises(ConfigError, match=r"not allowed.*allowed\.paths"):
            provider.get(str(path))
    with pytest.raises(ConfigError, match="expected absolute paths that exist"):
        kind().configure({"allowed.paths": "relative/path"})


def test_a_link_in_a_directory_that_leads_outside_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "in" / "key").symlink_to(tmp_path / "secret")
    provider = DirectoryConfigProvider()
    provider.configure({"allowed.paths": str(tmp_path / "in")})
    assert provider.get(str(tmp_path / "in")).data == {}


def test_values_come_from_allowed_environment_variables() -> None:
    provider = EnvVarConfigProvider({"DB_USER": "me", "HOME": "/root"})
    provider.configure({"allowlist.pattern": "DB_.*"})
    assert provider.get("", {"DB_USER", "HOME"}).data == {"DB_USER": "me"}
    assert provider.get("").data == {"DB_USER": "me"}
    with pytest.raises(ConfigError, match="have no path"):
        provider.get("x", {"DB_USER"})
    with pytest.raises(ConfigError, match=r"allowlist\.pattern"):
        EnvVarConfigProvider({}).configure({"allowlist.pattern": "("})

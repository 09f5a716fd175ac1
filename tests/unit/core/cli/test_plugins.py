"""``penstock plugins``: what there is, what it takes, and what is wrong with it; and the guide for authors."""

from __future__ import annotations

import argparse
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.cli import plugins as command
from penstock.errors import PluginError
from penstock.plugins import PluginKind, Plugins, PluginSettings, hookspecs

ROOT = Path(__file__).parents[4]
GUIDE = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
NEEDY = """
from penstock.api import Plugin, hookimpl

@hookimpl
def penstock_register_converters():
    return [Plugin("needy", "penstock_needy_cli.conv:C", ("com.acme.NeedyConverter",), uses_registry=True, version="9")]
"""


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers(dest="command"))
    parsed = parser.parse_args(["plugins", *arguments])
    status: int = parsed.run(parsed)
    return status


def settings_file(folder: Path, text: str = "") -> str:
    (folder / "plugins.toml").write_text(f'{text}\n[paths]\nmine = "."\n')
    return str(folder / "plugins.toml")


def write_needy(folder: Path, body: str) -> None:
    package = folder / "penstock_needy_cli"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "plugin.py").write_text(NEEDY)
    (package / "conv.py").write_text(body)
    for module in [m for m in sys.modules if m.startswith("penstock_needy_cli")]:
        del sys.modules[module]


def test_the_list_has_every_plugin_and_keeps_converters_with_a_registry_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_needy(tmp_path, "raise AssertionError('listing must not import this')")
    assert run("--plugins", settings_file(tmp_path), "list") == 0
    out = capsys.readouterr().out
    assert "org.apache.kafka.common.config.provider.FileConfigProvider" in out
    without, _, rest = out.partition("Converters with a schema registry:\n")
    assert "needy" not in without
    assert re.search(r"needy +com\.acme\.NeedyConverter +mine 9 +registry", rest)


def test_describe_shows_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("describe", "HasHeaderKey") == 0
    out = capsys.readouterr().out
    assert "org.apache.kafka.connect.transforms.predicates.HasHeaderKey" in out
    assert re.search(r"name +string +\(required\)", out)


def test_describe_takes_a_python_path_of_a_class_that_nobody_announced(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("describe", "penstock.api:Transform") == 0
    assert "kind    transform\n" in capsys.readouterr().out


def test_describe_of_an_unknown_name_suggests_others() -> None:
    with pytest.raises(PluginError, match="HasHeaderKey"):
        run("describe", "HasHeadrKey")


def test_doctor_tells_a_library_that_is_not_installed_from_something_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_needy(tmp_path, "import no_such_library_at_all")
    file = settings_file(tmp_path, '[install]\nno_such_library_at_all = "acme[needy]"')
    only_needy = PluginSettings.load(file)
    found = Plugins.discover(only_needy)
    monkeypatch.setattr(command, "discover_plugins", lambda _: _only(found, "needy"))
    assert run("doctor") == 0
    assert "not installed: The converter 'needy' of mine needs the module 'no_such_library_at_all'" in (
        out := capsys.readouterr().out
    )
    assert 'pip install "acme[needy]"' in out
    assert "0 of 1 plugins are ready" in out

    (tmp_path / "penstock_needy_cli" / "conv.py").write_text("class C: pass")
    assert run("doctor") == 1
    assert "it does not extend penstock.api.Converter" in capsys.readouterr().out


def _only(plugins: Plugins, name: str) -> Plugins:
    plugins._infos = [info for info in plugins.infos() if info.plugin.name == name]
    return plugins


def test_doctor_reports_an_entry_point_that_does_not_import(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "penstock_torn").mkdir()
    (tmp_path / "penstock_torn" / "plugin.py").write_text("1 / 0")
    assert run("--plugins", settings_file(tmp_path), "doctor") == 1
    assert (
        "broken: mine (penstock_torn.plugin): importing penstock_torn.plugin failed: ZeroDivisionError"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize("hook", [name for name in dir(hookspecs) if name.startswith("penstock_")])
def test_the_guide_has_every_hook_with_its_signature(hook: str) -> None:
    signature = str(inspect.signature(getattr(hookspecs, hook))).replace("'", "")
    assert f"def {hook}{signature}: ..." in GUIDE


def test_every_kind_of_plugin_has_a_hook() -> None:
    assert all(hasattr(hookspecs, kind.hook) for kind in PluginKind)


def test_the_guides_example_works_as_it_stands(tmp_path: Path) -> None:
    package = tmp_path / "penstock_acme"
    package.mkdir()
    for name, text in re.findall(r"```python\n# penstock_acme/(\w+\.py)\n(.*?)```", GUIDE, re.S):
        (package / name).write_text(text)
    plugins = Plugins.discover(PluginSettings(paths={"acme": tmp_path}))
    try:
        for name in (
            "reversed",
            "com.acme.connect.ReversedConverter",
            "Reversed",
            "penstock_acme.reversed:ReversedConverter",
        ):
            converter = plugins.new(PluginKind.CONVERTER, name)
            converter.configure({}, is_key=False)
            assert converter.serializer("t", None)("abc") == b"cba"
            assert converter.deserializer("t")(b"cba").value == "abc"
    finally:
        for module in [m for m in sys.modules if m.startswith("penstock_acme")]:
            del sys.modules[module]


def test_the_guides_settings_file_is_valid(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(# Not to be used.*?)```", GUIDE, re.S)
    (tmp_path / "plugins.toml").write_text(text)
    settings = PluginSettings.load(tmp_path / "plugins.toml")
    assert settings.disabled == {"penstock-acme/reversed"}
    assert settings.aliases["com.acme.old.BackwardsConverter"] == "reversed"
    assert settings.paths["acme"] == Path("/opt/penstock/plugins")
    assert settings.install["io.confluent.connect.avro.AvroConverter"] == "penstock[avro]"  # the default's, still there


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    """``penstock plugins list | head -0``."""
    program = Path(sys.executable).with_name("penstock")
    with subprocess.Popen([program, "plugins", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as listing:
        assert listing.stdout is not None
        assert listing.stderr is not None
        listing.stdout.close()
        assert listing.stderr.read() == b""
    assert listing.returncode == 141

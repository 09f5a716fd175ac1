"""``penstock new``: what it writes, and which names it refuses."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from penstock.cli import main
from penstock.cli.scaffold import KINDS, ScaffoldNames, rendered
from penstock.errors import ConnectError


@pytest.mark.parametrize(
    ("name", "distribution", "package", "class_name"),
    [
        ("acme-ticks", "acme-ticks", "acme_ticks", "AcmeTicks"),
        ("Acme.Ticks_2", "acme-ticks-2", "acme_ticks_2", "AcmeTicks2"),
        ("a", "a", "a", "A"),
        ("penstock-acme", "penstock-acme", "penstock_acme", "PenstockAcme"),
    ],
)
def test_names_follow_from_the_distributions(name: str, distribution: str, package: str, class_name: str) -> None:
    assert ScaffoldNames.of(name) == ScaffoldNames(distribution, package, class_name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is no name for a distribution"),
        ("acme ticks", "is no name for a distribution"),
        ("-acme", "is no name for a distribution"),
        ("acme-", "is no name for a distribution"),
        ("../acme", "is no name for a distribution"),
        ("acme/ticks", "is no name for a distribution"),
        ("zoë", "is no name for a distribution"),
        ("acme\n", "is no name for a distribution"),
        ("3com", "begin with a letter"),
        ("class", "is a word of Python's"),
        ("Lambda", "is a word of Python's"),
        ("match", "is a word of Python's"),
        ("json", "would hide a module"),
        ("penstock", "would hide a module"),
        ("penstock.converters", "would hide a module"),
        ("tests", "would hide a module"),
        ("a" * 31, "is too long"),
    ],
)
def test_names_that_cannot_be_used_are_refused(name: str, reason: str) -> None:
    with pytest.raises(ConnectError, match=reason):
        ScaffoldNames.of(name)


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "acme-ticks").mkdir()
    assert main(["new", "connector", "acme-ticks", "--dir", str(tmp_path)]) == 1
    assert "is there already and is left alone" in capsys.readouterr().err
    assert list((tmp_path / "acme-ticks").iterdir()) == []


def test_the_folder_to_write_to_has_to_be_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "connector", "acme-ticks", "--dir", str(tmp_path / "none")]) == 1
    assert "is no folder" in capsys.readouterr().err


def test_a_name_that_a_plugin_of_somebody_else_has_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", "connector", "jsonlines", "--dir", str(tmp_path)]) == 1
    assert "there is a connector named jsonlines-source already, of penstock" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_whole(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", kind, "acme-thing", "--dir", str(tmp_path)]) == 0
    folder = tmp_path / "acme-thing"
    assert f"cd {folder}" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["acme-thing"]
    files = {str(path.relative_to(folder)): path.read_text("utf-8") for path in folder.rglob("*") if path.is_file()}
    assert files == rendered(kind, ScaffoldNames.of("acme-thing"))
    assert {"pyproject.toml", "README.md", ".gitignore", "src/acme_thing/py.typed", "tests/test_plugin.py"} <= set(
        files
    )
    for name, text in files.items():
        assert "@" not in text.replace("@hookimpl", "").replace("@property", "").replace("@classmethod", ""), name
        if name.endswith(".py"):
            compile(text, name, "exec")
    project = tomllib.loads(files["pyproject.toml"])["project"]
    assert project["name"] == "acme-thing"
    assert project["license"] == "Apache-2.0"
    assert project["entry-points"]["penstock"] == {"acme_thing": "acme_thing.plugin"}


@pytest.mark.parametrize("name", ["a", "acme-thing", "a-name-of-thirty-characters-xy"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_clean_and_formatted_whatever_the_name(kind: str, name: str, tmp_path: Path) -> None:
    assert main(["new", kind, name, "--dir", str(tmp_path)]) == 0
    for command in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        ran = subprocess.run(
            [sys.executable, "-m", "ruff", *command, str(tmp_path / name)], capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr

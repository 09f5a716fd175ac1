"""The code of docs/plugins.md: every block of it is written where it says, and its tests pass."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from penstock.cli import main
from penstock.plugins import hookspecs
from penstock.plugins.settings import PluginSettings

GUIDE = (Path(__file__).parents[2] / "docs/plugins.md").read_text("utf-8")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PLACE = re.compile(r"# ((?:penstock_acme|tests)/\w+\.py)\n")


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(GUIDE) if kind == language]


@pytest.fixture(scope="module")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the guide's modules; the suite that it shows without a file's name is a test, too."""
    folder = tmp_path_factory.mktemp("guide")
    for text in blocks("python"):
        if place := PLACE.match(text):
            file = folder / place[1]
        elif "converter_suite(" in text:
            file = folder / "tests/test_reversed.py"
        else:
            continue
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
    (folder / "penstock_acme/__init__.py").touch()
    return folder


def test_every_block_of_python_has_a_place_or_is_a_list_of_hooks() -> None:
    for text in blocks("python"):
        hooks = re.findall(r"^def (penstock_\w+)\(.*\) -> .*: \.\.\.$", text, re.MULTILINE)
        assert PLACE.match(text) or "converter_suite(" in text or hooks, text
        assert all(hasattr(hookspecs, hook) for hook in hooks)
        compile(text, "docs/plugins.md", "exec")


def test_the_tests_of_the_guide_pass(distribution: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=distribution, env={**os.environ, "PYTHONPATH": str(distribution)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert {path.name for path in (distribution / "tests").iterdir()} >= {
        "test_archive.py", "test_lines.py", "test_reversed.py",
    }  # fmt: skip


def test_the_announcement_of_the_guide_is_taken(distribution: Path) -> None:
    program = "import penstock_acme.plugin as p; from penstock.plugins import Plugins; s = Plugins.of(p); print([s.import_class(i).__name__ for i in s.infos()])"
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=distribution, env={**os.environ, "PYTHONPATH": str(distribution)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ran.stdout.strip() == "['ReversedConverter']", ran.stderr


def test_the_blocks_of_toml_are_what_penstock_reads(tmp_path: Path) -> None:
    project, plugins = blocks("toml")
    assert tomllib.loads(project)["project"]["entry-points"]["penstock"] == {"penstock_acme": "penstock_acme.plugin"}
    file = tmp_path / "plugins.toml"
    file.write_text(plugins, "utf-8")
    settings = PluginSettings.load(file)
    assert settings.aliases["com.acme.old.BackwardsConverter"] == "reversed"


def test_the_scaffold_holds_the_files_that_the_guide_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shell,) = [text for text in blocks("sh") if text.startswith("penstock new")]
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(shell.splitlines()[0])[1:]) == 0
    folder = tmp_path / "acme-notes"
    rows = GUIDE.split("| file | holds |\n|---|---|\n")[1].split("\n\n")[0].splitlines()
    for row in rows:
        first, *others = re.findall(r"`([\w./]+)`", row.split("|")[1])
        for name in (first, *(str(Path(first).with_name(other)) for other in others)):
            assert (folder / name).exists(), name

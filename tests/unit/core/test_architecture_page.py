"""docs/architecture.md: the modules it names are there, and none is left out."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
#: The head of a table's first column, and the folder whose modules it lists.
TABLES = {
    "module of `runtime`": "core/penstock/runtime",
    "module of `runtime/source`": "core/penstock/runtime/source",
    "module of `runtime/sink`": "core/penstock/runtime/sink",
    "module of `kafka`": "core/penstock/kafka",
    "module of `http`": "core/penstock/http",
    "module of `access`": "core/penstock/access",
    "module of `herder`": "core/penstock/herder",
    "module of `herder/distributed`": "core/penstock/herder/distributed",
}


def page() -> str:
    return (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def modules_in_table(head: str) -> list[str]:
    table = page().split(f"| {head} | job |\n|---|---|\n")[1].split("\n\n")[0]
    return re.findall(r"`(\w+)`", "\n".join(row.split("|")[1] for row in table.splitlines()))


@pytest.mark.parametrize(("head", "folder"), TABLES.items())
def test_every_module_of_a_room_stands_in_its_table_once(head: str, folder: str) -> None:
    there = {path.stem for path in (ROOT / folder).glob("*.py")} - {"__init__"}
    named = modules_in_table(head)
    assert sorted(named) == sorted(there)


def test_every_room_of_core_stands_in_the_table_of_rooms_once() -> None:
    core = ROOT / "core" / "penstock"
    packages = {path.parent.name for path in core.glob("*/__init__.py")}
    modules = {path.name for path in core.glob("*.py")} - {"__init__.py"}
    table = page().split("| room | job |\n|---|---|\n")[1].split("\n\n")[0]
    named = [row.split("|")[1].strip().strip("`").rstrip("/") for row in table.splitlines()]
    assert sorted(named) == sorted(packages | modules)


def test_every_import_package_stands_in_the_table_of_folders() -> None:
    table = page().split("| folder | package | holds |\n|---|---|---|\n")[1].split("\n\n")[0]
    named = [tuple(cell.strip().strip("`").rstrip("/") for cell in row.split("|")[1:3]) for row in table.splitlines()]
    there = [(path.parts[-3], path.parts[-2]) for path in ROOT.glob("*/penstock*/__init__.py")]
    assert sorted(named) == sorted(there)


def test_the_laboratory_is_not_part_of_the_wheel() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"][
        "wheel"
    ]
    assert (ROOT / "tests" / "lab" / "__init__.py").is_file()
    assert not any(package.startswith("tests") for package in wheel["packages"])

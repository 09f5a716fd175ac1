"""docs/architecture.md: the modules it names are there, and none is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
#: The head of a table's first column, and the folder whose modules it lists.
TABLES = {
    "module of `herder`": "core/penstock/herder",
    "module of `herder/distributed`": "core/penstock/herder/distributed",
}


def modules_in_table(head: str) -> list[str]:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.split(f"| {head} | job |\n|---|---|\n")[1].split("\n\n")[0]
    return re.findall(r"`(\w+)`", "\n".join(row.split("|")[1] for row in table.splitlines()))


@pytest.mark.parametrize(("head", "folder"), TABLES.items())
def test_every_module_of_a_room_stands_in_its_table_once(head: str, folder: str) -> None:
    there = {path.stem for path in (ROOT / folder).glob("*.py")} - {"__init__"}
    named = modules_in_table(head)
    assert sorted(named) == sorted(there)

"""What a user gets from the index: built the way it is published, installed where no checkout is."""

import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.packaging

PACKAGES = ("penstock", "penstock_connectors", "penstock_converters", "penstock_registry", "penstock_transforms")
ROOT = Path(__file__).parents[2]

WHERE = """
import importlib, json, sys
print(json.dumps({name: importlib.import_module(name).__file__ for name in sys.argv[1:]}))
"""
IMPORT_ALL = """
import importlib, json, pkgutil, sys
failed, count = {}, 0
for package in sys.argv[1:]:
    for module in pkgutil.walk_packages([importlib.import_module(package).__path__[0]], package + "."):
        if module.name.endswith("__main__"):
            continue
        count += 1
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            failed[module.name] = repr(error)
print(json.dumps({"count": count, "failed": failed}))
"""


def tracked(suffix: str) -> set[str]:
    """The checkout's files under the five packages, as they are named in a wheel."""
    found = set()
    for package in PACKAGES:
        home = next(ROOT.glob(f"*/{package}")).parent
        found |= {
            str(file.relative_to(home))
            for file in (home / package).rglob(f"*{suffix}")
            if "__pycache__" not in file.parts
        }
    return found


def test_the_wheel_holds_every_module_of_the_five_packages_and_the_plugin_list(distributions: Path) -> None:
    names = set(zipfile.ZipFile(next(distributions.glob("*.whl"))).namelist())
    assert {name for name in names if name.endswith(".py")} == tracked(".py")
    assert tracked("py.typed") == {f"{package}/py.typed" for package in PACKAGES}
    assert tracked("py.typed") <= names
    assert "penstock/plugins.toml" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_sdist_holds_what_the_tests_need_and_no_environment(distributions: Path) -> None:
    with tarfile.open(next(distributions.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"pyproject.toml", "plugins.toml", "README.md", "LICENSE", "tests/conftest.py"} <= names
    assert not [name for name in names if name.startswith((".venv", "dist/")) or "__pycache__" in name]


def test_a_bare_installation_runs_and_lists_what_it_cannot_use(installed: Any) -> None:
    where = json.loads(installed.run("python", "-c", WHERE, *PACKAGES))
    assert all(str(installed.folder) in file for file in where.values()), where
    assert installed.run("penstock", "--version").startswith("penstock 0.1.0 ")
    listing = installed.run("penstock", "plugins", "list")
    for name in ("json", "avro", "FileStreamSource", "InsertField"):
        assert name in listing


def test_every_module_imports_once_the_extras_are_there(installed_all: Any) -> None:
    result = json.loads(installed_all.run("python", "-c", IMPORT_ALL, *PACKAGES))
    assert result["failed"] == {}
    assert result["count"] >= len(
        [name for name in tracked(".py") if name.count("/") > 0 and not name.endswith("__init__.py")]
    )

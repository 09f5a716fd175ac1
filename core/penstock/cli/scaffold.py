"""A new distribution with a plugin in it, out of templates: names checked, files written all or none."""

from __future__ import annotations

import importlib.resources
import keyword
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from penstock import __version__
from penstock.errors import ConnectError

__all__ = ["KINDS", "ScaffoldNames", "rendered", "write_scaffold"]

#: The kinds that can be made, with one line about the example in each.
KINDS: Final[Mapping[str, str]] = {
    "connector": "Text files of a folder, read into Kafka and written out of it",
    "converter": "Flat maps as labelled tab-separated values",
    "transform": "A text field of the value, masked but for its last characters",
}
#: A distribution's name (PEP 508).
_NAME: Final = re.compile(r"[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]")
#: With longer names the lines of the templates would not fit, and the formatter would want them otherwise.
_MAX_NAME: Final = 30
_OUR_OWN: Final = re.compile(r"penstock(_(converters|transforms|connectors|registry))?")
_TEMPLATES: Final = "templates"
_SUFFIX: Final = ".txt"
#: Files that all kinds have: template, and where it goes.
_COMMON: Final = {
    "pyproject.toml": "pyproject.toml",
    "gitignore": ".gitignore",
    "README.md": "README.md",
    "init.py": "src/@PACKAGE@/__init__.py",
    "test_plugin.py": "tests/test_plugin.py",
}


@dataclass(frozen=True, slots=True)
class ScaffoldNames:
    """The names that a distribution and what is in it go by."""

    #: As the package index shows it, normalized (PEP 503): ``acme-ticks``.
    distribution: str
    #: As Python imports it: ``acme_ticks``.
    package: str
    #: The beginning of its classes' names: ``AcmeTicks``.
    class_name: str

    @classmethod
    def of(cls, name: str) -> ScaffoldNames:
        """Derive them from the name that a user gave. Raises `ConnectError` for a name that cannot be used."""
        if not _NAME.fullmatch(name):
            raise ConnectError(
                f"{name!r} is no name for a distribution: expected letters, digits, '-', '_' and '.', with a letter or a digit at both ends"
            )
        if len(name) > _MAX_NAME:
            raise ConnectError(f"the name {name!r} is too long: expected at most {_MAX_NAME} characters")
        distribution = re.sub(r"[-_.]+", "-", name).lower()
        package = distribution.replace("-", "_")
        if not package.isidentifier():
            raise ConnectError(
                f"{name!r} makes the package {package!r}, which Python cannot import: begin with a letter"
            )
        if keyword.iskeyword(package) or keyword.issoftkeyword(package):
            raise ConnectError(
                f"{name!r} makes the package {package!r}, which is a word of Python's: choose another name"
            )
        if package in sys.stdlib_module_names or _OUR_OWN.fullmatch(package) or package in ("tests", "pytest"):
            raise ConnectError(
                f"{name!r} makes the package {package!r}, which would hide a module of that name: choose another name"
            )
        return cls(distribution, package, "".join(part.capitalize() for part in package.split("_")))


def rendered(kind: str, names: ScaffoldNames) -> dict[str, str]:
    """Return the files of a distribution: paths with ``/`` → texts. `kind` is one of `KINDS`."""
    folder = importlib.resources.files("penstock.cli") / _TEMPLATES
    texts = {target: (folder / "common" / f"{name}{_SUFFIX}").read_text("utf-8") for name, target in _COMMON.items()}
    for room, target in (("src", "src/@PACKAGE@"), ("tests", "tests")):
        for entry in (folder / kind / room).iterdir():
            if entry.name.endswith(_SUFFIX):
                texts[f"{target}/{entry.name.removesuffix(_SUFFIX)}"] = entry.read_text("utf-8")
    texts["src/@PACKAGE@/py.typed"] = ""
    words = {
        "@USE@": (folder / kind / f"use.md{_SUFFIX}").read_text("utf-8").rstrip("\n") + "\n",
        "@SUMMARY@": KINDS[kind],
        "@DISTRIBUTION@": names.distribution,
        "@PLUGIN@": names.distribution,
        "@PACKAGE@": names.package,
        "@CLASS@": names.class_name,
        "@PENSTOCK@": __version__,
    }
    return {_filled(path, words): _filled(text, words) for path, text in sorted(texts.items())}


def _filled(text: str, words: Mapping[str, str]) -> str:
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    return text


def write_scaffold(parent: Path, kind: str, names: ScaffoldNames) -> Path:
    """Write the distribution into a new folder under `parent`, and return it.

    Raises `ConnectError` if there is something of that name, or if it cannot be written: then nothing is left behind.
    """
    folder = parent / names.distribution
    if folder.exists() or folder.is_symlink():
        raise ConnectError(f"{folder} is there already and is left alone: choose another name, or another --dir")
    try:
        with tempfile.TemporaryDirectory(prefix=f".{names.distribution}-", dir=parent) as aside:
            made = Path(aside, names.distribution)
            for path, text in rendered(kind, names).items():
                file = made / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8", newline="\n")
            shutil.move(made, folder)
    except OSError as error:
        raise ConnectError(f"cannot write {folder}: {error}") from error
    return folder

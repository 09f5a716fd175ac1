"""Packages from npm for tests with JavaScript clients: installed once into ``~/.cache/penstock``; later runs need no network."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from penstock.testing.jars import cached_folder

__all__ = ["NpmError", "node", "npm_packages"]

_HINT: Final = "install Node.js 18 or newer with npm (Debian, Ubuntu: apt-get install nodejs npm)"


class NpmError(RuntimeError):
    """Node.js is missing or npm could not install something; the message says what to do or what npm said."""


def npm_packages(folder_name: str, packages: Mapping[str, str], cache: Path | None = None) -> Path:
    """The ``node_modules`` folder with `packages`, names and exact versions. `folder_name` says what they are for."""
    versions = "-".join(f"{name}-{version}" for name, version in sorted(packages.items()))
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", f"npm-{folder_name}-{versions}")
    return cached_folder(name, lambda folder: _install(folder, packages), cache) / "node_modules"


def node() -> str:
    """The path of ``node``; `NpmError` with what to install."""
    return _tool("node")


def _install(folder: Path, packages: Mapping[str, str]) -> None:
    (folder / "package.json").write_text(json.dumps({"private": True, "dependencies": dict(packages)}))
    command = [_tool("npm"), "install", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - the command is ours
    if ran.returncode:
        raise NpmError(f"could not install {dict(packages)}: npm said:\n{(ran.stdout + ran.stderr)[-3000:]}")


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise NpmError(f"no '{name}' on PATH; {_HINT}")
    return found

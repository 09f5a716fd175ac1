"""JavaScript clients for tests: installed once with npm into ``~/.cache/penstock``; later runs need no network."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from lab.jars import cached_folder

__all__ = ["NpmError", "fetch_packages", "has_node", "run_script"]


class NpmError(RuntimeError):
    """A package could not be installed or a script failed; the message has what was said."""


def has_node() -> bool:
    return shutil.which("node") is not None and shutil.which("npm") is not None


def fetch_packages(manifest: Path, cache: Path | None = None) -> Path:
    """The folder whose ``node_modules`` holds what the ``package.json`` `manifest` and its lock file beside it name."""
    lock = manifest.with_name("package-lock.json")
    mark = hashlib.sha256(manifest.read_bytes() + lock.read_bytes()).hexdigest()[:12]

    def fill(folder: Path) -> None:
        for file in (manifest, lock):
            shutil.copy(file, folder)
        _run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"], folder, 600)

    return cached_folder(f"npm-{mark}", fill, cache)


def run_script(script: Path, packages: Path, request: Any, timeout: float = 120) -> Any:
    """Return what `script` prints as JSON, given `request` as JSON; it finds its modules in `packages`."""
    copy = packages / script.name  # Node looks for modules beside the script
    if not copy.exists() or copy.read_bytes() != script.read_bytes():
        shutil.copy(script, copy)
    return json.loads(_run(["node", str(copy)], packages, timeout, json.dumps(request)))


def _run(command: list[str], folder: Path, timeout: float, given: str = "") -> str:
    ran = subprocess.run(command, cwd=folder, input=given, capture_output=True, text=True, check=False, timeout=timeout)
    if ran.returncode:
        raise NpmError(f"{' '.join(command)} ended with {ran.returncode}:\n{(ran.stdout + ran.stderr)[-4000:]}")
    return ran.stdout

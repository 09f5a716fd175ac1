"""Jars for tests that need a JVM: fetched once with Maven into ``~/.cache/penstock``; later runs need no network."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Final

from penstock.testing.broker import JvmError, find_tool

__all__ = ["cached_folder", "fetch_jars", "maven_copy", "pom_version"]

_COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"


def cached_folder(name: str, fill: Callable[[Path], None], cache: Path | None = None) -> Path:
    """The folder `name` of the cache, which `fill` fills the first time: it is handed an empty folder.

    Several processes may call it at once: one fills, the others wait for it.  A folder counts as complete once it holds
    ``.done``; an interrupted call leaves nothing that would be taken for one.
    """
    home = cache or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "penstock"
    folder = home / name
    if (folder / ".done").exists():
        return folder
    home.mkdir(parents=True, exist_ok=True)
    with (home / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".done").exists():
            with tempfile.TemporaryDirectory(dir=home) as work:
                filled = Path(work, "filled")
                filled.mkdir()
                fill(filled)
                shutil.rmtree(folder, ignore_errors=True)
                filled.rename(folder)
            (folder / ".done").touch()
    return folder


def fetch_jars(pom: Path, cache: Path | None = None) -> Path:
    """The folder with the jars of the Kafka broker that `pom` names; see `cached_folder`."""
    return cached_folder(f"kafka-{pom_version(pom)}", lambda folder: maven_copy(pom, folder), cache)


def pom_version(pom: Path) -> str:
    """The ``version`` of the project itself, which says what to cache its jars under."""
    return ET.parse(pom).getroot().findtext("{http://maven.apache.org/POM/4.0.0}version") or ""


def maven_copy(pom: Path, folder: Path) -> None:
    """Every jar that `pom` needs at run time, straight into `folder`. Raises `JvmError` with what Maven said."""
    maven = find_tool("mvn", "Maven")
    command = [maven, "-B", "-q", "-f", str(pom), _COPY, f"-DoutputDirectory={folder}", "-DincludeScope=runtime"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise JvmError(
            f"could not fetch jars from Maven Central: {' '.join(command)} said:\n{(ran.stdout + ran.stderr)[-3000:]}"
        )

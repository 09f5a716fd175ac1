"""Jars for tests that need a JVM: fetched once with Maven into ``~/.cache/penstock``; later runs need no network."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Final

__all__ = ["INSTALL_HINT", "JvmError", "cached_folder", "fetch_jars", "find_java", "maven_copy", "pom_version"]

INSTALL_HINT: Final = "install them (Debian, Ubuntu: apt-get install openjdk-17-jdk-headless maven), or set PENSTOCK_TEST_BOOTSTRAP=host:port to use a running broker"
_COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"


class JvmError(RuntimeError):
    """Something of the JVM's could not be fetched or started; the message says what to do or shows the end of its log."""


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
    return ET.parse(pom).getroot().findtext("{http://maven.apache.org/POM/4.0.0}version") or ""  # noqa: S314 - our own file


def maven_copy(pom: Path, folder: Path) -> None:
    """Every jar that `pom` needs at run time, straight into `folder`. Raises `JvmError` with what Maven said."""
    maven = _tool("mvn", "Maven")
    command = [maven, "-B", "-q", "-f", str(pom), _COPY, f"-DoutputDirectory={folder}", "-DincludeScope=runtime"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the command is ours
    if ran.returncode:
        raise JvmError(
            f"could not fetch jars from Maven Central: {' '.join(command)} said:\n{(ran.stdout + ran.stderr)[-3000:]}"
        )


def find_java() -> str:
    """The path of a ``java`` that is new enough; `JvmError` with what to install."""
    java = _tool("java", "Java 17 or newer")
    banner = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603 - found on PATH
    version = re.search(r'version "(\d+)', banner)
    if version is None or int(version[1]) < 17:
        raise JvmError(f"the test broker needs Java 17 or newer, '{java}' is {banner.splitlines()[:1]}; {INSTALL_HINT}")
    return java


def _tool(name: str, title: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise JvmError(f"the test broker needs {title}: no '{name}' on PATH; {INSTALL_HINT}")
    return found

"""One virtual environment for all packaging tests: empty, outside the checkout, filled with what a user would install."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass
class Installation:
    """An environment with nothing of the checkout in sight. `run` starts one of its programs in an empty folder."""

    folder: Path
    wheel: Path
    #: A copy of the example plugin distribution, once it is installed.
    example: Path | None = None

    @property
    def bin(self) -> Path:
        return self.folder / "env" / "bin"

    @property
    def environ(self) -> dict[str, str]:
        environ = {
            key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PENSTOCK", "VIRTUAL_ENV"))
        }
        return environ | {"PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}"}

    @property
    def elsewhere(self) -> Path:
        place = self.folder / "elsewhere"
        place.mkdir(exist_ok=True)
        return place

    def run(self, program: str, *arguments: str, cwd: Path | None = None) -> str:
        ran = subprocess.run(
            [self.bin / program, *arguments],
            cwd=cwd or self.elsewhere,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert ran.returncode == 0, (
            f"{program} {' '.join(arguments)} ended with {ran.returncode}:\n{ran.stdout}\n{ran.stderr}"
        )
        return ran.stdout

    def pip_install(self, *what: str) -> None:
        # Without compiling: most of what comes with the extras is never imported here.
        self.run("python", "-m", "pip", "install", "-q", "--no-compile", "--disable-pip-version-check", *what)


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the sdist, and with the wheel that was built from it and not from the checkout."""
    out = tmp_path_factory.mktemp("dist")
    ran = subprocess.run([sys.executable, "-m", "build", "--outdir", out, ROOT], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return out


@pytest.fixture(scope="session")
def fresh_installation(distributions: Path) -> Callable[[Path], Installation]:
    """Makes an empty environment in a folder, and installs penstock in it, without extras."""

    def make(folder: Path) -> Installation:
        venv.create(folder / "env", with_pip=True)
        installation = Installation(folder, next(distributions.glob("*.whl")))
        installation.pip_install(str(installation.wheel))
        return installation

    return make


@pytest.fixture(scope="session")
def installed(
    fresh_installation: Callable[[Path], Installation], tmp_path_factory: pytest.TempPathFactory
) -> Installation:
    """penstock without extras in an empty environment."""
    return fresh_installation(tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="session")
def installed_all(installed: Installation) -> Installation:
    """The same environment with penstock[all]. Tests of the bare installation stand before tests that use this."""
    installed.pip_install(f"{installed.wheel}[all]")
    return installed

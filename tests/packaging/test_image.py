"""The image without a container engine: the Dockerfile's steps are taken here, and what it starts is started."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.patience import PATIENCE_S
from penstock.testing.broker import free_ports

pytestmark = pytest.mark.packaging
ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "docker" / "Dockerfile").read_text()


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile with their arguments, continued lines joined."""
    joined = re.sub(r"\\\n\s*", "", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


@dataclass
class Image:
    """The file system of the image in a folder, and what it says of starting."""

    folder: Path

    def place(self, path: str) -> str:
        """The place of a path of the image here."""
        return re.sub(r"(?<![\w/])/(src|opt|etc|var)/", rf"{self.folder}/\1/", path)

    def of(self, word: str) -> list[str]:
        [found] = [rest for name, rest in instructions(DOCKERFILE) if name == word]
        command: list[str] = json.loads(found[found.index("[") :])
        return [self.place(argument) for argument in command]

    def environ(self, extra: Mapping[str, str]) -> dict[str, str]:
        kept = {
            k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PENSTOCK", "VIRTUAL_ENV", "CONNECT_"))
        }
        return {**kept, "PATH": f"{self.folder}/opt/penstock/bin:{os.environ['PATH']}", **extra}

    @contextmanager
    def running(self, arguments: list[str], environ: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
        """A container's first process; it is stopped as `docker stop` does."""
        log = (self.folder / "container.log").open("wb")
        process = subprocess.Popen(
            [*self.of("ENTRYPOINT"), *arguments],
            cwd=self.folder, env=self.environ(environ), stdout=log, stderr=log,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()
            try:
                assert process.wait(30) == 0, (self.folder / "container.log").read_text()
            finally:
                process.kill()
                log.close()

    def healthcheck(self, environ: Mapping[str, str]) -> int:
        return subprocess.run(
            self.of("HEALTHCHECK"), cwd=self.folder, env=self.environ(environ), capture_output=True, timeout=30
        ).returncode


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    built = Image(tmp_path_factory.mktemp("image"))
    (built.folder / "opt").mkdir()
    for word, rest in instructions(DOCKERFILE):
        if word == "COPY" and not rest.startswith("--from"):
            _copy(built, rest.split())
        elif word == "RUN" and "install.sh" in rest:
            command = [*built.place(f"{rest} ").split(), sys.executable]
            command = [re.sub(r"^/src$", str(built.folder / "src"), part) for part in command]
            environ = built.environ(
                {"PIP_NO_CACHE_DIR": "off", "PIP_NO_COMPILE": "1"}
            )  # what was fetched once is used again
            ran = subprocess.run(command, cwd=built.folder / "src", env=environ, capture_output=True, text=True)
            assert ran.returncode == 0, ran.stdout + ran.stderr
            shutil.rmtree(built.folder / "src")  # the last stage does not have it
    return built


def _copy(image: Image, paths: list[str]) -> None:
    *sources, to = paths
    target = Path(image.place(to)) if to.startswith("/") else image.folder / "src" / to
    for source in sources:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            place = target / Path(source).name if to.endswith("/") else target
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, place)


def test_the_image_has_penstock_with_every_extra_in_the_pinned_versions(image: Image) -> None:
    python = image.folder / "opt" / "penstock" / "bin" / "python"
    listed = subprocess.run([python, "-m", "pip", "list", "--format=json"], capture_output=True, text=True)
    there = {entry["name"].lower().replace("_", "-"): entry["version"] for entry in json.loads(listed.stdout)}
    lines = (ROOT / "deploy" / "docker" / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert there.keys() - pins.keys() == {"pip", "penstock"} | ({"setuptools"} & there.keys() - pins.keys())
    assert {name: version for name, version in there.items() if name in pins} == {
        name: pins[name] for name in there.keys() & pins.keys()
    }
    assert {"fastavro", "grpcio-tools", "jsonschema-rs", "psycopg", "uvloop"} <= there.keys()
    ran = subprocess.run(
        [*image.of("ENTRYPOINT"), "plugins", "doctor"], env=image.environ({}), capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout


def test_a_registry_starts_by_its_environment_and_the_healthcheck_tells_when_it_is_up(image: Image) -> None:
    [port] = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    health = {"PENSTOCK_HEALTH_URL": f"{address}/health/ready"}
    assert image.healthcheck(health) == 1
    with image.running(["registry"], {"SCHEMA_REGISTRY_LISTENERS": address}):
        _eventually_healthy(image, health)


def test_a_worker_starts_as_the_entrypoint_says_with_settings_from_the_environment(image: Image, kafka: str) -> None:
    [port] = free_ports(1)
    group = f"image-{port}"
    environ = {
        "CONNECT_LISTENERS": f"http://127.0.0.1:{port}",
        "CONNECT_BOOTSTRAP_SERVERS": kafka,
        "CONNECT_GROUP_ID": group,
        **{f"CONNECT_{which}_STORAGE_TOPIC": f"{group}-{which.lower()}" for which in ("CONFIG", "OFFSET", "STATUS")},
        **{f"CONNECT_{which}_STORAGE_REPLICATION_FACTOR": "1" for which in ("CONFIG", "OFFSET", "STATUS")},
        "CONNECT_KEY_CONVERTER": "org.apache.kafka.connect.storage.StringConverter",
        "CONNECT_VALUE_CONVERTER": "org.apache.kafka.connect.storage.StringConverter",
    }
    health = {"PENSTOCK_HEALTH_URL": f"http://127.0.0.1:{port}/health"}
    with image.running(image.of("CMD"), environ):
        _eventually_healthy(image, health)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/connectors", timeout=10) as answer:
            assert json.load(answer) == []
    assert image.healthcheck(health) == 1


def _eventually_healthy(image: Image, health: Mapping[str, str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while image.healthcheck(health):
        assert time.monotonic() < deadline, (image.folder / "container.log").read_text()
        time.sleep(0.2)

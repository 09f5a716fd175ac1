"""The config providers that Kafka has, for values kept outside a configuration (KIP-297, KIP-421, KIP-887).

A configuration says ``${file:/run/secrets/db.properties:password}``; `penstock.config.transformer` asks these.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from penstock import KAFKA_VERSION
from penstock.config.files import load_properties
from penstock.config.provider import ConfigData, ConfigProvider
from penstock.errors import ConfigError
from penstock.java.regex import JavaRegexError, compile_regex

__all__ = ["DirectoryConfigProvider", "EnvVarConfigProvider", "FileConfigProvider"]

_ALLOWED_PATHS: Final = "allowed.paths"
_ALLOW_PATTERN: Final = "allowlist.pattern"
#: The largest file that values are looked up in.
_MAX_BYTES: Final = 16 * 1024 * 1024


class _PathProvider(ConfigProvider):
    """Reads only below ``allowed.paths`` if that is set (KIP-993)."""

    version = KAFKA_VERSION

    def __init__(self) -> None:
        self._allowed: tuple[Path, ...] | None = None

    def configure(self, configs: Mapping[str, str]) -> None:
        text = configs.get(_ALLOWED_PATHS)
        if text is None or not text.strip():
            return
        paths = [Path(part.strip()) for part in text.split(",")]
        for path in paths:
            if not path.is_absolute() or not path.exists():
                raise ConfigError(_ALLOWED_PATHS, path, "expected absolute paths that exist")
        self._allowed = tuple(path.resolve() for path in paths)

    def _permitted(self, path: str) -> Path | None:
        """Return the real path, or None if it is not allowed; links and ``..`` count by where they lead."""
        real = Path(path).resolve()
        if self._allowed is None or any(real.is_relative_to(allowed) for allowed in self._allowed):
            return real
        return None

    def _refuse(self, path: str) -> ConfigError:
        return ConfigError(f"The path {path} is not allowed to be accessed: it is not below {_ALLOWED_PATHS}")


class FileConfigProvider(_PathProvider):
    """Looks keys up in a Java properties file."""

    def get(self, path: str, keys: Iterable[str] | None = None) -> ConfigData:
        if not path:
            return ConfigData({})
        real = self._permitted(path)
        if real is None:
            raise self._refuse(path)
        _check_file(real)
        found = load_properties(real)
        return ConfigData(found if keys is None else {k: found[k] for k in keys if k in found})


class DirectoryConfigProvider(_PathProvider):
    """Looks keys up among the files of a directory: name is key, content is value, as Kubernetes mounts secrets."""

    def get(self, path: str, keys: Iterable[str] | None = None) -> ConfigData:
        if not path:
            return ConfigData({})
        real = self._permitted(path)
        if real is None:
            raise self._refuse(path)
        if not real.is_dir():
            raise ConfigError(f"The path {path} is not a directory")
        names = os.listdir(real) if keys is None else [k for k in keys if k and "/" not in k and k not in (".", "..")]
        found = {}
        for name in names:
            file = self._permitted(str(real / name))
            if file is not None and file.is_file():
                found[name] = _content(file)
        return ConfigData(found)


class EnvVarConfigProvider(ConfigProvider):
    """Looks keys up in the process's environment; ``allowlist.pattern`` says which variables may be read."""

    version = KAFKA_VERSION

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = dict(os.environ if environ is None else environ)

    def configure(self, configs: Mapping[str, str]) -> None:
        pattern = configs.get(_ALLOW_PATTERN)
        if pattern is None:
            return
        try:
            allowed = compile_regex(pattern)
        except JavaRegexError as error:
            raise ConfigError(_ALLOW_PATTERN, pattern, f"not a valid regular expression: {error}") from None
        self._environ = {k: v for k, v in self._environ.items() if allowed.matches(k)}

    def get(self, path: str, keys: Iterable[str] | None = None) -> ConfigData:
        if path:
            raise ConfigError(f"Environment variables have no path: write ${{env:NAME}}, met the path {path!r}")
        if keys is None:
            return ConfigData(self._environ)
        return ConfigData({k: self._environ[k] for k in keys if k in self._environ})


def _check_file(file: Path) -> None:
    """Raise `ConfigError` for what is there and cannot be read to its end at once: a pipe would hold up the request that
    asks for the value, for as long as nobody writes into it, and a device would fill the memory."""
    try:
        found = file.stat()
    except OSError:
        return  # who reads it says why it cannot be read
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError(f"Could not read properties from {file}: it is not a regular file")
    if found.st_size > _MAX_BYTES:
        raise ConfigError(f"Could not read properties from {file}: it has more than {_MAX_BYTES} bytes")


def _content(file: Path) -> str:
    _check_file(file)
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"Could not read the value from {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"Could not read the value from {file}: it is not UTF-8 text") from None

"""Settings from files and from the environment.

Java ``.properties`` as ``java.util.Properties.load`` reads them (UTF-8, as Kafka's tools do), TOML with whole keys in
quotes, JSON objects, and environment variables ``CONNECT_A_B`` as the usual container images spell them.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from penstock.errors import ConfigError

__all__ = [
    "ConnectorFile",
    "from_environment",
    "load_connector",
    "load_file",
    "load_properties",
    "parse_properties",
]

_WHITESPACE: Final = " \t\f"
_ESCAPES: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
#: What ends a line; ``str.splitlines`` would split at more.
_LINE: Final = re.compile(r"\r\n|\r|\n")


def load_properties(path: str | os.PathLike[str]) -> dict[str, str]:
    """A Java properties file. Raises `ConfigError` naming the file."""
    text = _read(Path(path))
    try:
        return parse_properties(text)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error.message}") from None


def parse_properties(text: str) -> dict[str, str]:
    """Java properties from a text; of a key given twice, the last value counts.

    Raises `ConfigError` for a malformed ``\\u`` escape, as Java does.
    """
    found: dict[str, str] = {}
    for number, line in _logical_lines(text.removeprefix("\ufeff")):
        key, value = _split(line)
        try:
            found[_unescape(key)] = _unescape(value)
        except ConfigError as error:
            raise ConfigError(f"line {number}: {error.message}") from None
    return found


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with continuations joined, each with the number of its last part; comments and blank lines left out.

    A comment is never continued, and a continuation that looks like a comment is not one.
    """
    pending: str | None = None
    number = 0
    for number, natural in enumerate(_LINE.split(text), 1):
        stripped = natural.lstrip(_WHITESPACE)
        if pending is None and (not stripped or stripped[0] in "#!"):
            continue
        line = stripped if pending is None else pending + stripped
        backslashes = len(stripped) - len(stripped.rstrip("\\"))
        if backslashes % 2:
            pending = line[:-1]
            continue
        pending = None
        yield number, line
    if pending:
        yield number, pending


def _split(line: str) -> tuple[str, str]:
    """Key and value, both still escaped: the key ends at the first unescaped ``=``, ``:`` or white space."""
    end = 0
    while end < len(line) and line[end] not in "=:" + _WHITESPACE:
        end += 2 if line[end] == "\\" else 1
    end = min(end, len(line))
    rest = line[end:].lstrip(_WHITESPACE)
    if rest[:1] in ("=", ":"):
        rest = rest[1:].lstrip(_WHITESPACE)
    return line[:end], rest


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    out: list[str] = []
    i = 0
    while i < len(text):
        char = text[i]
        if char != "\\":
            out.append(char)
            i += 1
            continue
        escape = text[i + 1 : i + 2]
        if escape == "u":
            digits = text[i + 2 : i + 6]
            if not re.fullmatch(r"[0-9a-fA-F]{4}", digits):
                # What was met is not shown: it may be part of a secret.
                raise ConfigError("Malformed \\u escape: four hexadecimal digits expected")
            out.append(chr(int(digits, 16)))
            i += 6
        else:
            out.append(_ESCAPES.get(escape, escape))
            i += 2
    # Two escapes may spell one character beyond the basic plane.
    return "".join(out).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def load_file(path: str | os.PathLike[str]) -> dict[str, str]:
    """Settings from a file, by its suffix: ``.json``, ``.toml``, anything else is ``.properties``."""
    file = Path(path)
    match file.suffix.lower():
        case ".json":
            return _flat(_json(file), file)
        case ".toml":
            return _flat(_toml(file), file)
        case _:
            return load_properties(file)


@dataclass(frozen=True, slots=True)
class ConnectorFile:
    """A connector as a file describes it."""

    name: str
    config: dict[str, str]
    #: RUNNING, PAUSED or STOPPED, in upper case; None if the file does not say.
    initial_state: str | None = None


def load_connector(path: str | os.PathLike[str]) -> ConnectorFile:
    """A connector's file: properties, TOML, or JSON in one of three forms.

    ``{"name", "config"}`` and ``{"name", "config", "initial_state"}`` are REST's; a flat object is the configuration
    itself. Raises `ConfigError` naming the file.
    """
    file = Path(path)
    content: Any = _json(file) if file.suffix.lower() == ".json" else load_file(file)
    if not isinstance(content, dict):
        raise ConfigError(f"{file}: expected a JSON object, met {type(content).__name__}")
    initial_state = None
    if isinstance(content.get("config"), dict):
        if unknown := set(content) - {"name", "config", "initial_state"}:
            raise ConfigError(f"{file}: unknown key {sorted(unknown)[0]!r} beside 'name', 'config' and 'initial_state'")
        initial_state = _initial_state(content.get("initial_state"), file)
        config = _flat(content["config"], file)
        if "name" in content and config.setdefault("name", str(content["name"])) != content["name"]:
            raise ConfigError(f"{file}: 'name' is {content['name']!r} but {config['name']!r} in 'config'")
    else:
        config = _flat(content, file)
    if not config.get("name"):
        raise ConfigError(f"{file}: a connector needs a 'name'")
    return ConnectorFile(config["name"], config, initial_state)


def _initial_state(value: Any, file: Path) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and value.upper() in ("RUNNING", "PAUSED", "STOPPED"):
        return value.upper()
    raise ConfigError(f"{file}: 'initial_state' must be RUNNING, PAUSED or STOPPED, but is {value!r}")


def from_environment(environ: Mapping[str, str], prefix: str = "CONNECT_") -> dict[str, str]:
    """Settings from variables: ``CONNECT_A_B`` is ``a.b``; ``__`` stands for ``_`` and ``___`` for ``-``."""
    found = {}
    for variable, value in environ.items():
        rest = variable.removeprefix(prefix)
        if variable.startswith(prefix) and rest:
            found[re.sub("_{1,3}", lambda m: {1: ".", 2: "_", 3: "-"}[len(m.group())], rest).lower()] = value
    return found


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"Cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8 (byte {error.start}): write other characters as \\uXXXX") from None


def _json(file: Path) -> Any:
    try:
        return json.loads(_read(file))
    except json.JSONDecodeError as error:
        raise ConfigError(f"{file} is not valid JSON: {error}") from None


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_read(file))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from None


def _flat(content: Any, file: Path) -> dict[str, str]:
    """Values as the strings that Connect works with; null stays out, as an absent key."""
    if not isinstance(content, dict):
        raise ConfigError(f"{file}: expected an object of settings, met {type(content).__name__}")
    found: dict[str, str] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            inner = next(iter(value), "...")
            raise ConfigError(f'{file}: {key!r} is a table; write the whole key in quotes, e.g. "{key}.{inner}"')
        if isinstance(value, list):
            value = ",".join(_text(item) for item in value)
        if value is not None:
            found[key] = _text(value)
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)

"""Settings from the files that people have, and from the environment.

Java ``.properties``, TOML with whole keys in quotes, JSON objects, and environment variables ``CONNECT_A_B`` as the usual
container images spell them. A number keeps the text that it has in the file: 1.10 is not 1.1.
"""

from __future__ import annotations

import codecs
import datetime
import json
import logging
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from penstock.errors import ConfigError
from penstock.java.properties import parse_properties
from penstock.java.text import well_formed

__all__ = ["ConnectorFile", "from_environment", "load_connector", "load_file", "load_properties"]

_log: Final = logging.getLogger(__name__)

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: The fields of REST's answer about a connector beside its name and configuration.
_ANSWERED: Final = frozenset({"tasks", "type"})
_KNOWN_FIELDS: Final = frozenset({"name", "config", "initial_state"})


@dataclass(frozen=True, slots=True)
class ConnectorFile:
    """A connector as a file describes it."""

    name: str
    config: dict[str, str]
    #: RUNNING, PAUSED or STOPPED, in upper case; None if the file does not say.
    initial_state: str | None = None


def load_properties(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read a Java properties file: UTF-8, or Latin-1 as Java's own reader has it. Raises `ConfigError` naming the file."""
    file = Path(path)
    return _properties(file, _bytes(file))


def load_file(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read a file of settings: TOML by its suffix, JSON by its content, anything else is a properties file.

    Raises `ConfigError` naming the file.
    """
    file = Path(path)
    return _flat(_content(file), file)


def load_connector(path: str | os.PathLike[str]) -> ConnectorFile:
    """Read a connector's file: properties, TOML, or JSON in one of three forms, whatever the file is called.

    ``{"name", "config"}``, with ``initial_state`` or not, is what REST takes; ``{"name", "config", "tasks", "type"}`` is
    what it answers, of which the last two are left aside; a flat object is the configuration itself. Raises `ConfigError`
    naming the file.
    """
    file = Path(path)
    content = _content(file)
    if not isinstance(content, dict):
        raise ConfigError(f"{file}: expected a JSON object, met {type(content).__name__}")
    initial_state = None
    if isinstance(content.get("config"), dict):
        if unknown := content.keys() - _KNOWN_FIELDS - _ANSWERED:
            raise ConfigError(f"{file}: unknown key {sorted(unknown)[0]!r} beside 'name', 'config' and 'initial_state'")
        initial_state = _initial_state(content.get("initial_state"), file)
        config = _flat(content["config"], file)
        name = content.get("name")
        if name is not None and config.setdefault("name", _text(name)) != _text(name):
            raise ConfigError(f"{file}: 'name' is {name!r} but {config['name']!r} in 'config'")
        _check_text({"name": config.get("name", "")}, file)
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
    """Return the settings in variables: ``CONNECT_A_B`` is ``a.b``; ``__`` stands for ``_`` and ``___`` for ``-``."""
    found = {}
    for variable, value in environ.items():
        rest = variable.removeprefix(prefix)
        if variable.startswith(prefix) and rest:
            found[re.sub("_{1,3}", lambda m: {1: ".", 2: "_", 3: "-"}[len(m.group())], rest).lower()] = value
    return found


def _content(file: Path) -> Any:
    """Return what the file holds: a value of JSON or TOML, or properties."""
    data = _bytes(file)
    if file.suffix.lower() == ".toml":
        return _toml(file, _decoded(file, data))
    start = next(
        (data[len(mark) :].decode(encoding, "replace") for mark, encoding in _MARKS if data.startswith(mark)), None
    )
    if start is None:
        start = data[:100].decode("latin-1")
    if file.suffix.lower() == ".json" or start.lstrip().startswith("{"):
        return _json(file, _decoded(file, data))
    return _properties(file, data)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"Cannot read {file}: {error.strerror}") from None


def _decoded(file: Path, data: bytes) -> str:
    """Return the text of `data` without its byte order mark."""
    mark, encoding = next(((m, e) for m, e in _MARKS if data.startswith(m)), (b"", "utf-8"))
    try:
        return data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not {encoding.upper()} (byte {error.start + len(mark)})") from None


def _properties(file: Path, data: bytes) -> dict[str, str]:
    try:
        text, latin = _decoded(file, data), False
    except ConfigError:
        text, latin = data.decode("latin-1"), True
    try:
        found = parse_properties(text)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error.message}") from None
    if latin:
        odd = sorted(key for key, value in found.items() if not (key + value).isascii())
        if odd:  # in comments it makes no difference
            _log.warning("%s is not UTF-8: it is read as Latin-1, as Java does; look at %s", file, ", ".join(odd))
    return found


def _json(file: Path, text: str) -> Any:
    try:
        # Numbers stay text: what Connect works with is text, and a float would lose digits.
        return json.loads(text, parse_float=str, parse_int=str, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file} is not valid JSON: {error}") from None


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


def _toml(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from None


def _flat(content: Any, file: Path) -> dict[str, str]:
    """Return the values as the strings that Connect works with; a null is left out, like an absent key."""
    if not isinstance(content, dict):
        raise ConfigError(f"{file}: expected an object of settings, met {type(content).__name__}")
    found: dict[str, str] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            inner = next(iter(value), "...")
            what = "an object" if file.suffix.lower() == ".json" else "a table"
            raise ConfigError(f'{file}: {key!r} is {what}; write the whole key in quotes, e.g. "{key}.{inner}"')
        if isinstance(value, list):
            value = ",".join(_text(item) for item in value)
        if value is not None:
            found[key] = _text(value)
    _check_text(found, file)
    return found


def _check_text(settings: Mapping[str, str], file: Path) -> None:
    for key, value in settings.items():
        if not (key + value).isascii() and well_formed(key + value) != key + value:
            raise ConfigError(f"{file}: the setting {key!a} has half of a surrogate pair, which is no character")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)

"""Runs recorded behaviour against penstock: cases as JSON lines, in the format that ``tests/vectors/FORMAT.md`` describes.

`load` gives the cases of an area. `decode_schema` and `decode_value` turn what goes in into penstock's data;
`encode_schema` and `encode_value` turn what came out into the tagged form, and `problem` compares it with what was
recorded: floats by their bits, maps without order, decimals by unscaled value and scale. ``PENSTOCK_VECTORS`` names
another folder of the same format to run instead.

Where a value's tag is the schema's own type it becomes a plain value; otherwise (no schema, or another type) it
becomes the box of that type (`penstock.data.Int32`, ...), so that a wrong type stays visible. A point in time that
Python's types cannot hold stays a number of milliseconds, as it does in converters.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from lab.tagged import canonical, decode_schema, decode_value, encode_schema, encode_value
from penstock.errors import ConfigError, ConnectError, DataError, SchemaBuilderError, SchemaProjectorError

__all__ = [
    "Case",
    "Deviations",
    "compare_error",
    "decode_schema",
    "decode_value",
    "default_folder",
    "encode_schema",
    "encode_value",
    "folder",
    "load",
    "problem",
]


@dataclass(frozen=True)
class Case:
    """One recorded case. `expect` and `error` are as recorded, exactly one of them not None."""

    id: str
    area: str
    group: str
    java_class: str
    config: Mapping[str, str]
    input: Mapping[str, Any]
    expect: Any = None
    error: Mapping[str, Any] | None = None

    @property
    def simple_class(self) -> str:
        """The class's name without its package, ``$Key`` and ``$Value`` included."""
        return self.java_class.rpartition(".")[2]

    def schema(self, name: str = "schema") -> Any:
        return decode_schema(self.input.get(name))

    def value(self, name: str = "value", schema: str = "schema") -> Any:
        return decode_value(self.input.get(name), self.schema(schema))


def default_folder() -> Path:
    """The folder of the vectors that penstock's checkout holds."""
    beside = Path(__file__).resolve().parents[3] / "tests" / "vectors"
    return beside if beside.is_dir() else Path.cwd() / "tests" / "vectors"


def folder() -> Path:
    """``PENSTOCK_VECTORS``, or the checkout's own."""
    named = os.environ.get("PENSTOCK_VECTORS")
    return Path(named) if named else default_folder()


def load(area: str) -> list[Case]:
    """The cases of `area`; of the checkout's own folder also those of ``more``. Empty only where ``PENSTOCK_VECTORS`` names a
    folder without that area."""
    path = folder() / f"{area}.jsonl"
    if not path.exists() and os.environ.get("PENSTOCK_VECTORS"):
        return []
    cases = _read(path)
    more = default_folder() / "more" / path.name
    if folder() == default_folder() and more.exists():
        cases += _read(more)
    return cases


def _read(path: Path) -> list[Case]:
    # Strings hold U+2028 and the like: str.splitlines would cut them.
    lines = path.read_text(encoding="utf-8").split("\n")
    return [_case(json.loads(line)) for line in lines if line]


def _case(node: Mapping[str, Any]) -> Case:
    return Case(
        node["id"], node["area"], node["group"], node["class"], node["config"], node["input"],
        node.get("expect"), node.get("error"),
    )  # fmt: skip


def problem(case: Case, outcome: Any) -> str | None:
    """Return what is wrong with `outcome`, or None. `outcome` has the shape of `Case.expect`, or is an exception."""
    if isinstance(outcome, BaseException):
        if case.error is None:
            return f"raised {outcome!r}, expected {_short(case.expect)}"
        return compare_error(case.error, outcome)
    if case.error is not None:
        return f"expected {case.error['class']}: {case.error['message']!r}, met {_short(outcome)}"
    return _compare(case.expect, outcome, "result")


def _compare(expected: Any, met: Any, where: str) -> str | None:
    if isinstance(met, BaseException):
        if where.endswith("Error") and isinstance(expected, dict):
            return compare_error(expected, met)
        return f"{where}: raised {met!r}, expected {_short(expected)}"
    if isinstance(expected, dict) and isinstance(met, dict) and not _is_leaf(expected):
        if expected.keys() != met.keys():
            return f"{where}: expected the keys {sorted(expected)}, met {sorted(met)}: {_short(met)}"
        for key, value in expected.items():
            found = _compare(value, met[key], f"{where}.{key}")
            if found:
                return found
        return None
    if canonical(expected) != canonical(met):
        return f"{where}: expected {_short(expected)}\n     met {_short(met)}"
    return None


def _is_leaf(node: dict[str, Any]) -> bool:
    """Tagged values, schemas and wire bytes are compared as wholes."""
    return any(isinstance(node.get(key), str) for key in ("t", "type", "hex"))


def _short(node: Any) -> str:
    if isinstance(node, dict) and isinstance(node.get("utf8"), str):
        return repr(node["utf8"])
    text = json.dumps(node, ensure_ascii=False, default=repr)
    return text if len(text) < 1500 else text[:1500] + "..."


_CLASSES: Final[dict[str, type[ConnectError] | tuple[type[ConnectError], ...]]] = {
    "org.apache.kafka.connect.errors.DataException": DataError,
    "org.apache.kafka.connect.errors.SchemaBuilderException": SchemaBuilderError,
    "org.apache.kafka.connect.errors.SchemaProjectorException": SchemaProjectorError,
    "org.apache.kafka.connect.errors.ConnectException": ConnectError,
    "org.apache.kafka.common.config.ConfigException": ConfigError,
    # At configuration a JVM class throws this for a setting; here that is the setting's error.
    "org.apache.kafka.common.errors.SerializationException": (DataError, ConfigError),
}


def compare_error(expected: Mapping[str, Any], error: BaseException) -> str | None:
    """Return what is wrong with `error`, or None.

    Kafka's and Confluent's own exceptions must agree in class and message. An exception of the JVM or of a JVM
    library (``java.*``, Jackson, Avro) stands for any `DataError` or `ConfigError`.
    """
    name: str = expected["class"]
    own = name.startswith(("org.apache.kafka.", "io.confluent."))
    classes = _CLASSES.get(name, ConnectError if own else (DataError, ConfigError))
    if not isinstance(error, classes):
        return f"expected {name}: {expected['message']!r}, raised {error!r}"
    message = expected["message"]
    if not own or message is None:
        return None
    if expected.get("unstable") or "@HASH" in message:
        pattern = re.escape(message).replace("@HASH", "@[0-9a-f]+")
        matches = re.fullmatch(pattern, str(error), re.DOTALL) is not None
    else:
        matches = str(error) == message
    return None if matches else f"expected the message {message!r}\n     met {str(error)!r}"


@dataclass
class Deviations:
    """Cases in which penstock differs on purpose, in its user's favour; each with its reason.

    Read from TOML: ``[[deviation]]`` tables with ``ids`` (a list of globs over case ids) and ``reason``.
    """

    entries: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Deviations:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("deviation", [])
        entries: list[tuple[str, str]] = []
        for table in tables:
            if not table.get("reason") or not table.get("ids") or table.keys() - {"ids", "reason"}:
                raise ValueError(f"{path}: each [[deviation]] has `ids` and `reason` and nothing else, met {table}")
            entries.extend((glob, table["reason"]) for glob in table["ids"])
        return cls(entries)

    def reason(self, case_id: str) -> str | None:
        return next((reason for glob, reason in self.entries if fnmatchcase(case_id, glob)), None)

    def unmatched(self, case_ids: Iterable[str]) -> list[str]:
        """Globs that match none of `case_ids`: leftovers."""
        ids = list(case_ids)
        return [glob for glob, _ in self.entries if not any(fnmatchcase(i, glob) for i in ids)]

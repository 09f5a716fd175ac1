"""Replays recorded REST exchanges against any base URL and says where the answers differ.

One file is one scenario, an ordered list of steps: HTTP requests with the answer that is expected, and local steps on
files that the server under test sees, too. Expected answers hold plain JSON, compared exactly, and matchers: objects
with ``$m``.
"""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

__all__ = ["Answer", "Replay", "Scenario", "StepResult", "differences"]


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    family: str
    steps: Sequence[Mapping[str, Any]]

    @classmethod
    def load(cls, file: Path) -> Scenario:
        content = json.loads(file.read_text(encoding="utf-8"))
        return cls(content["name"], content["family"], content["steps"])


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    #: Parsed if it is JSON, text otherwise, None if there is none.
    body: Any


class StepResult(NamedTuple):
    #: ``scenario#number``, numbers from 0.
    step: str
    what: str
    #: Empty: as expected.
    differences: Sequence[str]


class Replay:
    """One run against one server. `run` is put before every name, so that a server can be used again and again;
    `folder` holds the files of local steps."""

    def __init__(
        self, base: str, run: str, folder: Path, sleep: Callable[[float], None] = time.sleep, pause: float = 0.05
    ) -> None:
        self._base, self._sleep, self._pause = base.rstrip("/"), sleep, pause
        self._texts = {"{{run}}": run, "{{dir}}": str(folder), "{{base}}": self._base}

    def steps(self, scenario: Scenario) -> Iterator[StepResult]:
        """Every step, run when it is asked for."""
        for number, recorded in enumerate(scenario.steps):
            step = _filled_in(recorded, self._texts)
            yield StepResult(f"{scenario.name}#{number}", _label(step), self._step(step))

    def _step(self, step: Mapping[str, Any]) -> Sequence[str]:
        if "op" not in step:
            return self._until(lambda: self._exchange(step), step.get("poll", 0))
        if step["op"] == "sleep":
            self._sleep(step["s"])
        elif step["op"] == "write_file":
            with open(step["path"], "a" if step.get("append") else "w", encoding="utf-8") as file:
                file.write(step["text"])
        else:
            path, expected = Path(step["path"]), step["expect"]
            return self._until(lambda: differences(expected, _text_of(path), str(path)), step.get("poll", 0))
        return []

    def _until(self, attempt: Callable[[], Sequence[str]], seconds: float) -> Sequence[str]:
        """Again and again until nothing differs: state changes take their time."""
        deadline = time.monotonic() + seconds
        while (found := attempt()) and time.monotonic() < deadline:
            self._sleep(self._pause)
        return found

    def _exchange(self, step: Mapping[str, Any]) -> Sequence[str]:
        expected, answer = step["response"], request(self._base, step["request"])
        allowed = expected["status"] if isinstance(expected["status"], list) else [expected["status"]]
        if answer.status not in allowed:
            return [f"status {answer.status}, expected {allowed}; body {json.dumps(answer.body)[:300]}"]
        found = []
        for name, value in expected.get("headers", {}).items():
            found += differences(value, answer.headers.get(name), f"header {name}")
        return found + differences(expected["body"], answer.body, "$") if "body" in expected else found


def request(base: str, wanted: Mapping[str, Any]) -> Answer:
    """Send one recorded request, byte for byte."""
    parts = urlsplit(base)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=100)
    target = parts.path.rstrip("/") + wanted["path"] + (f"?{wanted['query']}" if wanted.get("query") else "")
    text = wanted["raw"] if "raw" in wanted else json.dumps(wanted["body"]) if "body" in wanted else None
    data = None if text is None else text.encode()
    headers = dict(wanted.get("headers") or {})
    if data is not None or wanted["method"] in ("POST", "PUT", "PATCH"):
        headers["Content-Length"] = str(len(data or b""))
    try:
        connection.request(wanted["method"], target, data, headers)
        response = connection.getresponse()
        raw = response.read()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, _parsed(raw))
    finally:
        connection.close()


def _parsed(raw: bytes) -> Any:
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", "replace")


def _label(step: Mapping[str, Any]) -> str:
    if "op" in step:
        return str(step["op"])
    wanted = step["request"]
    return f"{wanted['method']} {wanted['path']}" + (f"?{wanted['query']}" if wanted.get("query") else "")


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        return f"<{error.strerror}>"


def _filled_in(value: Any, texts: Mapping[str, str]) -> Any:
    """Placeholders replaced in keys and values."""
    if isinstance(value, str):
        for placeholder, text in texts.items():
            value = value.replace(placeholder, text)
        return value
    if isinstance(value, list):
        return [_filled_in(item, texts) for item in value]
    if isinstance(value, dict):
        return {_filled_in(k, texts): _filled_in(v, texts) for k, v in value.items()}
    return value


def differences(expected: Any, actual: Any, where: str = "$") -> list[str]:
    """Return what is not as expected, one line each."""
    if isinstance(expected, dict) and "$m" in expected:
        return _MATCHERS[expected["$m"]](expected, actual, where)
    if isinstance(expected, dict) and isinstance(actual, dict):
        found = _members(expected, actual, where)
        return found + [f"{where}.{key}: unexpected {actual[key]!r}"[:300] for key in actual if key not in expected]
    if isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            return [f"{where}: {len(actual)} items, expected {len(expected)}: {actual!r}"[:400]]
        pairs = zip(expected, actual, strict=True)
        return [d for i, (e, a) in enumerate(pairs) for d in differences(e, a, f"{where}[{i}]")]
    # True is not 1, and 1 is not 1.0.
    return [] if type(expected) is type(actual) and expected == actual else [f"{where}: {actual!r}, not {expected!r}"]


def _members(expected: Mapping[str, Any], actual: Mapping[str, Any], where: str) -> list[str]:
    found = []
    for key, value in expected.items():
        found += differences(value, actual[key], f"{where}.{key}") if key in actual else [f"{where}.{key}: missing"]
    return found


def _is(what: str, test: Callable[[Any], bool]) -> Callable[[Mapping[str, Any], Any, str], list[str]]:
    return lambda expected, actual, where: [] if test(actual) else [f"{where}: {actual!r}, expected {what}"]


def _regex(expected: Mapping[str, Any], actual: Any, where: str) -> list[str]:
    if isinstance(actual, str) and re.fullmatch(expected["v"], actual, re.DOTALL):
        return []
    return [f"{where}: {actual!r} does not match {expected['v']}"]


def _first_line(expected: Mapping[str, Any], actual: Any, where: str) -> list[str]:
    # The first line of a trace is what tooling looks at; the rest is the language's.
    first = actual.partition("\n")[0] if isinstance(actual, str) else None
    return [] if first == expected["v"] else [f"{where}: starts with {first!r}, not {expected['v']!r}"]


def _items(exact: bool) -> Callable[[Mapping[str, Any], Any, str], list[str]]:
    def match(expected: Mapping[str, Any], actual: Any, where: str) -> list[str]:
        if not isinstance(actual, list):
            return [f"{where}: {actual!r}, expected a list"]
        rest, found = list(actual), []
        for item in expected["items"]:
            index = next((i for i, other in enumerate(rest) if not differences(item, other)), None)
            if index is None:
                found.append(f"{where}: {item!r} is missing")
            else:
                del rest[index]
        return found + ([f"{where}: unexpected {rest!r}"[:300]] if exact and rest else [])

    return match


def _lacks(expected: Mapping[str, Any], actual: Any, where: str) -> list[str]:
    return [f"{where}: must not hold {item!r}" for item in expected["items"] if item in (actual or [])]


def _keyed(expected: Mapping[str, Any], actual: Any, where: str) -> list[str]:
    if not isinstance(actual, list):
        return [f"{where}: {actual!r}, expected a list"]
    by_key = {_dotted(item, expected["key"]): item for item in actual}
    found = []
    for item in expected["items"]:
        key = _dotted(item, expected["key"])
        found += differences(item, by_key.pop(key), f"{where}[{key}]") if key in by_key else [f"{where}: no {key}"]
    return found + ([f"{where}: unexpected {sorted(by_key)}"] if by_key and not expected.get("extra") else [])


def _dotted(item: Any, key: str) -> str:
    for part in key.split("."):
        item = item.get(part) if isinstance(item, dict) else None
    return json.dumps(item)


def _contains(expected: Mapping[str, Any], actual: Any, where: str) -> list[str]:
    return _members(expected["v"], actual, where) if isinstance(actual, dict) else [f"{where}: expected an object"]


_text = _is("some text", lambda v: isinstance(v, str) and v != "")
_MATCHERS: Mapping[str, Callable[[Mapping[str, Any], Any, str], list[str]]] = {
    "any": lambda expected, actual, where: [],
    "str": _text,
    "loose": _text,
    "int": _is("an integer", lambda v: isinstance(v, int) and not isinstance(v, bool)),
    "int_or_null": _is("an integer or null", lambda v: v is None or (isinstance(v, int) and not isinstance(v, bool))),
    "regex": _regex,
    "firstline": _first_line,
    "set": _items(exact=True),
    "superset": _items(exact=False),
    "lacks": _lacks,
    "keyed": _keyed,
    "contains": _contains,
}

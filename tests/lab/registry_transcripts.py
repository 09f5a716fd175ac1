"""Replays recorded exchanges with a schema registry and tells what is answered otherwise.

A file has ``scenarios``, each with ``steps``: ``req`` (method, path, query, headers, json or raw) and ``res`` (status or
several allowed ones, ctype, body). In texts ``{P}`` is a prefix of this run, ``{N0}`` … numbers of this run, ``{id:x}``
the id bound to x; a text ``$int:…`` becomes a number. In expected bodies ``$any`` is anything, ``$id:x`` binds an id or
repeats it. ``select: prefix`` drops entries of other runs, ``unordered`` sorts, ``save`` binds the answer's id,
``msg: impl`` marks a text that is the recorded server's own.
"""

from __future__ import annotations

import http.client
import json
import random
import re
import string
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

__all__ = ["RegistryReplay", "RegistryScenario", "RegistryStepResult"]

_ID = re.compile(r"\$id:(\w+)")
_DEFAULT_TYPE = "application/vnd.schemaregistry.v1+json"


@dataclass(frozen=True, slots=True)
class RegistryScenario:
    name: str
    family: str
    steps: tuple[Mapping[str, Any], ...]

    @classmethod
    def load(cls, file: Path) -> list[RegistryScenario]:
        content = json.loads(file.read_text())
        return [cls(entry["name"], entry["family"], tuple(entry["steps"])) for entry in content["scenarios"]]


class RegistryStepResult(NamedTuple):
    """`step` is ``scenario#number``; no differences means passed."""

    step: str
    what: str
    differences: list[str]


@dataclass(slots=True)
class _Run:
    """The names and numbers of one run of one scenario."""

    prefix: str
    base: int
    ids: dict[str, int] = field(default_factory=dict)

    def text(self, text: str) -> str:
        text = text.replace("{P}", self.prefix)
        text = re.sub(r"\{N(\d)\}", lambda m: str(self.base + int(m[1])), text)
        return re.sub(r"\{id:(\w+)\}", lambda m: str(self.ids.get(m[1], -1)), text)

    def filled_in(self, value: Any) -> Any:
        match value:
            case str():
                text = self.text(value)
                return int(text.removeprefix("$int:")) if text.startswith("$int:") else text
            case list():
                return [self.filled_in(entry) for entry in value]
            case dict():
                return {self.text(key): self.filled_in(entry) for key, entry in value.items()}
            case _:
                return value


class RegistryReplay:
    """Replays against a base URL. `rule_sets` allows answers to have rule sets that the recorded server dropped."""

    def __init__(self, base: str, rule_sets: bool = True, seed: int | None = None) -> None:
        url = urlsplit(base)
        assert url.hostname is not None
        self._host, self._port = url.hostname, url.port
        self._rule_sets = rule_sets
        self._random = random.Random(seed)

    def steps(self, scenario: RegistryScenario) -> Iterator[RegistryStepResult]:
        letters = self._random.choices(string.ascii_lowercase + string.digits, k=7)
        run = _Run("z" + "".join(letters), self._random.randrange(10**8, 19 * 10**8))
        connection = http.client.HTTPConnection(self._host, self._port, timeout=60)
        try:
            for number, step in enumerate(scenario.steps):
                time.sleep(step.get("wait", 0))
                request = step["req"]
                what = f"{request['method']} {request['path']} {request.get('query') or ''}".rstrip()
                yield RegistryStepResult(f"{scenario.name}#{number}", what, self._play(connection, run, step))
        finally:
            connection.close()

    def _play(self, connection: http.client.HTTPConnection, run: _Run, step: Mapping[str, Any]) -> list[str]:
        status, content_type, body = _exchange(connection, run, step["req"])
        expected = step["res"]
        allowed = expected["status"] if isinstance(expected["status"], list) else [expected["status"]]
        if status not in allowed:
            return [f"status: expected {expected['status']}, got {status} {json.dumps(body)[:300]}"]
        found = []
        if expected.get("ctype") and _essence(content_type) != _essence(expected["ctype"]):
            found.append(f"content type: expected {expected['ctype']}, got {content_type}")
        if isinstance(expected["status"], list):
            return found  # the recorded server fell over; any of these is fine
        wanted = expected.get("body")
        if step.get("select") == "prefix" and isinstance(body, list):
            body = [entry for entry in body if not isinstance(entry, str | dict) or run.prefix in json.dumps(entry)]
        if step.get("unordered") and isinstance(body, list) and isinstance(wanted, list):
            wanted = sorted(wanted, key=lambda entry: _sort_key(_with_ids(run, run.filled_in(entry))))
            body = sorted(body, key=_sort_key)
        found += self._compare(run, wanted, body, "", step.get("msg") == "impl")
        if step.get("save") and isinstance(body, dict) and isinstance(body.get("id"), int):
            run.ids[step["save"]] = body["id"]
        return found

    def _compare(self, run: _Run, wanted: Any, got: Any, where: str, own_text: bool) -> list[str]:
        match wanted, got:
            case "$any", _:
                return []
            case str(), _ if _ID.fullmatch(wanted):
                return _compare_id(run, wanted, got, where)
            case str(), str():
                return _compare_text(run, wanted, got, where, own_text)
            case str(), int() if wanted.startswith("$int:"):
                number = run.filled_in(wanted)
                return [] if number == got else [f"{where}: expected {number}, got {got}"]
            case dict(), dict():
                return self._compare_members(run, wanted, got, where, own_text)
            case list(), list() if where.endswith(".messages"):
                return self._compare_messages(run, wanted, got, where)
            case list(), list():
                if len(wanted) != len(got):
                    return [f"{where}: expected {len(wanted)} entries, got {json.dumps(got)[:300]}"]
                pairs = enumerate(zip(wanted, got, strict=True))
                return [text for i, (a, b) in pairs for text in self._compare(run, a, b, f"{where}[{i}]", own_text)]
            case _:
                same = type(wanted) is type(got) and wanted == got
                return [] if same else [f"{where}: expected {json.dumps(wanted)[:200]}, got {json.dumps(got)[:200]}"]

    def _compare_members(
        self, run: _Run, wanted: Mapping[str, Any], got: Mapping[str, Any], where: str, own_text: bool
    ) -> list[str]:
        named = {run.text(key): value for key, value in wanted.items()}
        found = []
        for key, value in named.items():
            if key not in got:
                found.append(f"{where}.{key}: missing")
            else:
                found += self._compare(run, value, got[key], f"{where}.{key}", own_text)
        unexpected = [key for key in got if key not in named and not (self._rule_sets and key == "ruleSet")]
        return found + [f"{where}.{key}: unexpected {got[key]!r}" for key in unexpected]

    def _compare_messages(self, run: _Run, wanted: list[Any], got: list[Any], where: str) -> list[str]:
        """The order of messages does not count."""
        left = list(got)
        for message in wanted:
            match = next((one for one in left if not self._compare(run, message, one, "", False)), None)
            if match is None:
                return [f"{where}: no message like {message!r} among {left!r}"]
            left.remove(match)
        return [f"{where}: more messages than expected: {left!r}"] if left else []


def _exchange(
    connection: http.client.HTTPConnection, run: _Run, request: Mapping[str, Any]
) -> tuple[int, str | None, Any]:
    headers = {key: value for key, value in (request.get("headers") or {}).items() if value is not None}
    body: bytes | None = None
    if "json" in request:
        body = json.dumps(run.filled_in(request["json"])).encode()
        headers.setdefault("Content-Type", _DEFAULT_TYPE)
    elif "raw" in request:
        body = run.text(request["raw"]).encode()
    url = run.text(request["path"])
    if request.get("query"):
        url += "?" + urlencode([(key, run.text(str(value))) for key, value in request["query"]])
    connection.request(request["method"], url, body, headers)
    response = connection.getresponse()
    data = response.read()
    try:
        parsed = json.loads(data) if data else None
    except ValueError:
        parsed = {"$text": data.decode("utf-8", "replace")}
    return response.status, response.getheader("content-type"), parsed


def _compare_id(run: _Run, wanted: str, got: Any, where: str) -> list[str]:
    name = wanted.removeprefix("$id:")
    if not isinstance(got, int) or isinstance(got, bool):
        return [f"{where}: expected an id, got {got!r}"]
    if name not in run.ids:
        taken = got in run.ids.values() and not name.startswith("c_")
        run.ids[name] = got
        return [f"{where}: id {got} was given to another schema already"] if taken else []
    return [] if run.ids[name] == got else [f"{where}: expected id {name}={run.ids[name]}, got {got}"]


def _compare_text(run: _Run, wanted: str, got: str, where: str, own_text: bool) -> list[str]:
    if own_text and where.endswith(".message"):
        return []
    text = _with_ids(run, run.text(wanted))
    pattern = ".*".join(re.escape(part) for part in text.split("$any"))
    return [] if re.fullmatch(pattern, got, re.DOTALL) else [f"{where}: expected {text!r}, got {got!r}"]


def _with_ids(run: _Run, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    whole = _ID.fullmatch(value)
    if whole and whole[1] in run.ids:
        return run.ids[whole[1]]
    return _ID.sub(lambda m: str(run.ids.get(m[1], m[0])), value)


def _sort_key(entry: Any) -> str:
    return json.dumps(entry, sort_keys=True)


def _essence(content_type: str | None) -> str:
    return (content_type or "").partition(";")[0].strip().lower()

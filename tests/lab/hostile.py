"""Hostile HTTP requests, generated: what a stranger, a scanner or a broken client may send to the REST API or to a registry.

Each kind is a function from a random generator to the pieces of one connection: bytes to send, in order. Whoever plays them
reads the answer in between, and may leave a connection open.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

__all__ = ["Hostile", "hostile_requests"]

_MB: Final = 1 << 20


class Hostile(NamedTuple):
    """One connection's worth of trouble."""

    kind: str
    #: The bytes to send, one after the other, until the other side answers or hangs up.
    pieces: Sequence[bytes]
    #: Whether the request is never finished: nobody waits for an answer.
    unfinished: bool = False


def hostile_requests(seed: int, count: int, registry: bool) -> Iterator[Hostile]:
    """Yield `count` requests, each kind in its turn, for a registry or for a worker's REST API."""
    rng = random.Random(seed)
    kinds = (*_HTTP, *(_REGISTRY if registry else _WORKER))
    for number in range(count):
        kind = kinds[number % len(kinds)]
        yield kind(rng)._replace(kind=kind.__name__.strip("_"))


def _request(
    method: str, path: str, body: bytes = b"", headers: Sequence[tuple[str, str]] = (), typed: bool = True
) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in headers]
    if typed and body:
        lines.append("Content-Type: application/json")
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogatepass") + body


def _one(data: bytes, unfinished: bool = False) -> Hostile:
    return Hostile("", [data], unfinished)


def _text(rng: random.Random, length: int, alphabet: str = "ab%20/:.,;()[]{}\\\"'*+?^$|<> \t-_=&#@!~") -> str:
    return "".join(rng.choice(alphabet) for _ in range(length))


# --- HTTP itself


def _large_header(rng: random.Random) -> Hostile:
    return _one(_request("GET", "/", headers=[("X-A", "b" * rng.randrange(60_000, 5 * _MB))]))


def _many_headers(rng: random.Random) -> Hostile:
    return _one(_request("GET", "/", headers=[("A", "b")] * rng.randrange(150, 200_000)))


def _odd_headers(rng: random.Random) -> Hostile:
    odd = [
        ("Host", "["), ("Content-Length", "9" * 5000), ("Content-Length", "-1"), ("Transfer-Encoding", "gzip, chunked"),
        ("Expect", "100-continue"), ("Connection", "upgrade"), ("Upgrade", "h2c"), ("Accept", ",".join(["a/b;q=x"] * 8000)),
        ("Authorization", "Basic " + "A" * 50_000), ("Authorization", "Bearer " + "e" * 50_000), ("X-Forwarded-For", "\x80" * 99),
        ("Origin", "null"), ("Sec-Fetch-Site", "cross-site"), ("Content-Type", "a;" * 9000), ("Content-Type", "application/json"),
        ("Accept", "text/html"), ("X-Connect-Authorization", "="), ("X-Forward", "true"), ("Cookie", "a=" * 9000),
    ]  # fmt: skip
    chosen = rng.sample(odd, rng.randrange(1, 5))
    return _one(_request(rng.choice(["GET", "PUT", "POST", "DELETE"]), "/connectors", b"{}", chosen, typed=False))


def _long_target(rng: random.Random) -> Hostile:
    length = rng.choice([10_000, 100_000, 3 * _MB])
    return _one(
        _request("GET", rng.choice(["/connectors?", "/connectors/", "/subjects/", "/?a="]) + "%41" * (length // 3))
    )


def _many_parameters(rng: random.Random) -> Hostile:
    return _one(_request("GET", f"/{rng.choice(['connectors', 'subjects', 'schemas'])}?" + "a=&" * 5000))


def _odd_target(rng: random.Random) -> Hostile:
    target = rng.choice(
        ["*", "//", "/%", "/%zz", "/\xff", "http://[::/", "/..%2f..%2fetc", "/connectors/%ED%A0%80/status", "?", "/a b"]
    )
    return _one(_request(rng.choice(["GET", "OPTIONS", "PUT", "CONNECT", "TRACE", "BREW"]), target))


def _garbage(rng: random.Random) -> Hostile:
    start = rng.choice([b"\x16\x03\x01\x02", b"", b"GET ", b"\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
    return _one(start + rng.randbytes(rng.randrange(1, 100_000)), unfinished=True)


def _announced_body(rng: random.Random) -> Hostile:
    head = b"POST /connectors HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return Hostile("", [head % rng.choice([200 * _MB, 1 << 40, 17 * _MB]), *[b" " * _MB] * 30])


def _chunked_body(rng: random.Random) -> Hostile:
    path = rng.choice(
        [b"PUT /connectors/x/fence", b"POST /connectors", b"POST /subjects/a/versions", b"GET /health", b"PUT /nowhere"]
    )
    head = path + b" HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"%x\r\n" % _MB + b" " * _MB + b"\r\n"
    return Hostile("", [head, *[chunk] * rng.randrange(5, 60)], unfinished=True)


def _bad_chunks(rng: random.Random) -> Hostile:
    flood = rng.choice(
        [
            b"1;" + b"e" * 5000 + b"\r\na\r\n",
            b"0\r\n" + b"T: 1\r\n" * 20_000,
            b"ffffffffffffffff\r\n",
            b"zz\r\n",
            b"1\r\na\r\n" * 5000,
        ]
    )
    head = b"POST /subjects/a/versions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return Hostile("", [head, *[flood] * 20], unfinished=True)


def _half_open(rng: random.Random) -> Hostile:
    whole = _request("POST", "/connectors", b'{"name":"a","config":{}}')
    return _one(whole[: rng.randrange(len(whole))], unfinished=True)


def _pipelined(rng: random.Random) -> Hostile:
    return Hostile("", [_request("GET", "/connectors") * rng.randrange(100, 5000)] * 3)


_HTTP: Final[tuple[Callable[[random.Random], Hostile], ...]] = (
    _large_header, _many_headers, _odd_headers, _long_target, _many_parameters, _odd_target, _garbage, _announced_body,
    _chunked_body, _bad_chunks, _half_open, _pipelined,
)  # fmt: skip

# --- JSON


def _json_trouble(rng: random.Random) -> str:
    """Return the text of a JSON value that is hard to handle."""
    return rng.choice(
        [
            "1" * rng.choice([1001, 5000, 100_000]), "-1e999999999", "1e-999999999", "0." + "1" * 100_000, "NaN", "-Infinity",
            "[" * 100_000, "[" * 150 + "]" * 150, '{"a":' * 900 + "1" + "}" * 900, "[" * 300 + "1" + "]" * 300,
            '"\\ud800"', '"\\udfff\\ud800"', '{"\\ud800":1}', '"\\u0000"', '"' + "a" * _MB + '"', '"\xff"', "null", "true", "{}", "[]",
            '""', '"${env:HOME}"', '"${' + ":" * 2000 + '"', json.dumps(_redos(rng)),
        ]
    )  # fmt: skip


def _redos(rng: random.Random) -> str:
    """Return a pattern that backtracks without end, or a text that makes one do so."""
    return rng.choice(
        ["(a+)+$", "(a|a)*b", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*a){25}", "((a*)*)*x", "[" + " " * 2000 + "x", "a" * 50_000 + "!",
         "(" * 500 + ")" * 500, "a{1000}{1000}", "(?=a)" * 100, "\\" * 999, "/*" * 20_000, '"' * 9999, "." * 50_000]
    )  # fmt: skip


# --- the worker

_KEYS: Final = (
    "name", "connector.class", "tasks.max", "topics.regex", "topics", "transforms", "transforms.a.regex", "transforms.a.type",
    "predicates.p.pattern", "connector.plugin.version", "topic.creation.default.include", "errors.tolerance", "value.converter",
    "producer.override.linger.ms", "config.providers", "file", "batch.size",
)  # fmt: skip


def _config(rng: random.Random) -> str:
    base = {
        "connector.class": rng.choice(["MockSource", "MockSink", "FileStreamSink", "FileStreamSource"]),
        "tasks.max": "1",
    }
    if rng.random() < 0.5:
        base |= {
            "transforms": "a",
            "transforms.a.type": "RegexRouter",
            "transforms.a.regex": _redos(rng),
            "transforms.a.replacement": "$1",
        }
    text = json.dumps(base)[:-1]
    return f"{text},{json.dumps(rng.choice(_KEYS))}:{_json_trouble(rng)}}}"


def _worker_body(rng: random.Random) -> Hostile:
    trouble, config = _json_trouble(rng), _config(rng)
    method, path, body = rng.choice(
        [
            ("POST", "/connectors", f'{{"name":{trouble},"config":{config}}}'), ("POST", "/connectors", trouble),
            ("PUT", "/connectors/a/config", config), ("PATCH", "/connectors/a/config", config),
            ("PUT", "/connector-plugins/FileStreamSink/config/validate", config),
            ("PATCH", "/connectors/a/offsets", f'{{"offsets":[{{"partition":{{"a":{trouble}}},"offset":{{"b":{trouble}}}}}]}}'),
            ("PUT", "/connectors/a/tasks/0/status", f'{{"state":{trouble}}}'), ("PUT", "/admin/loggers/x", f'{{"level":{trouble}}}'),
            ("POST", "/connectors/a/tasks", trouble), ("PUT", "/connectors/a/fence", trouble),
        ]
    )  # fmt: skip
    return _one(_request(method, path, body.encode("latin-1", "replace")))


def _worker_query(rng: random.Random) -> Hostile:
    text = "".join(f"%{byte:02X}" for byte in _redos(rng)[:4000].encode())
    path = rng.choice(
        ["/connector-plugins/FileStreamSink/config?version=", "/connectors?expand=", "/connectors/a/restart?onlyFailed=",
         "/admin/loggers/", "/connectors/", "/connectors/a/tasks/"]
    )  # fmt: skip
    return _one(_request(rng.choice(["GET", "PUT", "POST"]), path + text))


_WORKER: Final = (_worker_body, _worker_query) * 4

# --- the registry


def _schema(rng: random.Random) -> tuple[str, str]:
    """Return a schema's language and its text."""
    trouble, redos = _json_trouble(rng), json.dumps(_redos(rng))
    return rng.choice(
        [
            ("AVRO", f'{{"type":"record","name":"r","fields":[{{"name":"a","type":"int","default":{trouble}}}]}}'),
            ("AVRO", f'{{"type":"enum","name":{redos},"symbols":[{redos}]}}'),
            ("AVRO", f'{{"type":"bytes","logicalType":"decimal","precision":{trouble},"scale":{trouble}}}'),
            ("AVRO", f'{{"type":"fixed","name":"f","size":{trouble}}}'), ("AVRO", trouble), ("AVRO", '{"type":' * 3000),
            ("AVRO", json.dumps({"type": "record", "name": "r", "doc": _redos(rng), "fields": []})),
            ("JSON", f'{{"type":"string","pattern":{redos}}}'), ("JSON", f'{{"patternProperties":{{{redos}:{{}}}}}}'),
            ("JSON", f'{{"multipleOf":{trouble},"maximum":{trouble}}}'), ("JSON", f'{{"const":{trouble}}}'),
            ("JSON", '{"not":' * 400 + "{}" + "}" * 400), ("JSON", '{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/a"}}}'),
            ("PROTOBUF", 'syntax = "proto3"; ' + "message A { " * 300 + "}" * 300), ("PROTOBUF", "message A { " + _redos(rng) + " }"),
            ("PROTOBUF", f'syntax = "proto2"; message A {{ optional double a = 1 [default = {"9" * 5000}]; }}'),
            ("PROTOBUF", 'syntax = "proto3"; message A { int32 a = ' + "9" * 5000 + "; }"), (_text(rng, 20), _text(rng, 5000)),
        ]
    )  # fmt: skip


def _registry_body(rng: random.Random) -> Hostile:
    kind, schema = _schema(rng)
    trouble = _json_trouble(rng)
    members: dict[str, Any] = {"schemaType": kind, "schema": schema}
    body = json.dumps(members)
    if rng.random() < 0.3:
        key = rng.choice(["metadata", "references", "id", "version", "ruleSet", "schemaType", "schema"])
        body = f'{body[:-1]},"{key}":{trouble}}}'
    method, path, sent = rng.choice(
        [
            ("POST", "/subjects/a/versions", body), ("POST", "/subjects/b-value/versions?normalize=true", body), ("POST", "/subjects/a", body),
            ("POST", "/compatibility/subjects/a/versions/latest?verbose=true", body), ("POST", "/subjects/a/versions", trouble),
            ("PUT", "/config", f'{{"compatibility":{trouble}}}'), ("PUT", "/config/zz", f'{{"alias":{trouble}}}'),
            ("PUT", "/mode/zz", f'{{"mode":{trouble}}}'), ("POST", "/subjects/a/versions/1/tags", f'{{"tagsToAdd":[{trouble}]}}'),
        ]
    )  # fmt: skip
    return _one(_request(method, path, sent.encode("latin-1", "replace")))


def _registry_query(rng: random.Random) -> Hostile:
    text = "".join(f"%{byte:02X}" for byte in _redos(rng)[:4000].encode())
    path = rng.choice(
        ["/schemas?subjectPrefix=", "/subjects?subjectPrefix=", "/schemas/ids/", "/subjects/a/versions/", "/subjects/",
         "/schemas/guids/", "/contexts/", "/config/", "/mode/", "/schemas/ids/1?format=", "/schemas?offset=", "/schemas?limit="]
    )  # fmt: skip
    return _one(_request(rng.choice(["GET", "DELETE"]), path + text))


_REGISTRY: Final = (_registry_body, _registry_query) * 4

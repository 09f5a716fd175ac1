# ruff: noqa: T201 - a script: its output is read by the test that starts it
"""Feeds mutated schemas to one of the registry's languages; a process of its own, so that what hangs or dies shows.

    python schema_fuzzing.py AVRO FIRST COUNT    runs the cases FIRST, FIRST+1, …: a line a case, then a JSON summary
    python schema_fuzzing.py AVRO 17             prints case 17

A case depends on its number alone. It is right if it ends with the documented error or a schema that reads back from its
own text, in bounded time and memory, without a look at network or disk.
"""

from __future__ import annotations

import base64
import json
import random
import re
import resource
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from penstock.api import InvalidSchemaError, ParsedSchema, SchemaFormat, SchemaReference
from penstock.api.registry import HasFields, KnowsLenience
from penstock_registry.server.errors import RegistryError
from penstock_registry.server.formats import Formats
from penstock_registry.server.registry import Registry
from penstock_registry.server.requests import ReferenceRequest, SchemaRequest
from penstock_registry.store.memory import MemoryStore

VECTORS = Path(__file__).parents[2] / "vectors"
MEMORY = 4 << 30
#: Events of the interpreter that a schema must never cause.
FORBIDDEN = (
    "open",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "urllib.Request",
    "subprocess.Popen",
    "os.system",
    "import",
)

NUMBERS = [
    "1e400",
    "-1e400",
    "1e999999999",
    "1e-999999999",
    "1e99999999999999999999",
    "9" * 400,
    "9" * 5000,
    "0.1",
    "-0",
    "-1",
    "2147483648",
    "9223372036854775808",
    "1E+2",
    "0e0",
]
PATTERNS = [
    "(a+)+$",
    "(a|a)*b",
    "(x+x+)+y",
    "[",
    "(?P<n",
    "\\",
    "a{99999999}",
    "(?=.*){9}",
    "(((((((((((((((((((((a*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*",
]
REFS = [
    "#",
    "#/definitions/a",
    "#/$defs/b",
    "#/properties/x",
    "http://127.0.0.1:9/x.json",
    "file:///etc/passwd",
    "ref.json",
    "#/",
    "#/%",
    "#%00",
    "http://[",
    "//",
    "ref.json#/a/0",
    "#anchor",
    "urn:x",
]
WORDS = {
    "AVRO": "null boolean int long float double bytes string record error enum array map fixed type name namespace doc aliases fields items values symbols size default order logicalType decimal precision scale R.x . Other ref.T",
    "JSON": "type properties required items additionalProperties additionalItems prefixItems patternProperties allOf anyOf oneOf not if then else enum const $ref $id id $schema $anchor $dynamicRef $recursiveRef definitions $defs dependencies dependentSchemas dependentRequired minimum maximum exclusiveMinimum multipleOf minLength pattern format minItems uniqueItems contains minContains unevaluatedProperties propertyNames title default object array string integer number null boolean",
    "PROTOBUF": "syntax package import public weak option message enum service rpc returns stream oneof map reserved extensions extend group optional repeated required to max proto2 proto3 int32 string bytes bool double sint64 fixed32 A.B google.protobuf.Timestamp inf nan true false editions { } [ ] ( ) < > = ; , . - + / : \" ' // /* */ 0x 07 1e9",
}  # fmt: skip


def seeds(kind: str) -> list[str]:
    found: dict[str, None] = {}
    for line in (VECTORS / f"compat_{kind.lower()}.jsonl").read_text().splitlines():
        case = json.loads(line)
        old = case["old"] if isinstance(case["old"], list) else [case["old"]]
        found |= dict.fromkeys([*old, case["new"]])
    return list(found)


class Maker:
    """Makes the cases of one language."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.seeds = seeds(kind)
        self.words = WORDS[kind].split()
        self._chance = random.Random()

    def case(self, number: int) -> tuple[str, str]:
        """A text and one that it refers to as ``ref`` (by the name that the language takes)."""
        self._chance = random.Random(f"{self.kind}-{number}")
        return self._text(), self._text() if self._chance.random() < 0.3 else self._chance.choice(self.seeds)

    def _text(self) -> str:
        chance = self._chance
        text = chance.choice(self.seeds)
        ways: list[Callable[[str], str]] = [self._characters, self._tokens, self._extreme]
        if self.kind == "PROTOBUF":
            ways += [self._tokens] * 4 + [self._descriptor] * 3
        else:
            ways += [self._structure] * 7
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            text = chance.choice(ways)(text)
        return text[:300_000]

    def _characters(self, text: str) -> str:
        chance, characters = self._chance, list(text)
        for _ in range(chance.choice((1, 1, 2, 5, 30))):
            at = chance.randrange(len(characters) + 1)
            odd = chance.choice(
                [
                    "\x00",
                    "\ud800",
                    "\U0001f600",
                    "\\",
                    '"',
                    "{",
                    "}",
                    "[",
                    "]",
                    "\\ud83d",
                    "\\u0000",
                    "\r",
                    "\u2028",
                    "é",
                    "٣",
                    chr(chance.randrange(1, 0xD000)),
                ]
            )
            characters[at : at + chance.choice((0, 1))] = chance.choice(([odd], [odd], []))
            if chance.random() < 0.2:
                del characters[at : at + chance.randrange(1, 20)]
        return "".join(characters)

    def _tokens(self, text: str) -> str:
        chance = self._chance
        tokens = re.findall(r'"(?:[^"\\]|\\.)*"|\w+|\s+|.', text, re.S)
        other = re.findall(r'"(?:[^"\\]|\\.)*"|\w+|\s+|.', chance.choice(self.seeds), re.S)
        for _ in range(chance.choice((1, 1, 2, 3, 8))):
            at = chance.randrange(len(tokens) + 1)
            new = chance.choice(
                (
                    [chance.choice(self.words)],
                    other[: chance.randrange(1, 30)],
                    [chance.choice(NUMBERS)],
                    [],
                    tokens[at : at + 9] * 2,
                )
            )
            tokens[at : at + chance.choice((0, 1, 1, 4))] = new
        return "".join(tokens)

    def _descriptor(self, text: str) -> str:
        """The text as a serialized descriptor, with some of its bytes changed."""
        chance = self._chance
        try:
            data = bytearray(base64.b64decode(FORMATS[self.kind].parse(text).formatted("serialized"), validate=True))
        except (InvalidSchemaError, ValueError, RegistryError):
            data = bytearray(chance.randbytes(30))
        for _ in range(chance.choice((0, 1, 2, 6))):
            at = chance.randrange(len(data) + 1)
            data[at : at + chance.choice((0, 1, 1, 3))] = chance.randbytes(chance.randrange(3))
        return base64.b64encode(data).decode()

    # --- JSON as a tree

    def _structure(self, text: str) -> str:
        try:
            tree = json.loads(text)
            json.dumps(tree)
        except (ValueError, RecursionError):
            return self._tokens(text)
        chance, holder = self._chance, [tree]
        for _ in range(chance.choice((1, 1, 2, 3, 6))):
            spots = _spots(holder)
            where, key = chance.choice(spots)
            self._change(where, key, spots)
        try:
            text = json.dumps(holder[0])
        except (ValueError, RecursionError):  # a cycle, which no text can have
            return text
        return re.sub(r'"@(\d+)"', lambda match: NUMBERS[int(match[1]) % len(NUMBERS)], text)

    def _change(self, where: Any, key: Any, spots: Sequence[tuple[Any, Any]]) -> None:
        chance, value = self._chance, where[key]
        match chance.randrange(8):
            case 0 if isinstance(where, dict):
                del where[key]
            case 1:
                where[key] = self._odd_value()
            case 2:
                other, name = chance.choice(spots)
                where[key] = json.loads(json.dumps(other[name])) if len(json.dumps(other[name])) < 5000 else None
            case 3:
                for _ in range(chance.choice((1, 2, 5, 60, 190, 300))):
                    value = chance.choice(
                        (
                            [value],
                            {chance.choice(self.words): value},
                            {"type": value},
                            {"type": "array", "items": value},
                        )
                    )
                where[key] = value
            case 4 if isinstance(value, dict):
                value[chance.choice(self.words)] = self._odd_value()
            case 5 if isinstance(where, dict):
                where[chance.choice(self.words)] = where.pop(key)
            case 6 if isinstance(value, list):
                value.append(chance.choice(value) if value and chance.random() < 0.5 else self._odd_value())
            case 7 if isinstance(value, dict):
                value[chance.choice(("$ref", "$id", "$schema", "pattern", "type"))] = chance.choice(
                    (
                        *REFS,
                        *PATTERNS,
                        "https://json-schema.org/draft/2020-12/schema",
                        "http://json-schema.org/draft-04/schema#",
                    )
                )
            case _:
                where[key] = chance.choice(self.words)

    def _odd_value(self) -> Any:
        chance = self._chance
        return chance.choice(
            (
                None,
                True,
                [],
                {},
                "",
                0,
                -1,
                1.5,
                chance.choice(self.words),
                f"@{chance.randrange(99)}",
                "n" * chance.choice((300, 70_000)),
                chance.choice(REFS),
                chance.choice(PATTERNS),
                "\ud800",
                "\x00",
                [None],
                [[]],
                {"": None},
                ["null", "null"],
                {"type": "string"},
                json.loads(self._seed_tree()),
            )
        )

    def _seed_tree(self) -> str:
        text = self._chance.choice(self.seeds)
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return "{}"
        return text

    # --- large and deep

    def _extreme(self, text: str) -> str:
        chance = self._chance
        size = chance.choice((3, 20, 40, 90, 150, 199, 210) * 4 + (1000, 5000))
        return chance.choice(_EXTREMES[self.kind])(text, size)


def _spots(tree: Any) -> list[tuple[Any, Any]]:
    """Every place of a value: what holds it and under which key."""
    found, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        for key in node if isinstance(node, dict) else range(len(node)):
            found.append((node, key))
            if isinstance(node[key], dict | list):
                waiting.append(node[key])
    return found


Extreme = Callable[[str, int], str]
_EXTREMES: dict[str, list[Extreme]] = {
    "AVRO": [
        lambda text, n: json.dumps([{"type": "record", "name": "R0", "fields": []}, *({"type": "record", "name": f"R{i}", "fields": [{"name": "f", "type": f"R{i - 1}"}, {"name": "g", "type": f"R{i - 1}"}]} for i in range(1, n % 1500))]),
        lambda text, n: "[" * n + text + "]" * n,
        lambda text, n: '{"type":"array","items":' * n + text + "}" * n,
        lambda text, n: '{"type":' * n + text + "}" * n,
        lambda text, n: json.dumps({"type": "record", "name": "R", "fields": [{"name": "f", "type": "R", "default": {}}]}),
        lambda text, n: json.dumps({"type": "record", "name": "R", "fields": [{"name": "f", "type": ["null", "R"], "default": None}, {"name": "g", "type": {"type": "array", "items": "R"}, "default": [{"g": []}] * (n % 50)}]}),
        lambda text, n: json.dumps({"type": "enum", "name": "E" * n, "symbols": [f"S{i}" for i in range(n)]}),
        lambda text, n: json.dumps({"type": "record", "name": "R", "fields": [{"name": f"f{i}", "type": "int"} for i in range(n)]}),
        lambda text, n: json.dumps({"type": "record", "name": "R0", "fields": [{"name": "f", "type": {"type": "record", "name": "R1", "fields": [{"name": f"f{i}", "type": ["null", "R0", "R1"], "default": None} for i in range(n % 300)]}}]}),
        lambda text, n: '{"type":"record","name":"R","fields":[{"name":"f","type":"double","default":' + "9" * n + "}]}",
        lambda text, n: '{"type":"fixed","name":"F","size":' + "9" * n + "}",
        lambda text, n: "".join(f'{{"type":"record","name":"R{i}","fields":[{{"name":"f","type":' for i in range(n % 220)) + '"int"' + "}]}" * (n % 220),
    ],
    "JSON": [
        lambda text, n: "[" * n + text + "]" * n,
        lambda text, n: '{"items":' * n + text + "}" * n,
        lambda text, n: '{"not":' * n + text + "}" * n,
        lambda text, n: '{"allOf":[' * n + text + "]}" * n,
        lambda text, n: json.dumps({"$ref": "#/definitions/d0", "definitions": {f"d{i}": {"$ref": f"#/definitions/d{(i + 1) % n}"} for i in range(n)}}),
        lambda text, n: json.dumps({"$ref": "#/definitions/d0", "definitions": {f"d{i}": {"allOf": [{"$ref": f"#/definitions/d{i + 1}"}] * 2} for i in range(n % 200)} | {f"d{n % 200}": {"type": "string"}}}),
        lambda text, n: json.dumps({"properties": {f"p{i}": {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": f"#/properties/p{(i * 7) % n}"}}} for i in range(n % 400)}}),
        lambda text, n: json.dumps({"oneOf": [{"type": "object", "properties": {f"p{i}": {"type": "string"}}} for i in range(n % 120)]}),
        lambda text, n: json.dumps({"anyOf": [{"anyOf": [{"type": "string", "maxLength": i + j} for i in range(n % 12)]} for j in range(n % 12)]}),
        lambda text, n: json.dumps({"type": "string", "pattern": PATTERNS[n % len(PATTERNS)] * 5, "enum": ["a" * n]}),
        lambda text, n: '{"type":"number","minimum":' + "9" * n + ',"multipleOf":1e-' + str(n) * 3 + "}",
        lambda text, n: '{"type":"string","minLength":1e' + str(n) * 3 + "}",
        lambda text, n: json.dumps({"$id": "http://x/" + "y" * n, "$ref": "z" * n, "definitions": {"z": {"$id": "z" * n}}}),
        lambda text, n: json.dumps({"type": ["object"] * (n % 300), "required": ["a"] * n, "dependencies": {f"k{i}": ["a"] for i in range(n)}}),
    ],
    "PROTOBUF": [
        lambda text, n: "message M0 {} " + "".join(f"message M{i} {{ M{i - 1} a = 1; M{i - 1} b = 2; }} " for i in range(1, n % 1500)),
        lambda text, n: "".join(f"message M{i} {{ " for i in range(n)) + "}" * n,
        lambda text, n: "message M { map<string, " * n + "int32" + "> a = 1; }" * n,
        lambda text, n: "message M { " + "map<string," * n + "int32" + ">" * n + " a = 1; }",
        lambda text, n: "option (a) = " + "{ b: " * n + "1" + " }" * n + ";",
        lambda text, n: "option (a) = " + "[" * n + "1" + "]" * n + ";",
        lambda text, n: "message M { " + "".join(f"int32 f{i} = {i + 1};" for i in range(n)) + "}",
        lambda text, n: "enum E { " + "".join(f"V{i} = {i};" for i in range(n)) + "}",
        lambda text, n: "message M { reserved 1 to " + "9" * n + "; int32 a = " + "9" * n + "; }",
        lambda text, n: "message M { reserved " + ", ".join(f"{i * 3 + 1} to {i * 3 + 2}" for i in range(n)) + "; }",
        lambda text, n: "message M { oneof o { " + "group G = 1 { oneof o { " * n + "int32 a = 1;" + "} } " * n + "} }",
        lambda text, n: "/*" * n + text + "*/" * n + "//" * n,
        lambda text, n: 'syntax = "proto3"; import "ref.proto"; import "ref.proto"; message M { M m = 1; N n = 2; message N { M m = 1; N n = 2; } }',
        lambda text, n: "package " + "a." * n + "b; message M { " + ".a" * n + " x = 1; }",
        lambda text, n: 'option java_package = "' + "\\777\\xff\\u" * n + '";' + text,
        lambda text, n: "import " + '"a" ' * n + ";" + text,
        lambda text, n: "message M { " + "extend M { optional int32 x = 100; " * n + "} " * n + "}",
        lambda text, n: "service S { " + "rpc A(M) returns (M) { option (a) = {}; } " * (n % 500) + "}",
    ],
}  # fmt: skip

FORMATS: dict[str, SchemaFormat] = {}


class Target:
    """The language, alone and inside a registry that holds one schema of it."""

    def __init__(self, kind: str) -> None:
        formats = Formats()
        found = formats.find(kind)
        assert found is not None
        self.kind, self.format = kind, found
        FORMATS[kind] = found
        self.refers = {"AVRO": "ref.T", "JSON": "ref.json", "PROTOBUF": "ref.proto"}[kind]
        self.registry = Registry(MemoryStore(), formats)
        self.registry.start()
        first = seeds(kind)[0]
        self.registry.register("s", SchemaRequest(first, kind))
        self.previous = found.parse(first)
        self.running = False

    def run(self, text: str, referred: str) -> bool:
        """Whether the schema was taken."""
        request = SchemaRequest(
            text, self.kind, references=(ReferenceRequest(self.refers, "s", 1),) if len(text) % 5 == 0 else ()
        )
        for ask in (
            ()
            if len(text) % 4
            else (
                lambda: self.registry.lookup("none", request, normalize=True),
                lambda: self.registry.test_compatibility("s", request),
            )
        ):
            try:
                json.dumps(ask())  # type: ignore[no-untyped-call]  # a lookup finds nothing, and raises
            except RegistryError as error:
                if error.code not in (42201, 42209, 40401):
                    raise
        reference = SchemaReference(self.refers, "s", 1)
        try:
            if len(text) % 3:
                parsed: ParsedSchema = self.format.parse(text)
            else:
                parsed = self.format.parse(text, [reference], {self.refers: referred})
        except InvalidSchemaError:
            return False
        self._check(parsed, referred if parsed.references else None)
        self.previous = parsed if len(parsed.canonical) < 20_000 else self.previous
        return True

    def _check(self, parsed: ParsedSchema, referred: str | None) -> None:
        references, resolved = (parsed.references, {self.refers: referred}) if referred is not None else ((), {})
        read = getattr(self.format, "parse_registered", self.format.parse)
        again = read(parsed.canonical, references, resolved)
        assert again.canonical == parsed.canonical, f"reads back as {again.canonical}"
        normal = parsed.normalized()
        assert normal.normalized().canonical == normal.canonical
        for form in ("", "resolved", "serialized", "ignore_extensions", "unknown"):
            parsed.formatted(form)
        for new, old in ((parsed, self.previous), (self.previous, parsed), (parsed, again)):
            try:
                problems = new.incompatibilities(old)
                if isinstance(new, KnowsLenience):
                    problems += new.incompatibilities_lenient(old)
            except InvalidSchemaError:
                continue  # types that refer to one another in too long a chain
            assert all(isinstance(problem, str) for problem in problems)
        if isinstance(parsed, HasFields):
            parsed.top_level_fields()


def _peak_kb() -> int:
    """Return this process's own peak: `ru_maxrss` begins with that of the process that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1])  # type: ignore[index]  # Linux always has it
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(kind: str, first: int, count: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    maker, target = Maker(kind), Target(kind)
    watching: list[str] = []

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if target.running and event in FORBIDDEN:
            watching.append(f"{event} {arguments[:1]}")

    for number in range(-200, 0):  # what is imported late is imported now
        run(target, *maker.case(number))
    sys.addaudithook(watch)
    failures: list[dict[str, Any]] = []
    taken, slowest, slowest_case = 0, 0.0, -1
    for number in range(first, first + count):
        print(number, flush=True)
        text, referred = maker.case(number)
        began = time.process_time()
        taken_now, problem = run(target, text, referred)
        used = time.process_time() - began
        taken += taken_now
        if used > slowest:
            slowest, slowest_case = used, number
        if watching:
            problem = f"{problem or ''} looked outside: {watching[:3]}"
            watching.clear()
        if problem and len(failures) < 40:
            failures.append({"case": number, "problem": problem, "text": text[:600]})
    print(
        json.dumps(
            {
                "kind": kind,
                "cases": count,
                "taken": taken,
                "slowest_s": round(slowest, 3),
                "slowest_case": slowest_case,
                "peak_mb": _peak_kb() // 1024,
                "failures": failures,
            }
        )
    )


def run(target: Target, text: str, referred: str) -> tuple[bool, str | None]:
    target.running = True
    try:
        return target.run(text, referred), None
    except Exception as error:
        target.running = False
        lines = traceback.format_exc().splitlines()
        return False, "\n".join([*lines[-14:], repr(error)[:300]])
    finally:
        target.running = False


if __name__ == "__main__":
    if len(sys.argv) == 3:
        Target(sys.argv[1])
        print(json.dumps(Maker(sys.argv[1]).case(int(sys.argv[2]))))
    else:
        main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

"""Nothing enters the log that could not be answered from it, and nothing in the log keeps others from being answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from penstock.api import ParsedSchema, SchemaFormat, SchemaReference
from penstock_registry.formats.avro import AvroFormat
from penstock_registry.server.errors import RegistryError
from penstock_registry.server.formats import Formats
from penstock_registry.server.http.app import make_app
from penstock_registry.server.registry import Registry
from penstock_registry.server.requests import ReferenceRequest, SchemaRequest
from penstock_registry.store import (
    ClearSubjectKey,
    ConfigKey,
    ContextKey,
    DeleteSubjectKey,
    Key,
    MemoryStore,
    ModeKey,
    NoopKey,
    RegistryStore,
    SchemaKey,
    StoreRecord,
)
from penstock_registry.store.sqlite import SqliteStore


class CountingFormat(AvroFormat):
    """Avro that counts how often it is asked to parse."""

    def __init__(self) -> None:
        self.parsed = 0

    def _parse(self, *arguments: Any) -> Any:
        self.parsed += 1
        return super()._parse(*arguments)


class LossyParsed:
    """A schema whose text forgets its first character every time it is read."""

    schema_type = "LOSSY"
    references = ()
    name = None

    def __init__(self, text: str) -> None:
        self.canonical = text[1:]

    def normalized(self) -> ParsedSchema:
        return self

    def formatted(self, form: str) -> str:
        return self.canonical

    def incompatibilities(self, previous: ParsedSchema) -> list[str]:
        return []


class LossyFormat(SchemaFormat):
    schema_type = "LOSSY"

    def parse(
        self, text: str, references: Sequence[SchemaReference] = (), resolved: Mapping[str, str] | None = None
    ) -> ParsedSchema:
        return LossyParsed(text)


Ask = Callable[..., tuple[int, Any]]


def client_over(store: RegistryStore) -> tuple[Registry, Ask]:
    registry = Registry(store, Formats({"LOSSY": LossyFormat}))
    registry.start()
    client = TestClient(make_app(registry, version="1", identity={}, max_request_size=1 << 20))

    def ask(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = client.request(method, path, json=body)
        return answer.status_code, answer.json()

    return registry, ask


@pytest.fixture(params=["memory", "sqlite"])
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ask]:
    store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "registry.db")
    registry, asked = client_over(store)
    yield asked
    registry.close()


def register(ask: Ask, subject: str, text: str, **members: Any) -> tuple[int, Any]:
    return ask("POST", f"/subjects/{subject}/versions", {"schema": text, **members})


# --- what is stored --------------------------------------------------------------------------------------------------

LONE = [
    ("AVRO", r'{"type":"record","name":"R","fields":[],"note":"\ud800"}'),
    ("AVRO", r'{"type":"record","name":"R","doc":"\udfff","fields":[]}'),
    ("AVRO", r'{"type":"enum","name":"E","symbols":["A"],"\ud800":1}'),
    ("AVRO", r'{"type":"record","name":"R","fields":[{"name":"f","type":"string","default":"\ud800"}]}'),
    ("JSON", r'{"type":"string","pattern":"[\ud800-\udbff]"}'),
    ("JSON", r'{"title":"\udc00"}'),
    ("JSON", r'{"properties":{"\ud800":{}}}'),
    ("JSON", r'{"enum":["\ud800"]}'),
]  # fmt: skip


@pytest.mark.parametrize(("schema_type", "text"), LONE)
@pytest.mark.parametrize("path", ["/versions", "/versions?normalize=true"])
def test_a_schema_without_a_form_in_utf8_is_refused_and_not_kept(
    schema_type: str, text: str, path: str, ask: Ask
) -> None:
    body = {"schema": text, "schemaType": schema_type}
    status, answer = ask("POST", f"/subjects/s{path}", body)
    assert (status, answer["error_code"]) == (422, 42201)
    assert ask("POST", "/subjects/s", body)[0] in (404, 422)
    assert ask("GET", "/subjects") == (200, [])
    assert ask("GET", "/schemas?deleted=true") == (200, [])
    assert register(ask, "other", '"int"')[1]["id"] == 1


def test_a_schema_with_one_is_kept(ask: Ask) -> None:
    text = r'{"type":"string","pattern":"\ud83d\ude00"}'
    assert register(ask, "s", text, schemaType="JSON")[0] == 200
    assert ask("GET", "/schemas")[1][0]["schema"] == '{"type":"string","pattern":"\U0001f600"}'


def test_an_import_and_a_change_of_tags_are_checked_too(ask: Ask) -> None:
    ask("PUT", "/mode", {"mode": "IMPORT"})
    answer = register(ask, "s", LONE[0][1], id=7, version=1)
    assert (answer[0], answer[1]["error_code"]) == (422, 42201)
    ask("PUT", "/mode", {"mode": "READWRITE"})
    tagged = {"schemaTagsToAdd": [{"schemaEntity": {"entityPath": "R", "entityType": "sr_record"}, "tags": ["PII"]}]}
    assert register(ask, "s", LONE[0][1], **tagged)[1]["error_code"] == 42201
    assert ask("GET", "/subjects?deleted=true") == (200, [])


def test_a_schema_whose_text_reads_back_as_another_is_refused(ask: Ask) -> None:
    status, answer = register(ask, "s", "abc", schemaType="LOSSY")
    assert (status, answer["error_code"]) == (422, 42201)
    assert "it cannot be kept, since its text reads back as another schema: c" in answer["message"]
    assert ask("GET", "/subjects") == (200, [])


def test_tags_leave_numbers_as_they_are(ask: Ask) -> None:
    text = '{"type":"record","name":"R","fields":[{"name":"f","type":"int"}],"big":123456789012345678901234567890}'
    assert register(ask, "s", text)[0] == 200
    change = {"schemaEntity": {"entityPath": "R.f", "entityType": "sr_field"}, "tags": ["PII"]}
    status, answer = ask("POST", "/subjects/s/versions/1/tags", {"tagsToAdd": [change]})
    assert status == 200, answer
    assert json.loads(answer["schema"])["big"] == 123456789012345678901234567890


def test_texts_from_inside_the_process_are_checked_too() -> None:
    registry, ask = client_over(MemoryStore())
    for subject, request in (
        ("\ud800", SchemaRequest('"int"')),
        ("s", SchemaRequest('"\ud800"')),
        ("s", SchemaRequest('"int"', metadata={"properties": {"k": "\ud800"}})),
        ("s", SchemaRequest('"int"', rule_set={"domainRules": [{"name": "\ud800"}]})),
        ("s", SchemaRequest('"int"', references=(ReferenceRequest("\ud800", "\ud800", 1),))),
    ):
        with pytest.raises(RegistryError) as refused:
            registry.register(subject, request)
        assert refused.value.http_status == 422
        refused.value.message.encode()
    with pytest.raises(RegistryError):
        registry.settings.update_config("s", {"alias": "\ud800"})
    with pytest.raises(RegistryError):
        registry.settings.update_mode("\ud800", "READONLY")
    assert ask("GET", "/schemas?deleted=true") == (200, [])


def test_only_new_schemas_are_parsed_twice() -> None:
    format_ = CountingFormat()
    registry = Registry(MemoryStore(), Formats({"AVRO": lambda: format_}))
    registry.start()
    first, second = (SchemaRequest(f'{{"type": "fixed", "name": "F", "size": {size}}}') for size in (1, 2))
    registry.settings.update_config(None, {"compatibility": "NONE"})
    registry.register("s", first)
    assert format_.parsed == 2
    registry.register("s", first)
    registry.lookup("s", first)
    registry.lookup("s", first, normalize=True)
    registry.register("other", first)
    assert format_.parsed == 6, "each of these parses once what it was sent"
    registry.settings.update_config(None, {"compatibility": "BACKWARD"})
    registry.test_compatibility("s", second)
    assert format_.parsed == 7, "the check of a new schema leaves its parsed form for comparisons"
    registry.register("canonical", SchemaRequest('{"type":"fixed","name":"F","size":3}'))
    assert format_.parsed == 8, "a text that is sent as it is stored was parsed as such"


# --- what the log holds ----------------------------------------------------------------------------------------------


def schema(subject: str = "bad", version: Any = 1, schema_id: Any = 5, **members: Any) -> dict[str, Any]:
    return {"subject": subject, "version": version, "id": schema_id, "schema": '"int"', "deleted": False, **members}


WRONG: list[tuple[Key, Any]] = [
    (SchemaKey("bad", 1), {}),
    (SchemaKey("bad", 1), schema(version="1")),
    (SchemaKey("bad", 1), schema(version=2)),
    (SchemaKey("bad", 1), schema("other")),
    (SchemaKey("bad", 1), schema(schema_id="5")),
    (SchemaKey("bad", 1), schema(schema_id=True)),
    (SchemaKey("bad", 1), schema(schema_id=2**31)),
    (SchemaKey("bad", 1), schema(schema_id=-1)),
    (SchemaKey("bad", 1), schema(schema=None)),
    (SchemaKey("bad", 1), schema(schema={"type": "int"})),
    (SchemaKey("bad", 1), schema(schemaType=1)),
    (SchemaKey("bad", 1), schema(deleted="yes")),
    (SchemaKey("bad", 1), schema(references={"name": "x"})),
    (SchemaKey("bad", 1), schema(references=[1])),
    (SchemaKey("bad", 1), schema(references=[{"name": "x", "subject": 1, "version": 1}])),
    (SchemaKey("bad", 1), schema(references=[{"name": "x", "subject": "y", "version": "1"}])),
    (SchemaKey("bad", 1), schema(metadata=[])),
    (SchemaKey("bad", 1), schema(metadata={"tags": {"a": "b"}})),
    (SchemaKey("bad", 1), schema(metadata={"properties": {"a": 1}})),
    (SchemaKey("bad", 1), schema(metadata={"sensitive": [1]})),
    (SchemaKey("bad", 1), schema(ruleSet=[])),
    (SchemaKey("bad", 1), schema(ruleSet={"domainRules": {}})),
    (SchemaKey("bad", 1), schema(ruleSet={"domainRules": [1]})),
    (SchemaKey("bad", 1), schema(ruleSet={"domainRules": [{"name": ["a"]}]})),
    (SchemaKey("bad", 1), schema(ruleSet={"migrationRules": [{"tags": "a"}]})),
    (SchemaKey("bad", 1), schema(ruleSet={"encodingRules": [{"params": {"a": []}}]})),
    (ModeKey(None), {"mode": "BANANA"}),
    (ModeKey("s"), {"mode": 5}),
    (ModeKey("s"), {}),
    (ConfigKey(None), {"compatibilityLevel": "BANANA"}),
    (ConfigKey("s"), {"compatibilityLevel": 5}),
    (ConfigKey("s"), {"alias": 5}),
    (ConfigKey("s"), {"normalize": "true"}),
    (ConfigKey("s"), {"compatibilityPolicy": []}),
    (ConfigKey("s"), {"defaultMetadata": "x"}),
    (ConfigKey("s"), {"overrideRuleSet": {"domainRules": [5]}}),
    (DeleteSubjectKey("s"), {}),
    (DeleteSubjectKey("s"), {"version": "all"}),
    (NoopKey(), {"maxIds": {".": "many"}}),
    (NoopKey(), {"maxIds": {".": 10**18}}),
    (NoopKey(), {"maxIds": 7}),
]  # fmt: skip

#: Right in their types, and odd: what they say of their own subject shows, and costs the others nothing.
ODD: list[tuple[Key, Any]] = [
    (SchemaKey("odd", 1), schema("odd", schema="no Avro at all")),
    (SchemaKey("odd", 1), schema("odd", schemaType="NEVER")),
    (SchemaKey("odd", 1), schema("odd", schema='{"type":"record"}')),
    (SchemaKey("odd", 1), schema("odd", schema="[" * 900 + "]" * 900)),
    (SchemaKey("odd", 1), schema("odd", schema='{"type":"string","confluent:tags":5}')),
    (SchemaKey("odd", 1), schema("odd", references=[{"name": "x", "subject": "odd", "version": 1}])),
    (SchemaKey("odd", 1), schema("odd", references=[{"name": "x", "subject": "none", "version": 1}])),
    (ConfigKey("odd"), {"alias": "nowhere", "unheard": [5]}),
    (ClearSubjectKey("odd"), {}),
    (ContextKey("default", "\0"), {}),
    (ModeKey("\0"), {"mode": "READONLY"}),
]  # fmt: skip


def questions(ask: Ask) -> Iterator[tuple[str, int, Any]]:
    """Everything that others may ask; no answer may be a 5xx."""
    for path in (
        "/subjects", "/subjects?deleted=true", "/schemas", "/schemas?deleted=true&aliases=true&ruleType=CEL", "/contexts",
        "/schemas/ids/1?findTags=*", "/schemas/ids/1/versions", "/config", "/mode", "/config/s?defaultToGlobal=true",
        "/mode/s?defaultToGlobal=true", "/subjects/s/versions/latest?format=resolved", "/health/ready",
        "/subjects/odd/versions/1?findTags=*&format=resolved", "/schemas/ids/5?findTags=*", "/schemas/ids/5?format=resolved",
        "/subjects/odd/versions/1/referencedby", "/schemas/ids/1?fetchMaxId=true",
    ):  # fmt: skip
        yield path, *ask("GET", path)
    for path in ("/subjects/odd/versions", "/subjects/odd", "/compatibility/subjects/odd/versions"):
        yield path, *ask("POST", path, {"schema": '"long"', "propagateSchemaTags": True})


@pytest.mark.parametrize(("key", "value"), [*WRONG, *ODD], ids=lambda part: str(part)[:60])
def test_a_record_that_anybody_may_have_written_costs_other_subjects_nothing(
    key: Key, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    good = (SchemaKey("s", 1), schema("s", 1, 1))
    records = [StoreRecord(*one, 0) for one in (good, (key, value), (ModeKey("t"), {"mode": "READONLY"}))]
    _, ask = client_over(MemoryStore(records))
    for path, status, answer in questions(ask):
        assert status < 500, (path, answer)
    assert ask("GET", "/subjects/s/versions/1")[1]["schema"] == '"int"'
    assert ask("GET", "/mode/t") == (200, {"mode": "READONLY"})
    assert register(ask, "s", '"long"')[0] == 200
    assert register(ask, "new", '"bytes"')[0] == 200
    if (key, value) in WRONG:
        said = [record for record in caplog.records if record.name.startswith("penstock_registry")]
        assert [record.levelname for record in said] == ["ERROR"]
        assert "cannot be used and is left out" in caplog.text
        assert ask("GET", "/subjects/bad/versions")[0] == 404


def test_a_chain_of_references_longer_than_the_stack_is_followed() -> None:
    records = [StoreRecord(SchemaKey("r0", 1), schema("r0", 1, 1, schema='{"type":"fixed","name":"F0","size":1}'), 0)]
    for number in range(1, 3000):
        reference = {"name": f"F{number - 1}", "subject": f"r{number - 1}", "version": 1}
        text = json.dumps({"type": "fixed", "name": f"F{number}", "size": 1})
        value = schema(f"r{number}", 1, number + 1, schema=text, references=[reference])
        records.append(StoreRecord(SchemaKey(f"r{number}", 1), value, 0))
    _, ask = client_over(MemoryStore(records))
    body = {"schema": '"F2999"', "references": [{"name": "F2999", "subject": "r2999", "version": 1}]}
    assert ask("POST", "/subjects/last/versions", body)[0] in (200, 422)


def test_a_circle_of_references_is_told(caplog: pytest.LogCaptureFixture) -> None:
    records = []
    for number, other in ((1, 2), (2, 1)):
        reference = {"name": f"R{other}", "subject": f"r{other}", "version": 1}
        value = schema(
            f"r{number}", 1, number, schema=json.dumps({"type": "array", "items": f"R{other}"}), references=[reference]
        )
        records.append(StoreRecord(SchemaKey(f"r{number}", 1), value, 0))
    _, ask = client_over(MemoryStore(records))
    status, answer = ask("GET", "/subjects/r1/versions/1?format=resolved")
    assert (status, answer["error_code"]) == (422, 42201)
    assert "leads back to itself" in answer["message"]


@pytest.mark.parametrize("alias", ["__GLOBAL", "a\nb", ":.c:__EMPTY", "\0"])
def test_an_alias_is_a_name_that_a_subject_can_have(alias: str, ask: Ask) -> None:
    status, answer = ask("PUT", "/config/s", {"alias": alias})
    assert (status, answer["error_code"]) == (422, 42208)
    assert register(ask, "s", '"int"')[0] == 200

"""The registry's rules beyond what was recorded: scopes of settings, contexts, aliases, imports, tags, rule sets."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from penstock_registry.guid import content_digest
from penstock_registry.server.content import merge_metadata, merge_rule_sets, sorted_metadata
from penstock_registry.server.errors import RegistryError
from penstock_registry.server.formats import Formats
from penstock_registry.server.http.media import answer_type, body_problem
from penstock_registry.server.levels import CompatibilityLevel
from penstock_registry.server.registry import Registry, RegistryOptions
from penstock_registry.server.requests import SchemaRequest
from penstock_registry.server.subjects import Subject, SubjectFilter, check_subject, normalize_context
from penstock_registry.store import MemoryStore


@pytest.fixture
def registry() -> Registry:
    registry = Registry(MemoryStore(), Formats())
    registry.start()
    return registry


def request(schema: Any, **members: Any) -> SchemaRequest:
    return SchemaRequest.from_json({"schema": json.dumps(schema), **members})


def code_of(call: Callable[[], object]) -> int:
    with pytest.raises(RegistryError) as refused:
        call()
    return refused.value.code


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "context", "name", "stored"),
    [
        ("s", ".", "s", "s"), (":.:s", ".", "s", "s"), (":.c:s", ".c", "s", ":.c:s"), (":.c:", ".c", "", ":.c:"),
        (":.c", ".c", "", ":.c:"), (":c:s", ".", ":c:s", ":c:s"), (":.c:a:b", ".c", "a:b", ":.c:a:b"),
    ],
)  # fmt: skip
def test_subjects_are_read_as_context_and_name(text: str, context: str, name: str, stored: str) -> None:
    subject = Subject.parse(text)
    assert (subject.context, subject.name, str(subject)) == (context, name, stored)


@pytest.mark.parametrize("text", ["c", ".c", ":.c:", ":.c"])
def test_a_context_has_several_spellings(text: str) -> None:
    assert normalize_context(text) == ".c"


@pytest.mark.parametrize(
    ("prefix", "matching"),
    [(":*:", {"a", "b", ":.c:a"}), ("", {"a", "b"}), ("a", {"a"}), (":.c:", {":.c:a"}), (":*:a", {"a", ":.c:a"})],
)
def test_a_prefix_says_in_which_context_to_look(prefix: str, matching: set[str]) -> None:
    assert {name for name in ("a", "b", ":.c:a") if SubjectFilter.parse(prefix).matches(name)} == matching


@pytest.mark.parametrize("name", ["", "__GLOBAL", "__EMPTY", ":.c:__GLOBAL", "a\nb", "\x00"])
def test_reserved_and_control_names_are_refused(name: str) -> None:
    assert code_of(lambda: check_subject(name)) == 42208


# --- settings --------------------------------------------------------------------------------------------------------


def test_the_nearest_config_holds_member_by_member(registry: Registry) -> None:
    settings = registry.settings
    settings.update_config(None, {"compatibility": "full", "normalize": True})
    settings.update_config(":.c:", {"compatibilityGroup": "v"})
    settings.update_config(":.c:s", {"compatibility": "NONE"})
    assert settings.config_in_scope(":.c:s") == {
        "normalize": True, "compatibilityLevel": "NONE", "compatibilityGroup": "v",
    }  # fmt: skip
    assert settings.config_in_scope("s") == {"normalize": True, "compatibilityLevel": "FULL"}


def test_a_null_takes_a_member_of_a_config_away(registry: Registry) -> None:
    registry.settings.update_config("s", {"compatibility": "FULL", "normalize": True})
    assert registry.settings.update_config("s", {"compatibility": None}) == {"normalize": True}
    assert registry.settings.config("s") == {"normalize": True, "compatibilityLevel": "BACKWARD"}


def test_the_default_level_is_the_operators() -> None:
    registry = Registry(MemoryStore(), Formats(), RegistryOptions(CompatibilityLevel.NONE))
    registry.start()
    registry.register("s", request("int"))
    assert registry.register("s", request("string")).version == 2


def test_read_only_for_all_holds_against_a_subjects_own_mode(registry: Registry) -> None:
    registry.settings.update_mode("s", "READWRITE")
    registry.settings.update_mode(None, "READONLY")
    registry.register("s", request("int"))
    registry.settings.update_mode(None, "READONLY_OVERRIDE")
    assert code_of(lambda: registry.register("s", request("long"))) == 42205


def test_modes_can_be_fixed_by_the_operator() -> None:
    registry = Registry(MemoryStore(), Formats(), RegistryOptions(mode_mutability=False))
    registry.start()
    assert code_of(lambda: registry.settings.update_mode(None, "READONLY")) == 42205
    assert code_of(lambda: registry.settings.delete_mode(None)) == 42205


def test_deleting_a_contexts_mode_recursively_takes_its_subjects_along(registry: Registry) -> None:
    for subject in (":.c:", ":.c:a", "b"):
        registry.settings.update_mode(subject, "READONLY")
    assert registry.settings.delete_mode(":.c:", recursive=True) == "READONLY"
    assert registry.catalog.modes() == {"b": "READONLY"}


def test_the_last_version_takes_config_and_mode_with_it(registry: Registry) -> None:
    registry.register("s", request("int"))
    registry.settings.update_config("s", {"compatibility": "NONE"})
    registry.settings.update_mode("s", "READWRITE")
    registry.delete_version("s", 1)
    assert registry.catalog.config("s") is not None
    registry.delete_version("s", 1, permanent=True)
    assert registry.catalog.config("s") is None
    assert registry.catalog.mode("s") is None


# --- contexts and aliases --------------------------------------------------------------------------------------------


def test_a_plain_subject_is_looked_for_in_other_contexts_too(registry: Registry) -> None:
    registry.register(":.c:s", request("int"))
    assert registry.version("s", -1).subject == ":.c:s"
    assert code_of(lambda: registry.version(":.d:s", -1)) == 40401
    registry.register("s", request("long"))
    assert registry.version("s", -1).subject == "s"


def test_ids_of_contexts_are_counted_apart(registry: Registry) -> None:
    assert registry.register("s", request("int")).id == 1
    assert registry.register("s2", request("string")).id == 2
    assert registry.register(":.c:s", request("string")).id == 1
    found = registry.by_id(1)
    assert found is not None
    assert found.content.text == '"int"'


def test_a_context_can_be_deleted_when_nothing_is_left_in_it(registry: Registry) -> None:
    registry.register(":.c:s", request("int"))
    assert code_of(lambda: registry.delete_context(".c")) == 42211
    registry.delete_subject(":.c:s")
    assert code_of(lambda: registry.delete_context(".c")) == 42211
    registry.delete_subject(":.c:s", permanent=True)
    registry.delete_context(".c")
    assert registry.catalog.contexts() == ["."]
    assert registry.register(":.c:s", request("long")).id == 2, "an id that was told once keeps its meaning"


def test_a_contexts_name_is_no_subject(registry: Registry) -> None:
    registry.register(":.c:s", request("int"))
    for call in (registry.versions, registry.delete_subject):
        assert code_of(lambda call=call: call(":.c:")) == 40401
    assert code_of(lambda: registry.delete_version(":.c:", 1)) == 40401


def test_importing_into_a_context_needs_it_empty(registry: Registry) -> None:
    registry.register(":.c:s", request("int"))
    assert code_of(lambda: registry.settings.update_mode(":.c:", "IMPORT")) == 42205
    registry.settings.update_mode(":.d:", "IMPORT")
    assert registry.register(":.d:s", request("int", id=5)).id == 5


def test_references_without_a_context_stay_in_the_context_of_the_schema(registry: Registry) -> None:
    inner = {"type": "record", "name": "In", "fields": []}
    outer = {"type": "record", "name": "Out", "fields": [{"name": "i", "type": "In"}]}
    registry.register(":.c:in", request(inner))
    references = [{"name": "In", "subject": "in", "version": 1}]
    assert code_of(lambda: registry.register("out", request(outer, references=references))) == 42201
    made = registry.register(":.c:out", request(outer, references=references))
    assert registry.referenced_by(":.c:in", 1) == [made.id]
    assert code_of(lambda: registry.delete_version(":.c:in", 1)) == 42206


def test_a_subject_that_was_filled_in_is_found_by_its_resolved_text(registry: Registry) -> None:
    inner = {"type": "record", "name": "In", "fields": []}
    outer = {"type": "record", "name": "Out", "fields": [{"name": "i", "type": "In"}]}
    registry.register("in", request(inner))
    made = registry.register("out", request(outer, references=[{"name": "In", "subject": "in", "version": 1}]))
    whole = {"type": "record", "name": "Out", "fields": [{"name": "i", "type": inner}]}
    assert registry.lookup("out", request(whole)) == made
    assert registry.register("out", request(whole)) == made


def test_an_alias_stays_in_its_context(registry: Registry) -> None:
    registry.register(":.c:real", request("int"))
    registry.settings.update_config(":.c:other", {"alias": "real"})
    assert registry.version(":.c:other", 1).subject == ":.c:real"
    assert registry.settings.aliases() == {":.c:real": [":.c:other"]}
    assert registry.settings.config_in_scope(":.c:x").get("alias") is None


# --- registering -----------------------------------------------------------------------------------------------------


def test_a_schema_that_comes_back_takes_the_place_of_its_deleted_version(registry: Registry) -> None:
    registry.settings.update_config(None, {"compatibility": "NONE"})
    first = registry.register("s", request("int"))
    registry.register("s", request("long"))
    registry.delete_version("s", 1)
    back = registry.register("s", request("int"))
    assert (back.id, back.version) == (first.id, 3)
    assert [stored.version for stored in registry.versions("s", deleted=True)] == [2, 3]


def test_an_import_keeps_ids_and_never_gives_one_two_meanings(registry: Registry) -> None:
    registry.settings.update_mode("s", "IMPORT")
    registry.register("s", request("int", id=10, version=3))
    assert code_of(lambda: registry.register("s", request("long", id=10, version=4))) == 42205
    registry.register("s", request("long", id=11, version=3))
    found = registry.by_id(10)
    assert found is not None
    assert found.content.text == '"int"', "clients that were told id 10 read their data with it"
    assert code_of(lambda: registry.register("s", request("string", id=10, version=5))) == 42205
    registry.settings.update_mode("s", "READWRITE", force=True)
    registry.settings.update_config("s", {"compatibility": "NONE"})
    assert registry.register("s", request("string")).id == 12


def test_an_import_over_deleted_versions_starts_clean(registry: Registry) -> None:
    registry.register("s", request("int"))
    registry.delete_subject("s")
    registry.settings.update_mode("s", "IMPORT")
    assert registry.catalog.versions("s", deleted=True) == []


def test_rule_sets_are_stored_and_told_apart(registry: Registry) -> None:
    rules = {"domainRules": [{"name": "r", "kind": "CONDITION", "mode": "WRITE", "type": "CEL", "expr": "true"}]}
    with_rules = registry.register("s", request("int", ruleSet=rules))
    assert with_rules.content.rule_set == {"domainRules": [{**rules["domainRules"][0], "disabled": False}]}
    assert registry.register("s", request("int")) == with_rules, "rules are kept when a client sends none"
    other = registry.register("s", request("int", ruleSet={"domainRules": []}))
    assert other.id != with_rules.id


def test_a_json_schema_and_an_avro_schema_of_one_text_have_two_ids() -> None:
    class Same:
        schema_type = "OTHER"
        references = ()
        name = None
        canonical = '"string"'

    from penstock.api import SchemaFormat

    class Other(SchemaFormat):
        schema_type = "OTHER"

        def parse(self, text: str, references: Any = (), resolved: Any = None) -> Any:
            return Same()

    registry = Registry(MemoryStore(), Formats({"OTHER": Other}))
    registry.start()
    ours = registry.register("a", request("string"))
    theirs = registry.register("b", request("string", schemaType="OTHER"))
    assert ours.id != theirs.id
    assert registry.formats.names()[-1] == "OTHER"


def test_forward_compatibility_calls_the_registered_schema_the_old_one(registry: Registry) -> None:
    record = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}
    registry.register("s", request(record))
    registry.settings.update_config("s", {"compatibility": "FORWARD"})
    messages = registry.test_compatibility("s", request({**record, "fields": []}), -1)
    assert "The field 'a' at path '/fields/0' in the old schema has no default value" in messages[0]


# --- tags ------------------------------------------------------------------------------------------------------------


def tag(path: str, kind: str, *names: str) -> dict[str, Any]:
    return {"schemaEntity": {"entityPath": path, "entityType": kind}, "tags": list(names)}


def test_tags_are_added_and_taken_away_as_new_versions(registry: Registry) -> None:
    inner = {"type": "record", "name": "In", "fields": [{"name": "x", "type": "int"}]}
    outer = {"type": "record", "name": "n.Out", "fields": [{"name": "i", "type": ["null", inner]}]}
    registry.register("s", request(outer))
    changes = SchemaRequest.from_json(
        {"schemaTagsToAdd": [tag("n.In.x", "sr_field", "PII"), tag(".n.Out", "sr_record", "TOP")]}
    )
    tagged = registry.change_tags("s", 1, changes)
    assert tagged.version == 2
    assert tagged.content.metadata == {"properties": {"confluent:version": "2"}}
    parsed = json.loads(tagged.content.text)
    assert parsed["confluent:tags"] == ["TOP"]
    assert parsed["fields"][0]["type"][1]["fields"][0]["confluent:tags"] == ["PII"]
    back = registry.change_tags(
        "s", 2, SchemaRequest.from_json({"schemaTagsToRemove": [tag("n.In.x", "sr_field", "PII")]})
    )
    assert "PII" not in back.content.text


def test_a_tag_for_nothing_names_what_there_is(registry: Registry) -> None:
    registry.register("s", request({"type": "record", "name": "R", "fields": []}))
    changes = SchemaRequest.from_json({"schemaTagsToAdd": [tag("R.a", "sr_field", "T")]})
    with pytest.raises(RegistryError, match=r"No sr_field at path R\.a .* sr_record R"):
        registry.change_tags("s", 1, changes)


# --- requests, hashes, media types -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"schema": {}}, {"schema": []}, {"version": "x"}, {"version": 2**31}, {"id": True}, {"references": {}},
        {"references": ["x"]}, {"metadata": []}, {"metadata": {"tags": []}}, {"metadata": {"tags": {"a": "x"}}},
        {"metadata": {"sensitive": {}}}, {"ruleSet": {"domainRules": [{"kind": "NOPE"}]}},
        {"ruleSet": {"domainRules": [{"mode": "NOPE"}]}}, {"ruleSet": {"domainRules": [{"disabled": "perhaps"}]}},
    ],
)  # fmt: skip
def test_a_body_of_wrong_types_is_a_400(body: dict[str, Any]) -> None:
    assert code_of(lambda: SchemaRequest.from_json(body)) == 400


def test_numbers_given_as_texts_are_taken() -> None:
    read = SchemaRequest.from_json({"schema": 42, "version": "3", "id": "7"})
    assert (read.text, read.version, read.id) == ("42", 3, 7)


def test_the_digest_is_the_one_confluent_publishes_as_guid() -> None:
    metadata = sorted_metadata({"properties": {"confluent:version": "1"}})
    assert content_digest('"int"').hex() == "ef524ea1b91e73173d938ade36c1db32"
    assert content_digest('"int"', metadata=metadata).hex() == "9dd4917ff8693a348c90f3f5adc886f5"


def test_metadata_is_merged_with_the_later_one_on_top() -> None:
    base = {"properties": {"a": "1", "b": "1"}, "tags": {"x": ["P"]}}
    over = {"properties": {"b": "2"}, "tags": {"x": ["Q"]}, "sensitive": ["s"]}
    assert merge_metadata(base, over) == {
        "tags": {"x": ["P", "Q"]}, "properties": {"a": "1", "b": "2"}, "sensitive": ["s"],
    }  # fmt: skip
    assert merge_metadata(None, None) is None


def test_rules_are_merged_by_name() -> None:
    base = {"domainRules": [{"name": "a", "expr": "1"}, {"name": "b", "expr": "1"}]}
    merged = merge_rule_sets(base, {"domainRules": [{"name": "b", "expr": "2"}]})
    assert merged == {"domainRules": [{"name": "a", "expr": "1"}, {"name": "b", "expr": "2"}]}


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "application/vnd.schemaregistry.v1+json"),
        ("*/*", "application/vnd.schemaregistry.v1+json"),
        ("application/json", "application/json"),
        ("APPLICATION/JSON;q=0.3", "application/json"),
        ("application/json;q=0.9, */*;q=0.8", "application/json"),
        ("application/json;q=0", None),
        ("text/html, application/xml;q=0.9", None),
        ("application/json;q=x", None),
    ],
)
def test_the_answers_type_is_negotiated(accept: str, expected: str | None) -> None:
    assert answer_type(accept) == expected


@pytest.mark.parametrize(
    ("content_type", "status"),
    [(None, None), ("application/json; charset=utf-8", None), ("text/plain", 415), ("json", 400), ("/", 400)],
)
def test_bodies_of_other_types_are_refused(content_type: str | None, status: int | None) -> None:
    assert body_problem(content_type) == status


# --- limits ----------------------------------------------------------------------------------------------------------


def test_a_schema_too_large_is_refused() -> None:
    registry = Registry(MemoryStore(), Formats(), RegistryOptions(max_schema_size=100))
    registry.start()
    assert code_of(lambda: registry.register("s", request({"type": "fixed", "name": "F" * 100, "size": 1}))) == 42209
    registry.register("s", request("int"))


@pytest.mark.parametrize("depth", [30, 100_000])
def test_a_schema_nested_too_deeply_is_refused_before_it_is_parsed(depth: int) -> None:
    registry = Registry(MemoryStore(), Formats(), RegistryOptions(max_schema_size=10**7, max_schema_nesting=20))
    registry.start()
    text = '{"type":"array","items":' * depth + '"int"' + "}" * depth
    assert code_of(lambda: registry.register("s", SchemaRequest(text))) == 42209
    wide = [{"type": "record", "name": f"R{number}", "fields": []} for number in range(50)]
    registry.register("s", request(wide))
    registry.register("t", request({"type": "record", "name": "R", "doc": "{[" * 100, "fields": []}))


# --- policy and reserved fields --------------------------------------------------------------------------------------


def object_schema(*names: str) -> str:
    return json.dumps({"type": "object", "properties": {name: {"type": "string"} for name in names}})


def test_a_lenient_policy_lets_properties_be_added_to_an_open_object(registry: Registry) -> None:
    registry.register("s", SchemaRequest(object_schema("a"), "JSON"))
    wider = SchemaRequest(object_schema("a", "b"), "JSON")
    assert code_of(lambda: registry.register("s", wider)) == 40901
    assert registry.settings.update_config("s", {"compatibilityPolicy": "lenient"})["compatibilityPolicy"] == "LENIENT"
    assert registry.register("s", wider).version == 2
    narrower = {"type": "object", "properties": {"a": {"type": "integer"}}}
    assert code_of(lambda: registry.register("s", SchemaRequest(json.dumps(narrower), "JSON"))) == 40901


def test_a_policy_nobody_knows_is_refused(registry: Registry) -> None:
    assert code_of(lambda: registry.settings.update_config(None, {"compatibilityPolicy": "loose"})) == 42203


FIELDS = {
    "AVRO": lambda names: json.dumps(
        {"type": "record", "name": "R", "fields": [{"name": n, "type": "int", "default": 0} for n in names]}
    ),
    "JSON": lambda names: object_schema(*names),
    "PROTOBUF": lambda names: (
        f'syntax = "proto3"; message R {{ oneof o {{ int32 {names[0]} = 1; }} '
        + " ".join(f"int32 {name} = {number};" for number, name in enumerate(names[1:], 2))
        + "}"
    ),
}  # fmt: skip


@pytest.mark.parametrize("schema_type", FIELDS)
def test_reserved_fields_stay_reserved_where_fields_are_validated(registry: Registry, schema_type: str) -> None:
    def asked(names: list[str], reserved: str | None) -> SchemaRequest:
        metadata = None if reserved is None else {"properties": {"confluent:reserved": reserved}}
        return SchemaRequest(FIELDS[schema_type](names), schema_type, metadata=metadata)

    registry.settings.update_config("s", {"compatibilityPolicy": "LENIENT"})
    registry.register("s", asked(["a"], "x, y"))
    assert registry.test_compatibility("s", asked(["a", "x"], "x,y")) == []
    registry.settings.update_config("s", {"validateFields": True})
    assert registry.test_compatibility("s", asked(["a", "b"], "x,y,z")) == []
    messages = registry.test_compatibility("s", asked(["a", "x"], "x"))
    assert messages == [
        "The new schema has reserved field y removed from its metadata which is present in the old schema's metadata.",
        "The new schema has field that conflicts with the reserved field x.",
        "{validateFields: 'true', compatibility: 'BACKWARD'}",
    ]
    assert code_of(lambda: registry.register("s", asked(["a", "x"], "x,y"))) == 40901

"""What requests leave out and settings add: lookups, aliases in listings, tags and rules handed on, ids in mode FORWARD."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from penstock_registry.server.formats import Formats
from penstock_registry.server.http.app import make_app
from penstock_registry.server.limits import Limit, Limits
from penstock_registry.server.registry import Registry
from penstock_registry.store import MemoryStore

INT = {"schema": '"int"'}


@pytest.fixture
def asked() -> Iterator[TestClient]:
    registry = Registry(MemoryStore(), Formats())
    registry.start()
    limits = Limits(subjects=Limit(2, 3))
    yield TestClient(make_app(registry, version="1", identity={}, max_request_size=1 << 20, limits=limits))
    registry.close()


def ok(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_lookup_finds_what_the_same_request_registered(asked: TestClient) -> None:
    owner = {"properties": {"owner": "team"}}
    ok(asked.put("/config/s", json={"overrideMetadata": owner}))
    request = {**INT, "metadata": {"properties": {"a": "1"}}}
    made = ok(asked.post("/subjects/s/versions", json=request))
    assert made["metadata"] == {"properties": {"a": "1", "owner": "team"}}
    assert ok(asked.post("/subjects/s", json=request))["id"] == made["id"]
    other = asked.post("/subjects/s", json={**INT, "metadata": {"properties": {"a": "2"}}})
    assert other.json()["error_code"] == 40403


def test_an_alias_leads_a_listing_to_its_subject(asked: TestClient) -> None:
    ok(asked.post("/subjects/real/versions", json=INT))
    ok(asked.put("/config/nick", json={"alias": "real"}))
    assert ok(asked.get("/schemas?subjectPrefix=nick")) == []
    found = ok(asked.get("/schemas?subjectPrefix=nick&aliases=true"))
    assert [(one["subject"], one["aliases"]) for one in found] == [("real", ["nick"])]


def test_a_limit_beyond_the_largest_counts_as_none(asked: TestClient) -> None:
    for name in "abcde":
        ok(asked.post(f"/subjects/{name}/versions", json=INT))
    sizes = {limit: len(ok(asked.get(f"/subjects?limit={limit}"))) for limit in (-1, 0, 1, 3, 4)}
    assert sizes == {-1: 2, 0: 2, 1: 1, 3: 3, 4: 2}


def test_mode_forward_takes_schemas_with_ids_and_no_others(asked: TestClient) -> None:
    ok(asked.put("/mode", json={"mode": "FORWARD"}))
    assert asked.post("/subjects/s/versions", json=INT).json()["error_code"] == 42205
    made = ok(asked.post("/subjects/s/versions", json={**INT, "id": 42, "version": 7}))
    assert (made["id"], made["version"]) == (42, 7)


RECORD = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int", "confluent:tags": ["PII"]}]}
WIDER = {
    "type": "record",
    "name": "R",
    "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": "int", "default": 0}],
}


@pytest.mark.parametrize("propagated", [True, False])
def test_tags_are_handed_on_where_that_is_asked_for(propagated: bool, asked: TestClient) -> None:
    ok(asked.post("/subjects/s/versions", json={"schema": json.dumps(RECORD)}))
    body = {"schema": json.dumps(WIDER), "propagateSchemaTags": propagated}
    made = ok(asked.post("/subjects/s/versions", json=body))
    fields = json.loads(made["schema"])["fields"]
    assert [field.get("confluent:tags") for field in fields] == [["PII"] if propagated else None, None]


def test_tags_of_fields_that_are_no_more_are_let_go(asked: TestClient) -> None:
    ok(asked.post("/subjects/s/versions", json={"schema": json.dumps(RECORD)}))
    other = {"type": "record", "name": "R", "fields": [{"name": "c", "type": "int", "default": 1}]}
    made = ok(asked.post("/subjects/s/versions", json={"schema": json.dumps(other), "propagateSchemaTags": True}))
    assert json.loads(made["schema"]) == other


def rule(name: str, expr: str = "true") -> dict[str, Any]:
    return {"name": name, "kind": "CONDITION", "mode": "WRITE", "type": "CEL", "expr": expr}


def test_a_change_of_tags_may_change_rules_one_by_one(asked: TestClient) -> None:
    rules = {"domainRules": [rule("keep"), rule("drop"), rule("change")]}
    ok(asked.post("/subjects/s/versions", json={"schema": json.dumps(RECORD), "ruleSet": rules}))
    change = {
        "tagsToAdd": [{"schemaEntity": {"entityPath": "R.a", "entityType": "sr_field"}, "tags": ["NEW"]}],
        "rulesToMerge": {"domainRules": [rule("change", "false"), rule("add")]},
        "rulesToRemove": ["drop"],
    }
    made = ok(asked.post("/subjects/s/versions/latest/tags", json=change))
    assert [(one["name"], one["expr"]) for one in made["ruleSet"]["domainRules"]] == [
        ("keep", "true"),
        ("change", "false"),
        ("add", "true"),
    ]
    assert json.loads(made["schema"])["fields"][0]["confluent:tags"] == ["PII", "NEW"]


@pytest.mark.parametrize(
    "path", ["/exporters", "/exporters/x/status", "/dek-registry/v1/keks", "/associations/subjects/s"]
)
def test_what_the_registry_does_not_have_it_says(path: str, asked: TestClient) -> None:
    for answer in (asked.get(path), asked.post(path, json={})):
        assert answer.status_code == 404
        assert "this registry has no" in answer.json()["message"]

"""Requests made from the registry's own OpenAPI document: no answer beyond 499, none that is not as described, no memory
that is not given back."""

from __future__ import annotations

import gc
import itertools
import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

from penstock_registry.server.formats import Formats
from penstock_registry.server.http.app import make_app
from penstock_registry.server.registry import Registry
from penstock_registry.store import RegistryStore
from penstock_registry.store.memory import MemoryStore
from penstock_registry.store.sqlite import SqliteStore

#: Of processor time, for one request.
MOST_S = 5.0
SUBJECTS = ["a", "b-value", ":.ctx:a", ":.ctx:", ":.:", "a/b", "ü %", ":*:"]
VERSIONS = ["1", "2", "latest", "-1", "0", "+1", "9" * 30, "9" * 5000, "x"]
IDS = ["1", "2", "3", "100", "-1", "9" * 30, "x"]
SCHEMAS = {
    "AVRO": [
        '"string"',
        '{"type":"record","name":"R","fields":[]}',
        '{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":1}]}',
        '{"type":"record","name":"R","fields":[{"name":"a","type":"S"}]}',
        '{"type":"fixed","name":"S","size":2}',
        "nonsense",
        "",
    ],
    "JSON": ['{"type":"object","properties":{"a":{"$ref":"r.json"}}}', '{"type":"string"}', "true", "1e999"],
    "PROTOBUF": [
        'syntax = "proto3"; message M { int32 a = 1; }',
        'syntax = "proto3"; import "r.json"; message N { M m = 1; }',
        "message M { optional int32 a = 99999999999; }",
    ],
}
ODD: list[Any] = [None, "", [], {}, True, 1.5, 1e300, -1, 2**31, 2**63, "x", [None], {"x": None}, "\ud83d"]


@pytest.fixture(params=["memory", "sqlite"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    store: RegistryStore = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "registry.db")
    registry = Registry(store, Formats())
    registry.start()
    yield make_app(registry, version="1", identity={"scope": {}}, max_request_size=1 << 20)
    registry.close()


def aimed(case: Any, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
    """Point a drawn request at what may be there, most of the time; and put odd members among the described ones."""
    for name, pool in (("subject", SUBJECTS), ("version", VERSIONS), ("id", IDS)):
        if name in (case.path_parameters or {}) and draw(st.integers(0, 3)):
            case.path_parameters[name] = draw(st.sampled_from(pool))
    if isinstance(case.body, dict):
        if "schema" in case.body or draw(st.booleans()):
            kind = draw(st.sampled_from(sorted(SCHEMAS)))
            case.body |= {"schema": draw(st.sampled_from(SCHEMAS[kind])), "schemaType": kind}
            reference = {"name": draw(st.sampled_from(["r.json", "S"])), "subject": draw(st.sampled_from(SUBJECTS))}
            case.body["references"] = draw(
                st.sampled_from([[], [{**reference, "version": 1}], [{**reference, "version": -1}]])
            )
        if case.body and not draw(st.integers(0, 4)):
            case.body[draw(st.sampled_from(sorted(case.body)))] = draw(st.sampled_from(ODD))


def test_no_request_fails_the_registry(app: Any, soak: bool, record_property: Callable[[str, object], None]) -> None:
    document = schemathesis.openapi.from_asgi("/openapi.json", app)
    requests: list[Any] = []
    statuses: dict[int, int] = {}
    slowest = 0.0

    def ask(case: Any) -> Any:
        nonlocal slowest
        began = time.process_time()
        answer = case.call()
        slowest = max(slowest, time.process_time() - began)
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
        return answer

    for made in document.get_all_operations():
        operation = made.ok()

        @hypothesis.seed(1)
        @hypothesis.settings(
            max_examples=200 if soak else 4,
            database=None,
            deadline=None,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=[hypothesis.Phase.generate],
        )
        @hypothesis.given(operation.as_strategy(), st.data())
        def run(case: Any, data: st.DataObject) -> None:
            aimed(case, data.draw)
            answer = ask(case)
            case.validate_response(answer, checks=[not_a_server_error, response_schema_conformance])
            if len(requests) < 1500:
                requests.append(case)

        run()
    record_property("api", statuses)
    print(f"{sum(statuses.values())} requests: {dict(sorted(statuses.items()))}, slowest {slowest:.2f} s of CPU")  # noqa: T201 - figures of a long run
    assert {200, 404, 422} <= set(statuses)
    assert slowest < MOST_S
    check_memory(ask, requests[:: max(1, len(requests) // 150)])


def check_memory(ask: Callable[[Any], Any], requests: list[Any]) -> None:
    """The same requests over and over take no more and more memory: what they register is there already."""
    sizes = []
    tracemalloc.start()
    try:
        for _ in range(4):
            for case in requests:
                ask(case)
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    growth = [after - before for before, after in itertools.pairwise(sizes)]
    # What leaks grows in every round; threads of other tests may grow in one.
    assert min(growth) < 500 * len(requests), f"bytes after each round: {sizes}"


def test_the_document_describes_every_operation(app: Any) -> None:
    document = schemathesis.openapi.from_asgi("/openapi.json", app).raw_schema
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        assert f"#/components/schemas/{name}" in text, f"{name} is described and used nowhere"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert {"200", "204"} & set(operation["responses"]), where
            assert "default" in operation["responses"], where
            assert (method in ("post", "put")) == ("requestBody" in operation), where

"""The quick answers are those of the routes, and cost what they should: no parsing, no second copy, little memory."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import textwrap
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.registry_asked import LIMIT, Asking, avro, log
from penstock_registry.server.formats import Formats
from penstock_registry.server.http.answers import id_answer
from penstock_registry.server.id_view import Found
from penstock_registry.server.registry import Registry
from penstock_registry.server.weighed import WeighedCache
from penstock_registry.store import DeleteSubjectKey, MemoryStore, SchemaKey, StoreRecord


@pytest.fixture(scope="module")
def unchanged() -> Iterator[Asking]:
    """One registry for all that only reads; making the application is what takes the time here."""
    yield from some_registry()


@pytest.fixture
def asking() -> Iterator[Asking]:
    yield from some_registry()


def some_registry() -> Iterator[Asking]:
    asking = Asking(
        [
            *log(6),
            StoreRecord(SchemaKey("gone", 1), log(1)[0].value | {"subject": "gone"}, 2),  # type: ignore[operator]  # a dict
            StoreRecord(DeleteSubjectKey("gone"), {"subject": "gone", "version": 1}, 3),
            StoreRecord(SchemaKey(":.c:s0", 1), log(1)[0].value | {"subject": ":.c:s0", "id": 9}, 4),  # type: ignore[operator]  # as above
        ]
    )
    yield asking
    asking.front.close()


KNOWN = json.dumps({"schema": avro(1)}).encode()
SPACED = json.dumps({"schema": json.dumps(json.loads(avro(1)), indent=1)}).encode()
NEW = json.dumps({"schema": avro(77)}).encode()


@pytest.mark.parametrize(
    "target",
    [
        "/schemas/ids/1", "/schemas/ids/2?subject=s0", "/schemas/ids/1?fetchMaxId=false&subject=gone",
        "/schemas/ids/1?fetchMaxId=true", "/schemas/ids/1?format=resolved", "/schemas/ids/9", "/schemas/ids/99",
        "/schemas/ids/x", "/schemas/ids/-1", "/schemas/ids/01", "/schemas/ids/99999999999", "/schemas/ids/1/",
        "/schemas/ids/1?subject=", "/schemas/ids/1?subject=:.c:s0", "/schemas/ids/9?subject=:.c:s0",
        "/contexts/.c/schemas/ids/9", "/subjects/s0/versions/1", "/subjects/s0/versions/latest",
        "/subjects/s0/versions/-1", "/subjects/s0/versions/LATEST", "/subjects/s0/versions/0",
        "/subjects/s0/versions/9", "/subjects/none/versions/1", "/subjects/gone/versions/1",
        "/subjects/gone/versions/latest", "/subjects/gone/versions/1?deleted=true", "/subjects/:.c:s0/versions/1",
        "/subjects/%3A.c%3As0/versions/1", "/subjects//versions/1", "/subjects/s0/versions", "/subjects",
    ],
)  # fmt: skip
def test_a_get_is_answered_as_the_routes_answer_it(unchanged: Asking, target: str) -> None:
    expected = unchanged.routed("GET", target)
    for _ in range(2):
        assert unchanged.ask("GET", target) == expected


BODIES = [
    KNOWN, SPACED, NEW, b"", b"null", b"[]", b"{", b'""', b"{}", b'{"schema": "{"}', b'{"schema": 7}',
    b'{"schema": "\\"int\\"", "schemaType": "COBOL"}',
    json.dumps({"schema": avro(1), "references": [{"name": "x", "subject": "none", "version": 1}]}).encode(),
    json.dumps({"schema": avro(1), "metadata": {"properties": {"a": "b"}}}).encode(),
    json.dumps({"schema": avro(1), "id": 2}).encode(), json.dumps({"schema": avro(1), "version": 2}).encode(),
    json.dumps({"schema": " " * LIMIT}).encode(),
]  # fmt: skip


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Asking, Asking]]:
    """Two that are asked the same in the same order, since a registration changes what comes after."""
    quick, routed = Asking(log(2)), Asking(log(2))
    yield quick, routed
    quick.front.close()
    routed.front.close()


@pytest.mark.parametrize(
    "target",
    [
        "/subjects/s0", "/subjects/s0?normalize=true&deleted=false", "/subjects/gone?deleted=true", "/subjects/none",
        "/subjects/s0?format=resolved", "/subjects/s0?deleted=maybe", "/subjects/s0/versions?normalize=false",
        "/subjects/", "/subjects/s0/versions", "/subjects/:.c:s0", "/subjects/s0/", "/subjects/a%0Ab/versions",
        "/compatibility/subjects/s0/versions",
    ],
)  # fmt: skip
def test_a_post_is_answered_as_the_routes_answer_it(pair: tuple[Asking, Asking], target: str) -> None:
    quick, routed = pair
    for body in BODIES:
        for _ in range(2):  # the second time nothing is new any more
            assert quick.ask("POST", target, body) == routed.routed("POST", target, body), body[:200]


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"}, {"content-type": "odd"}, {"accept": "text/html"}, {"accept": "application/json"},
        {"content-type": "application/vnd.schemaregistry.v1+json", "accept": "*/*"},
    ],
)  # fmt: skip
@pytest.mark.parametrize(("method", "target"), [("POST", "/subjects/s0"), ("GET", "/schemas/ids/1")])
def test_media_types_count_there_too(unchanged: Asking, method: str, target: str, headers: dict[str, str]) -> None:
    body = KNOWN if method == "POST" else None
    expected = unchanged.routed(method, target, body, headers)
    assert unchanged.ask(method, target, body, headers) == expected


# --- what they cost ---------------------------------------------------------------------------------------------------


def test_starting_and_reading_parse_no_schema() -> None:
    many = Asking(log(500))
    for target in ("/subjects", "/schemas/ids/7", "/subjects/s3/versions/latest", "/schemas/ids/7/versions"):
        assert many.ask("GET", target)[0] == 200
    assert many.format.parsed == 0


def test_a_text_is_parsed_once_however_often_it_is_asked_for(asking: Asking) -> None:
    for target in ("/subjects/s0", "/subjects/s0/versions", "/subjects/s0?deleted=true"):
        for _ in range(3):
            assert asking.ask("POST", target, SPACED)[0] == 200
    assert asking.format.parsed == 1


def test_what_was_read_before_is_looked_for_as_the_registry_is_now(asking: Asking) -> None:
    assert asking.ask("POST", "/subjects/s0", KNOWN)[0] == 200
    asking.registry.delete_version("s0", 2)
    assert json.loads(asking.ask("POST", "/subjects/s0", KNOWN)[2])["error_code"] == 40403
    made = json.loads(asking.ask("POST", "/subjects/s0/versions", KNOWN)[2])
    assert (made["id"], made["version"]) == (2, 3)


def test_a_finished_answer_is_used_again_until_it_changes(asking: Asking) -> None:
    def prepare(found: Found) -> bytes:
        return json.dumps(id_answer(asking.registry, found)).encode()

    first = asking.registry.prepared_by_id(3, prepare)
    assert first is not None
    assert asking.registry.prepared_by_id(3, prepare) is first
    asking.registry.delete_subject("s1")
    again = asking.registry.prepared_by_id(3, prepare)
    assert again is not None
    assert json.loads(again)["deleted"] is True


def test_a_stored_schema_takes_little_more_than_its_text() -> None:
    """Measured beside a bare dict of the same texts, which has no subjects, versions, ids and digests in it."""
    records = log(500)
    registry = Registry(MemoryStore(), Formats())
    registry.start()
    gc.collect()
    tracemalloc.start()
    texts = {number: json.loads(json.dumps(record.value))["schema"] for number, record in enumerate(records)}
    bare = tracemalloc.get_traced_memory()[0]
    for record in records:  # copies, as they come from a store
        value = json.loads(json.dumps(record.value))
        registry.catalog.apply([StoreRecord(SchemaKey(*map(_copy, record.key)), value, 1)])  # type: ignore[arg-type]  # subject and version
    del value
    gc.collect()
    kept = tracemalloc.get_traced_memory()[0] - bare
    tracemalloc.stop()
    assert len(texts) == 500
    assert bare < kept < 3 * bare


def _copy(part: object) -> object:
    return (part + " ")[:-1] if isinstance(part, str) else part


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 30)), max_size=200))
def test_a_bounded_cache_keeps_the_latest_that_fit(puts: list[tuple[int, int]]) -> None:
    cache: WeighedCache[int, int] = WeighedCache(5, 200)
    model: dict[int, int] = {}
    for key, weight in puts:
        cache.put(key, weight, weight)
        if weight <= 20:
            model.pop(key, None)
            model[key] = weight
            while len(model) > 5 or sum(model.values()) > 200:
                del model[next(iter(model))]
        assert len(cache) == len(model)
    assert {key: cache.get(key) for key in range(21)} == {key: model.get(key) for key in range(21)}


def test_nothing_is_imported_before_it_is_needed() -> None:
    script = """
        import sys
        from penstock_registry.server.service import RegistryService
        service = RegistryService()
        service.start({"listeners": "http://127.0.0.1:0", "store": "memory"})
        rooms = {name.partition(".")[0] for name in sys.modules}
        heavy = {"fastavro", "google", "grpc_tools", "jsonschema", "jsonschema_rs", "referencing", "confluent_kafka",
                 "kafka", "bcrypt", "joserfc", "httpx", "requests", "numpy", "celpy", "sqlite3"}
        print(sorted(rooms & heavy), sorted(name for name in sys.modules if name.startswith("penstock_registry.formats")))
        service.stop()
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout == "[] []\n"

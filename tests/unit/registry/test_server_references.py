"""What is referenced stays: no way of taking a version away, or of putting another in its place, breaks what uses it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from penstock.api import SchemaFormat
from penstock_registry.server.errors import RegistryError
from penstock_registry.server.formats import Formats
from penstock_registry.server.levels import CompatibilityLevel
from penstock_registry.server.registry import Registry, RegistryOptions
from penstock_registry.server.requests import SchemaRequest
from penstock_registry.store import ClearSubjectKey, MemoryStore, SchemaKey, StoreRecord
from penstock_registry.store.interface import Apply
from penstock_registry.store.records import Key, Value

ITEM = {"type": "record", "name": "k.Item", "fields": [{"name": "n", "type": "string"}]}
OTHER_ITEM = {"type": "record", "name": "k.Item", "fields": [{"name": "m", "type": "int", "default": 0}]}
ORDER = {"type": "record", "name": "Order", "fields": [{"name": "i", "type": "k.Item"}]}


def request(schema: Any, *references: tuple[str, int], **members: Any) -> SchemaRequest:
    listed = [{"name": "k.Item", "subject": subject, "version": version} for subject, version in references]
    return SchemaRequest.from_json({"schema": json.dumps(schema), "references": listed, **members})


def code_of(call: Callable[[], object]) -> int:
    with pytest.raises(RegistryError) as refused:
        call()
    return refused.value.code


@pytest.fixture
def kept() -> list[StoreRecord]:
    return []


@pytest.fixture
def registry(kept: list[StoreRecord]) -> Registry:
    registry = Registry(MemoryStore(keep=kept), Formats())
    registry.start()
    return registry


def deleted_pair(registry: Registry, item: str = "item", order: str = "order") -> int:
    """Register an item and an order that references it, delete both softly, and return the order's id."""
    registry.register(item, request(ITEM))
    made = registry.register(order, request(ORDER, (item, 1)))
    registry.delete_subject(order)
    registry.delete_subject(item)
    return made.id


def resolves(registry: Registry, schema_id: int, subject: str = "") -> bool:
    """Whether the schema of an id can be read with all that it references."""
    found = registry.by_id(schema_id, subject)
    assert found is not None
    assert found.stored is not None
    return '"n"' in registry.formatted(found.stored, "resolved")


@pytest.mark.parametrize(
    ("item", "order"), [("item", "order"), (":.c:item", "order"), (":.c:item", ":.c:order"), (":.:item", ":.c:order")]
)
def test_a_schema_that_comes_back_leaves_its_referenced_version(item: str, order: str, registry: Registry) -> None:
    order_id = deleted_pair(registry, item, order)
    assert code_of(lambda: registry.delete_version(item, 1, permanent=True)) == 42206
    again = registry.register(item, request(ITEM))
    assert (again.version, again.id) == (2, 1)
    assert registry.version(item, 1, deleted=True).deleted
    assert resolves(registry, order_id, order)
    assert registry.register(order, request(ORDER, (item, 1))).version == 2, "it comes back itself"


def test_a_schema_that_comes_back_under_an_alias_leaves_it_too(registry: Registry) -> None:
    order_id = deleted_pair(registry)
    registry.settings.update_config("thing", {"alias": "item"})
    assert code_of(lambda: registry.delete_version("thing", 1, permanent=True)) == 42206
    assert code_of(lambda: registry.delete_subject("thing", permanent=True)) == 42206
    assert registry.register("thing", request(ITEM)).version == 2
    assert resolves(registry, order_id)


def test_one_that_nothing_references_makes_room(registry: Registry) -> None:
    registry.register("item", request(ITEM))
    registry.delete_subject("item")
    assert registry.register("item", request(ITEM)).version == 2
    assert code_of(lambda: registry.version("item", 1, deleted=True)) == 40402


def test_import_mode_forgets_soft_deleted_versions_but_for_those_that_others_reference(
    registry: Registry, kept: list[StoreRecord]
) -> None:
    order_id = deleted_pair(registry, ":.c:item", "order")
    registry.register(":.c:unused", request(ITEM))
    registry.delete_subject(":.c:unused")
    registry.settings.update_mode(":.c:", "IMPORT")
    assert resolves(registry, order_id)
    assert registry.subjects(":*:", deleted=True) == [":.c:item", "order"]
    assert not [record for record in kept if isinstance(record.key, ClearSubjectKey)]


def test_import_mode_forgets_soft_deleted_versions_that_reference_one_another(
    registry: Registry, kept: list[StoreRecord]
) -> None:
    deleted_pair(registry)
    registry.settings.update_mode(None, "IMPORT")
    assert registry.subjects(":*:", deleted=True) == []
    assert [record.key for record in kept if isinstance(record.key, ClearSubjectKey)] == [ClearSubjectKey(None)]


@pytest.mark.parametrize("alive", [True, False])
def test_an_import_puts_nothing_else_in_the_place_of_what_is_referenced(alive: bool, registry: Registry) -> None:
    order_id = deleted_pair(registry)
    if alive:
        registry.register("order", request(ORDER, ("item", 1)))
    registry.settings.update_mode("item", "IMPORT", force=True)
    other = request(OTHER_ITEM, id=9, version=1)
    assert code_of(lambda: registry.register("item", other)) == 42206
    assert resolves(registry, order_id)
    same = registry.register("item", request(ITEM, id=1, version=1))
    assert (same.version, same.deleted) == (1, False)
    assert resolves(registry, order_id)


def test_an_import_may_replace_what_nothing_references(registry: Registry) -> None:
    registry.settings.update_mode(None, "IMPORT")
    registry.register("item", request(ITEM, id=1, version=1))
    assert registry.register("item", request(OTHER_ITEM, id=9, version=1)).id == 9


def test_a_schema_does_not_reference_itself(registry: Registry) -> None:
    registry.settings.update_mode(None, "IMPORT")
    registry.register("item", request(ITEM, id=1, version=1))
    itself = request({"type": "array", "items": "k.Item"}, ("item", 1), id=2, version=1)
    assert code_of(lambda: registry.register("item", itself)) == 42201


class Held(MemoryStore):
    """One whose next write waits, so that others gather behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()
        self.entered = threading.Event()
        self.open.set()
        self.writes: list[int] = []

    def start(self, apply: Apply) -> None:
        super().start(apply)

    def append(self, records: Sequence[tuple[Key, Value | None]]) -> None:
        self.writes.append(len(records))
        self.entered.set()
        assert self.open.wait(20)
        super().append(records)


def test_what_shares_a_write_sees_what_the_others_reference_and_take_away() -> None:
    """A schema that comes back and one that references its old version meet in one write."""
    store = Held()
    registry = Registry(store, Formats())
    registry.start()
    registry.register("item", request(ITEM))
    registry.delete_subject("item")
    store.open.clear()
    store.entered.clear()
    outcomes: dict[str, object] = {}

    def run(subject: str, asked: SchemaRequest) -> None:
        try:
            outcomes[subject] = registry.register(subject, asked)
        except RegistryError as error:
            outcomes[subject] = error

    threads = [threading.Thread(target=run, args=("first", request("int")))]
    threads[0].start()
    assert store.entered.wait(20)
    for subject, asked in (("order", request(ORDER, ("item", 1))), ("item", request(ITEM))):
        threads.append(threading.Thread(target=run, args=(subject, asked)))
        threads[-1].start()
    store.open.set()
    for thread in threads:
        thread.join(20)
    order = outcomes["order"]
    if not isinstance(order, RegistryError):
        assert SchemaKey("item", 1) in [
            SchemaKey(s.subject, s.version) for s in registry.catalog.versions("item", True)
        ]
        assert resolves(registry, order.id)  # type: ignore[attr-defined]  # a stored schema
    else:
        assert "No schema reference found" in order.message


# --- ids that imports bring ------------------------------------------------------------------------------------------


def test_an_import_leaves_ids_for_those_who_register(registry: Registry) -> None:
    registry.settings.update_mode("i", "IMPORT")
    with pytest.raises(
        RegistryError, match=r"The id 2147483647 of i is beyond registry.max.import.id=2000000000"
    ) as no:
        registry.register("i", request("int", id=2**31 - 1))
    assert no.value.code == 42205
    assert registry.register("i", request("int", id=2_000_000_000)).id == 2_000_000_000
    made = registry.register("s", request("long"))
    assert made.id == 2_000_000_001
    assert registry.by_id(made.id) is not None


def test_a_context_without_ids_left_names_who_has_the_last() -> None:
    registry = Registry(MemoryStore(), Formats(), RegistryOptions(max_import_id=2**31 - 1))
    registry.start()
    registry.settings.update_mode("i", "IMPORT")
    registry.register("i", request("int", id=2**31 - 1, version=3))
    with pytest.raises(RegistryError, match=r"Context \. has no ids left: .* was given to i version 3") as no:
        registry.register("s", request("long"))
    assert no.value.code == 42205
    assert registry.register("again", request("int")).id == 2**31 - 1, "what is known needs no new id"
    assert registry.register(":.c:s", request("long")).id == 1, "other contexts count for themselves"


@pytest.mark.parametrize("version", [0, -1, None])
@pytest.mark.parametrize("latest", [True, False])
def test_what_was_imported_answers_the_version_it_has(version: int | None, latest: bool, registry: Registry) -> None:
    registry.settings.update_mode(None, "IMPORT")
    registry.register("s", request("int", id=7, version=3))
    if not latest:
        registry.register("s", request("long", id=8, version=5))
    members = {} if version is None else {"version": version}
    again = registry.register("s", request("int", id=7, **members))
    assert (again.version, again.id) == (3, 7)
    assert [stored.version for stored in registry.versions("s")] == [3] if latest else [3, 5]


# --- lookups ---------------------------------------------------------------------------------------------------------


def test_a_lookup_finds_what_was_registered_in_its_normal_form(registry: Registry) -> None:
    text = 'syntax = "proto3"; package t; enum E { Z = 0; } message A { E e = 2; int32 i = 1; }'
    asked = SchemaRequest.from_json({"schema": text, "schemaType": "PROTOBUF"})
    stored = registry.register("l", asked, normalize=True)
    assert registry.lookup("l", asked) == stored
    assert code_of(lambda: registry.lookup("l", request("int"))) == 40403
    registry.delete_subject("l")
    assert code_of(lambda: registry.lookup("l", asked)) == 40401
    assert registry.lookup("l", asked, deleted=True).version == 1


class Plain:
    """A schema that differs from every other in a way that names neither of them."""

    schema_type = "PLAIN"
    references = ()
    name = None

    def __init__(self, text: str) -> None:
        self.canonical = text

    def incompatibilities(self, previous: object) -> list[str]:
        return ["both differ", "the %new% one is longer"]


class PlainFormat(SchemaFormat):
    schema_type = "PLAIN"

    def parse(self, text: str, references: Any = (), resolved: Any = None) -> Any:
        return Plain(text)


def test_full_compatibility_tells_a_problem_of_both_directions_once() -> None:
    registry = Registry(MemoryStore(), Formats({"PLAIN": PlainFormat}), RegistryOptions(CompatibilityLevel.FULL))
    registry.start()
    registry.register("s", SchemaRequest("a", "PLAIN"))
    messages = registry.test_compatibility("s", SchemaRequest("b", "PLAIN"))
    assert messages[:4] == ["both differ", "the old one is longer", "the new one is longer", "{oldSchemaVersion: 1}"]

"""Registrations at the same time share one write; each still gets its own answer, its own id and its own refusal."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from penstock.errors import RetriableError
from penstock_registry.server.content import StoredSchema
from penstock_registry.server.errors import RegistryError
from penstock_registry.server.formats import Formats
from penstock_registry.server.registry import Registry
from penstock_registry.server.requests import SchemaRequest
from penstock_registry.store import MemoryStore, SchemaKey
from penstock_registry.store.records import Key, Value


class GatedStore(MemoryStore):
    """One write is held back until `gate` is opened; `writes` has the records of each."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.writes: list[list[tuple[Key, Value | None]]] = []
        self.failure: Exception | None = None

    def append(self, records: Sequence[tuple[Key, Value | None]]) -> None:
        self.writes.append(list(records))
        self.entered.set()
        assert self.gate.wait(60)
        if self.failure is not None and len(self.writes) > 1:
            raise self.failure
        super().append(records)


class Crowd:
    """Registrations that wait while the first one's write is held back, and what came of each."""

    def __init__(self, registry: Registry, store: GatedStore) -> None:
        self._registry, self._store = registry, store
        self.answers: dict[str, StoredSchema | Exception] = {}
        self._threads: list[threading.Thread] = []

    def add(self, name: str, subject: str, request: SchemaRequest) -> None:
        def work() -> None:
            try:
                self.answers[name] = self._registry.register(subject, request)
            except Exception as error:
                self.answers[name] = error

        thread = threading.Thread(target=work)
        self._threads.append(thread)
        thread.start()
        if len(self._threads) == 1:
            assert self._store.entered.wait(60)
        else:
            waiting = self._registry._registering._group._waiting
            poll_until(lambda: len(waiting) == len(self._threads))

    def go(self) -> None:
        self._store.gate.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def stored(self, name: str) -> StoredSchema:
        answer = self.answers[name]
        assert isinstance(answer, StoredSchema), answer
        return answer


def poll_until(holds: Callable[[], bool]) -> None:
    tick = threading.Event()
    for _ in range(6000):
        if holds():
            return
        tick.wait(0.01)
    raise AssertionError("gave up waiting")


@pytest.fixture
def store() -> GatedStore:
    return GatedStore()


@pytest.fixture
def crowd(store: GatedStore) -> Crowd:
    registry = Registry(store, Formats())
    registry.start()
    return Crowd(registry, store)


def fixed(size: int, **members: Any) -> SchemaRequest:
    return SchemaRequest.from_json({"schema": json.dumps({"type": "fixed", "name": "F", "size": size}), **members})


def keys(write: Sequence[tuple[Key, Value | None]]) -> set[tuple[str, int]]:
    return {tuple(key) for key, _ in write if isinstance(key, SchemaKey)}  # type: ignore[misc]  # subject and version


def test_those_who_wait_share_one_write_and_each_has_its_own_id(crowd: Crowd, store: GatedStore) -> None:
    for number in range(9):
        crowd.add(f"{number}", f"s{number}", fixed(number + 1))
    crowd.go()
    assert [len(write) for write in store.writes] == [1, 8]
    assert sorted(crowd.stored(f"{number}").id for number in range(9)) == list(range(1, 10))
    for number in range(9):
        assert crowd.stored(f"{number}").subject == f"s{number}"
        assert f'"size":{number + 1}}}' in crowd.stored(f"{number}").content.text


def test_one_schema_under_many_subjects_has_one_id(crowd: Crowd, store: GatedStore) -> None:
    crowd.add("first", "first", fixed(1))
    for subject in ("a", "b", "c", "first-again"):
        crowd.add(subject, subject, fixed(2 if subject != "first-again" else 1))
    crowd.go()
    assert [crowd.stored(name).id for name in ("first", "a", "b", "c", "first-again")] == [1, 2, 2, 2, 1]
    assert len(store.writes) == 2


def test_each_context_counts_for_itself(crowd: Crowd) -> None:
    crowd.add("first", "first", fixed(1))
    for number in (2, 3):
        crowd.add(f"default{number}", f"s{number}", fixed(number))
        crowd.add(f"other{number}", f":.c:s{number}", fixed(number))
    crowd.go()
    assert sorted(crowd.stored(f"default{number}").id for number in (2, 3)) == [2, 3]
    assert sorted(crowd.stored(f"other{number}").id for number in (2, 3)) == [1, 2]


def test_two_schemas_for_one_subject_are_not_in_one_write(crowd: Crowd, store: GatedStore) -> None:
    """The second is to be compared with the first; what it is compared with must have been read back."""
    crowd.add("first", "first", fixed(1))
    crowd.add("x", "s", fixed(2))
    crowd.add("y", "s", fixed(3))
    crowd.go()
    (refused,) = [one for one in crowd.answers.values() if isinstance(one, Exception)]
    assert isinstance(refused, RegistryError)
    assert refused.code == 40901
    (taken,) = {one for one in crowd.answers.values() if isinstance(one, StoredSchema) and one.subject == "s"}
    assert taken.version == 1
    assert all(len({subject for subject, _ in keys(write)}) == len(keys(write)) for write in store.writes)


def test_who_is_refused_is_refused_alone(crowd: Crowd, store: GatedStore) -> None:
    crowd.add("first", "first", fixed(1))
    crowd.add("good", "good", fixed(2))
    crowd.add("bad", "first", fixed(3))  # another size is not compatible
    crowd.add("mode", "other", fixed(4, id=77))  # an id is for import mode only
    crowd.add("good too", "good-too", fixed(5))
    crowd.go()
    refusals = [crowd.answers["bad"], crowd.answers["mode"]]
    assert [one.code for one in refusals if isinstance(one, RegistryError)] == [40901, 42205]
    assert {crowd.stored("good").id, crowd.stored("good too").id} == {2, 3}


def test_a_failed_write_is_told_to_all_whose_it_was(crowd: Crowd, store: GatedStore) -> None:
    store.failure = RetriableError("the disk is full")
    for number in range(4):
        crowd.add(f"{number}", f"s{number}", fixed(number + 1))
    crowd.go()
    assert crowd.stored("0").id == 1
    for number in (1, 2, 3):
        assert crowd.answers[f"{number}"] is store.failure
    assert len(store.writes) == 2  # nobody tried again by himself: what became of the records is not known


def test_what_brings_its_own_id_is_written_by_itself(crowd: Crowd, store: GatedStore) -> None:
    store.gate.set()
    crowd._registry.settings.update_mode(":.i:", "IMPORT")
    store.gate.clear()
    store.entered.clear()
    store.writes.clear()
    crowd.add("first", "first", fixed(1))
    crowd.add("a", ":.i:a", fixed(2, id=5))
    crowd.add("b", ":.i:b", fixed(3, id=5))
    crowd.add("c", "c", fixed(4))
    crowd.go()
    taken = [crowd.answers["a"], crowd.answers["b"]]
    assert sum(isinstance(one, StoredSchema) and one.id == 5 for one in taken) == 1
    refused = next(one for one in taken if isinstance(one, Exception))
    assert isinstance(refused, RegistryError)
    assert "id 5 in context :.i: is not permitted" in refused.message
    assert crowd.stored("c").id == 2


class OtherWriter(MemoryStore):
    """Another registry's records get into the log first."""

    def __init__(self) -> None:
        super().__init__()
        self.before: list[tuple[Key, Value | None]] = []

    def append(self, records: Sequence[tuple[Key, Value | None]]) -> None:
        before, self.before = self.before, []
        super().append([*before, *records])


def test_an_id_that_another_writer_took_first_is_allocated_again() -> None:
    store = OtherWriter()
    registry = Registry(store, Formats())
    registry.start()
    foreign = {"subject": "theirs", "version": 1, "id": 1, "schema": '"int"', "deleted": False}
    store.before = [(SchemaKey("theirs", 1), foreign)]
    assert registry.register("ours", fixed(1)).id == 2
    assert registry.version("theirs", 1).id == 1

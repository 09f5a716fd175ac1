"""A connector's own offsets topic beside the worker's: who is asked first, and what a failure in between leaves behind."""

from __future__ import annotations

import pytest

from penstock.errors import RetriableError
from penstock.storage import MemoryOffsetStore
from penstock.storage.connector_offsets import ConnectorOffsetStore
from penstock.storage.offsets import Offsets

A, B = {"file": "a"}, {"file": "b"}


class Shaky(MemoryOffsetStore):
    """Refuses to write while `down`."""

    down = False

    def write(self, connector: str, offsets: Offsets) -> None:
        if self.down:
            raise RetriableError("no broker")
        super().write(connector, offsets)


@pytest.fixture
def own() -> Shaky:
    return Shaky()


@pytest.fixture
def worker() -> Shaky:
    return Shaky()


def test_the_connectors_own_offsets_win_and_the_workers_fill_in(own: Shaky, worker: Shaky) -> None:
    worker.write("c", [(A, {"at": 1}), (B, {"at": 1})])
    own.write("c", [(A, {"at": 2})])
    store = ConnectorOffsetStore(own, worker)
    assert store.read("c", [B, A, {"file": "c"}]) == [{"at": 1}, {"at": 2}, None]
    assert store.all("c") == [(A, {"at": 2}), (B, {"at": 1})]


def test_what_is_written_is_in_both(own: Shaky, worker: Shaky) -> None:
    ConnectorOffsetStore(own, worker).write("c", [(A, {"at": 3})])
    assert own.read("c", [A]) == worker.read("c", [A]) == [{"at": 3}]


def test_a_copy_that_fails_is_no_failure_but_the_connectors_own_store_is(own: Shaky, worker: Shaky) -> None:
    store = ConnectorOffsetStore(own, worker)
    worker.down = True
    store.write("c", [(A, {"at": 3})])
    assert store.read("c", [A]) == [{"at": 3}]
    own.down = True
    with pytest.raises(RetriableError):
        store.write("c", [(A, {"at": 4})])


@pytest.mark.parametrize("broken", ["own", "worker"])
def test_a_forgotten_offset_never_comes_back(own: Shaky, worker: Shaky, broken: str) -> None:
    store = ConnectorOffsetStore(own, worker)
    store.write("c", [(A, {"at": 3})])
    failing = own if broken == "own" else worker
    failing.down = True
    with pytest.raises(RetriableError):
        store.write("c", [(A, None)])
    assert own.read("c", [A]) == [{"at": 3}]  # not forgotten, and said so
    failing.down = False
    store.write("c", [(A, None), (B, {"at": 1})])
    assert store.read("c", [A, B]) == [None, {"at": 1}]

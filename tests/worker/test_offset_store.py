"""The offsets file: what a crash, a full disk or a foreign file may do to it."""

import json
import os
from pathlib import Path

import pytest

from penstock.errors import ConfigError, DataError, WorkerError
from penstock.storage import FileOffsetStore, MemoryOffsetStore, OffsetStore

FILE = {"filename": "/tmp/a"}


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> OffsetStore:
    made: OffsetStore = MemoryOffsetStore() if request.param == "memory" else FileOffsetStore(tmp_path / "offsets")
    made.start()
    return made


def test_offsets_are_kept_per_connector_and_partition(store: OffsetStore) -> None:
    store.write("c1", [(FILE, {"position": 5}), ({"filename": "b", "x": 1}, {"position": 6})])
    store.write("c2", [(FILE, {"position": 7})])
    assert store.read("c1", [{"x": 1, "filename": "b"}, FILE, {"filename": "z"}]) == [
        {"position": 6},
        {"position": 5},
        None,
    ]
    assert store.all("c2") == [(FILE, {"position": 7})]
    assert store.read("c2", [FILE]) == [{"position": 7}]


def test_none_forgets_a_partition(store: OffsetStore) -> None:
    store.write("c", [(FILE, {"position": 5})])
    store.write("c", [(FILE, None)])
    assert store.all("c") == []


def test_a_partition_that_json_cannot_hold_is_refused(store: OffsetStore) -> None:
    with pytest.raises(DataError, match="cannot be stored"):
        store.write("c", [({"when": object()}, {"position": 5})])


def test_a_new_worker_reads_what_the_last_one_wrote(tmp_path: Path) -> None:
    first = FileOffsetStore(tmp_path / "offsets")
    first.start()
    first.write("c", [(FILE, {"position": 5, "name": "ü"})])
    second = FileOffsetStore(tmp_path / "offsets")
    second.start()
    assert second.read("c", [FILE]) == [{"position": 5, "name": "ü"}]


def test_what_a_crash_left_beside_the_file_is_not_read(tmp_path: Path) -> None:
    store = FileOffsetStore(tmp_path / "offsets")
    store.start()
    store.write("c", [(FILE, {"position": 5})])
    (tmp_path / "offsets.tmp").write_text('{"version": 1, "offs')
    again = FileOffsetStore(tmp_path / "offsets")
    again.start()
    assert again.read("c", [FILE]) == [{"position": 5}]


def test_a_full_disk_is_reported_and_the_stored_offsets_stand(tmp_path: Path) -> None:
    store = FileOffsetStore(tmp_path / "offsets")
    store.start()
    store.write("c", [(FILE, {"position": 5})])
    os.symlink("/dev/full", tmp_path / "offsets.tmp")
    with pytest.raises(WorkerError, match="No space left on device; the offsets stored before still stand"):
        store.write("c", [(FILE, {"position": 6})])
    assert store.read("c", [FILE]) == [{"position": 5}]
    assert json.loads((tmp_path / "offsets").read_text())["offsets"][0]["offset"] == {"position": 5}


def test_a_file_of_the_jvm_worker_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "connect.offsets"
    file.write_bytes(b"\xac\xed\x00\x05sr\x00\x11java.util.HashMap")
    with pytest.raises(ConfigError, match="written by the JVM worker"):
        FileOffsetStore(file).start()
    assert file.read_bytes().startswith(b"\xac\xed")


@pytest.mark.parametrize("content", ["[1, 2]", '{"offsets": [{"connector": "c"}]}', "not json"])
def test_a_file_that_is_not_ours_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "offsets"
    file.write_text(content)
    with pytest.raises(WorkerError, match=r"is not penstock's.*offset\.storage\.file\.filename"):
        FileOffsetStore(file).start()
    assert file.read_text() == content


def test_a_folder_that_is_not_there_is_found_at_start(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="its folder does not exist"):
        FileOffsetStore(tmp_path / "none" / "offsets").start()

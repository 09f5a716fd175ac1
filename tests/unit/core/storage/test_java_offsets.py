"""A JVM standalone worker's offsets file: read as Java wrote it, refused otherwise, and imported by a command."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.cli import main
from penstock.errors import DataError
from penstock.storage.java_offsets import read_java_offsets
from penstock.storage.offsets import FileOffsetStore

#: Written by Java 17: a map of two offsets that are one array, a tombstone, and null for null.
WRITTEN = bytes.fromhex(
    "aced0005737200116a6176612e7574696c2e486173684d61700507dac1c31660d103000246000a6c6f6164466163746f7249000974687265"
    "73686f6c6478703f4000000000000c770800000010000000047070757200025b42acf317f8060854e002000078700000001f5b2273726322"
    "2c7b2266696c656e616d65223a222f74776f2e747874227d5d7571007e00020000000e7b22706f736974696f6e223a387d7571007e000200"
    "0000195b22676f6e65222c7b2266696c656e616d65223a2278227d5d707571007e00020000001e5b22737263222c7b2266696c656e616d65"
    "223a222f696e2e747874227d5d71007e000478"
)
#: A java.util.TreeMap.
OTHER = bytes.fromhex(
    "aced0005737200116a6176612e7574696c2e547265654d61700cc1f63e2d256ae60300014c000a636f6d70617261746f727400164c6a6176"
    "612f7574696c2f436f6d70617261746f723b787070770400000001740001617400016278"
)
OFFSETS = {"src": [({"filename": f"/{name}.txt"}, {"position": 8}) for name in ("in", "two")]}


def in_order(offsets: dict[str, list[tuple[object, object]]]) -> dict[str, list[tuple[object, object]]]:
    return {name: sorted(own, key=str) for name, own in offsets.items()}


def test_what_java_wrote_is_read() -> None:
    assert in_order(read_java_offsets(WRITTEN)) == OFFSETS


def test_a_file_cut_short_anywhere_is_refused() -> None:
    for end in range(len(WRITTEN)):
        with pytest.raises(DataError):
            read_java_offsets(WRITTEN[:end])


def test_other_objects_are_refused() -> None:
    with pytest.raises(DataError, match="TreeMap"):
        read_java_offsets(OTHER)


def test_the_command_that_refuses_the_file_names_the_one_that_imports_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "offsets", tmp_path / "offsets.json"
    source.write_bytes(WRITTEN)
    with pytest.raises(Exception, match=f"penstock offsets import {source} {target}"):
        FileOffsetStore(source).start()
    assert main(["offsets", "import", str(source), str(target)]) == 0
    assert "src: 2 source partitions" in capsys.readouterr().out
    store = FileOffsetStore(target)
    store.start()
    assert in_order({"src": store.all("src")}) == OFFSETS
    assert source.read_bytes() == WRITTEN

    assert main(["offsets", "import", str(source), str(target)]) == 1
    assert "exists already" in capsys.readouterr().err
    source.write_bytes(OTHER)
    assert main(["offsets", "import", str(source), str(tmp_path / "other.json")]) == 1
    assert "TreeMap" in capsys.readouterr().err
    assert not (tmp_path / "other.json").exists()
